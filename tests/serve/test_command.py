"""`handlens serve` as a process: what it prints, whom it asks for a token, how it ends."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from handlens.commands.serve import serve

# The command itself, around the tests' own models: no artifact of a face detector is checked in.
SCRIPT = """
import contextlib, importlib, sys, types
package = types.ModuleType("fakes")
package.__path__ = [sys.argv.pop(1)]
sys.modules["fakes"] = package
conftest = importlib.import_module("fakes.conftest")
from handlens.serve import models

@contextlib.contextmanager
def open_models(detector, verifier, limits, **_):
    yield conftest.make_service(limits, door=verifier is not None), ("a notice",)
    print("models closed", flush=True)

models.open_models = open_models
from handlens import cli
import importlib.metadata
entry = {e.name: e for e in importlib.metadata.entry_points(group=cli.GROUP)}["serve"]
cli.run(entry, ["--detector", "d.tflite", "--verifier", "v.tflite", "--port", "0", *sys.argv[1:]])
"""
Start = Callable[..., tuple[subprocess.Popen[str], str, str]]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Starts the command; gives the process, the address that it prints and all before it."""
    with contextlib.ExitStack() as stack:

        def begin(*words: str) -> tuple[subprocess.Popen[str], str, str]:
            command = [sys.executable, "-u", "-c", SCRIPT, str(Path(__file__).parent), *words]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = stack.enter_context(
                subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONUTF8": "1"}, **pipes)
            )
            stack.callback(process.kill)
            before, line = "", process.stdout.readline()
            while line and not line.startswith("serving"):
                before, line = before + line, process.stdout.readline()
            assert line, process.stderr.read()
            return process, line.split()[1], before

        yield begin


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_ends_cleanly(launch: Start, end: signal.Signals) -> None:
    process, url, before = launch()
    assert re.fullmatch(r"http://localhost:\d+/", url) and "token" not in before
    assert httpx.get(f"{url}v1/models", trust_env=False).json()["door"] is True
    process.send_signal(end)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and out == "models closed\n"
    assert err == "note: a notice\n"


def test_beyond_loopback_a_token_is_made_and_shown_once(launch: Start) -> None:
    process, url, before = launch("--host", "0.0.0.0")
    token = re.search(r"^token \(shown this once\): (\S{43})$", before, re.MULTILINE)[1]
    url = url.replace("0.0.0.0", "127.0.0.1")
    assert httpx.get(f"{url}v1/models", trust_env=False).status_code == 401
    right = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{url}v1/models", headers=right, trust_env=False).status_code == 200
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert token not in out + err and "others on the network can read" in err


def test_a_log_line_a_request_where_asked(launch: Start, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef")
    path.chmod(0o600)
    process, url, before = launch("--log", "--token-file", str(path), "--detect-only")
    right = {"Authorization": "Bearer 0123456789abcdef"}
    assert httpx.delete(f"{url}v1/templates/Eileen", headers=right, trust_env=False).status_code == 409
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert re.search(r"DELETE /v1/templates/\{name\} 409 \d+ ms", err) and "Eileen" not in err
    assert "0123456789abcdef" not in before + err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--token-file", "missing"], "missing"),
        (["--tls-key", "k.pem"], "--tls-certificate"),
        (["--fmr", "2"], "fmr is 2"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
    ],
)
def test_what_it_cannot_do_is_one_line_and_exit_code_2(tmp_path: Path, words: list[str], said: str) -> None:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and said in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error:")


def test_help_says_that_liveness_is_absent() -> None:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(serve)
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0 and "No liveness detection" in " ".join(shown.output.split())
