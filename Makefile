# The only things that must be on the machine are make and Python 3.11, 3.12 or 3.13.
# uv is used where it is present (it is quicker); pip otherwise. Both install the same hash-pinned lock.

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := demo-out
ARGS   ?=

# `make PYTHON=/path/to/python3.12` chooses another interpreter.
PYTHON ?= $(shell scripts/find-python)
UV     := $(shell command -v uv 2>/dev/null)
# Kotlin's compile daemon would stay for hours.
MVN    := mvn -B -ntp -Dkotlin.compiler.daemon=false

.PHONY: help install test android android-test adb-test aarch64-test lint format demo lock wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY)  ## make .venv from the lock (done by the other targets when needed)

$(READY): requirements.lock pyproject.toml zoo/pyproject.toml browser/pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found · install one, or say make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "installing into $(VENV) with $(PYTHON)$(if $(UV), and uv)"
ifdef UV
	$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . -e zoo -e browser
else
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . -e zoo -e browser
endif
	@scripts/vendor-browser
	@touch $@

test: $(READY)  ## run every test (ARGS="-k name" narrows it)
	@scripts/ensure-chromium
	@scripts/ensure-sshd
	@scripts/vendor-browser
	$(BIN)/python -m pytest $(ARGS)

android: $(READY)  ## build the Kotlin library's classes for `handlens android build`
	@scripts/ensure-jdk
	cd android_bridge && $(MVN) -q -pl bundle -am -DskipTests clean package

android-test: $(READY)  ## build and test the Kotlin library (gets a JDK and Maven where it can)
	@scripts/ensure-jdk
	cd android_bridge && \
	    HANDLENS_LITERT=$$($(abspath $(BIN))/python -c 'import ai_edge_litert; print(*ai_edge_litert.__path__)') \
	    $(MVN) clean verify
	@$(BIN)/python scripts/vector_table.py android_bridge/target/vectors

adb-test: $(READY)  ## the adb target against a real adbd of Debian, in a network of its own
	@PYTHON=$(BIN)/python scripts/adb-test $(ARGS)

aarch64-test: $(READY)  ## the light runtime's numbers on aarch64, under qemu; never for timing
	@PYTHON=$(BIN)/python scripts/aarch64-test $(ARGS)

lint: $(READY)  ## ruff and mypy, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## let ruff fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(READY)  ## train, compress, gate and report on data that a package ships; then the shipped artifacts
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo $(DEMO)

lock:  ## solve requirements.lock anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --upgrade \
	    --custom-compile-command "make lock" -o requirements.lock pyproject.toml

wheel: $(READY) android  ## build the three wheels into dist/
	@scripts/vendor-browser
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --default-pip >/dev/null
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist . ./zoo ./browser

clean:  ## remove what the targets made (not runs, not data)
	rm -rf $(VENV) $(DEMO) build dist android_bridge/target android_bridge/*/target android_bridge/handlens_android/jars .mypy_cache .pytest_cache .ruff_cache .hypothesis
