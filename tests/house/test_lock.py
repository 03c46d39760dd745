"""The lock: whole, hashed, without addresses, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The lock serves these interpreters; markers in it choose between pins.
PYTHONS = ("3.11", "3.12", "3.13")


def entries() -> list[tuple[Requirement, str]]:
    """Each pinned requirement with its block of hashes."""
    joined = LOCK.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    return [(Requirement(line.split(" --hash")[0]), line) for line in lines]


def wanted(extra: str) -> list[Requirement]:
    """What ``handlens[extra]`` asks for, with handlens's own extras followed."""
    found = []
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == "handlens":
            for inner in sorted(requirement.extras):
                found += wanted(inner)
        else:
            found.append(requirement)
    return found


def test_no_address_in_the_lock() -> None:
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|file:|@ ", LOCK)


def test_every_entry_is_pinned_and_hashed() -> None:
    assert len(entries()) > 50
    for requirement, line in entries():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], line[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), f"{requirement.name} has no hash"


def test_the_lock_satisfies_pyproject_on_every_interpreter() -> None:
    for python in PYTHONS:
        environment = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": "linux"}
        pins = {
            requirement.name: str(next(iter(requirement.specifier)).version)
            for requirement, _ in entries()
            if requirement.marker is None or Marker(str(requirement.marker)).evaluate(environment)
        }
        for requirement in [Requirement(text) for text in PROJECT["dependencies"]] + wanted("dev"):
            assert requirement.name in pins, f"{requirement.name} is not locked · run `make lock`"
            pin = pins[requirement.name]
            assert requirement.specifier.contains(pin), f"{requirement} does not allow {pin} · run `make lock`"


def test_the_base_allows_the_environment_of_tflite_runtime() -> None:
    base = {requirement.name: requirement.specifier for requirement in map(Requirement, PROJECT["dependencies"])}
    assert base["numpy"].contains("1.26.4") and base["numpy"].contains("2.4.6")
    assert base["opencv-python-headless"].contains("4.11.0.86") and base["opencv-python-headless"].contains("5.0.0.93")
