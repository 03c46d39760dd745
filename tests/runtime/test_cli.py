"""The command line: what it prints, and one line and an exit code for every error."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from handlens import cli
from handlens.artifact import Artifact
from handlens.engine import default_engine
from handlens.errors import GateFailed, HandlensError
from handlens.manifest import Metric

Write = Callable[..., Artifact]


def handlens(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user does, in a fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "handlens", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )


def call(command: str, *arguments: object) -> int:
    """Runs a command in this process; its exit code."""
    entry = importlib.metadata.EntryPoint(command, f"handlens.commands.{command}:{command}", cli.GROUP)
    with pytest.raises(SystemExit) as stopped:
        cli.run(entry, [str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def assert_one_line(error: str, *says: str) -> None:
    assert error.startswith("error: ") and error.endswith("\n") and error.count("\n") == 1, error
    assert all(part in error for part in says), error


def test_inspect_prints_what_a_person_wants_to_know(
    any_file: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    metric = Metric(dataset="market1501", split="val", name="rank1", n=45, value=0.8125, low=0.7, high=0.9)
    made = write(any_file, {"cmc.json": b"[0.5]"}, metrics=(metric,))
    assert call("inspect", made.path) == 0
    shown = capsys.readouterr().out
    for part in (
        "tiny 1, task reid",
        made.sha256,
        made.manifest.model_id,
        f"{made.size:,} = {made.model_size:,} of .{made.kind} model",
        "cmc.json (5 bytes)",
        "1x16x8x3 NHWC RGB; resize to 16 x 8",
        "embedding, not normalised",
        "0.8125 [0.7000, 0.9000] fraction, n 45",
        "random numbers",
        "licence: CC0-1.0",
    ):
        assert part in shown, shown


def test_inspect_prints_json_for_a_program(any_file: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    made = write(any_file)
    assert call("inspect", made.path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["manifest"] == json.loads(made.manifest.to_json())
    assert (shown["bytes"], shown["model_bytes"], shown["sha256"]) == (made.size, made.model_size, made.sha256)
    assert [golden["outputs"] for golden in shown["goldens"]] == [{"embedding": [1, 8]}] * 4


def test_check_replays_and_says_so(any_file: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    made = write(any_file)
    assert call("check", made.path, "--engine", default_engine(made.kind)) == 0
    shown = capsys.readouterr().out
    assert shown.count("ok    ") == 4
    assert "all goldens answered rightly" in shown
    assert call("check", made.path, "--json", "--threads", 2) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["threads"], len(report["rows"])) == (True, 2, 4)


def test_check_of_a_wrong_engine_exits_2_and_names_the_output(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write()
    from handlens import _backends

    real = _backends.dequantized
    monkeypatch.setattr(_backends, "dequantized", lambda value, info: real(value, info) * 1.1)
    assert call("check", made.path) == 2
    shown = capsys.readouterr()
    assert shown.out.count("WRONG") == 4
    assert_one_line(shown.err, "embedding", "off by", "is allowed")
    assert call("check", made.path, "--json") == 2
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_a_damaged_file_exits_2_in_one_line_without_a_traceback(write: Write) -> None:
    made = write()
    whole = made.path.read_bytes()
    for content, says in (
        (whole[:-30], "ends early"),
        (whole[:200] + b"!" + whole[201:], "was changed after it was written"),
        (b"not a model", "no handlens artifact"),
    ):
        made.path.write_bytes(content)
        done = handlens("inspect", made.path)
        assert (done.returncode, done.stdout) == (2, "")
        assert_one_line(done.stderr, says, str(made.path))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "absent.tflite"], "No such file"),
        (["inspect"], "file"),
        (["inspekt"], "inspect"),
        (["check", "x", "--threads", "many"], "--threads"),
    ],
)
def test_a_wrong_command_line_exits_2(arguments: list[str], says: str) -> None:
    done = handlens(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.lower() or says in done.stderr
    assert "Traceback" not in done.stderr


def test_options_reach_the_command_wherever_they_stand(write: Write) -> None:
    made = write()
    for arguments in (["check", "--json", made.path, "--threads=2"], ["check", "--threads", "2", made.path, "--json"]):
        done = handlens(*arguments)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["threads"] == 2
    assert "--engine" in handlens("check", "--help").stdout


def test_the_version_is_shown() -> None:
    assert handlens("--version").stdout.strip() == f"handlens {importlib.metadata.version('handlens')}"


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (HandlensError("a\nb   c"), 2, "a b c"),
        (GateFailed("int8 lost 2.1 points"), 3, "int8 lost 2.1 points"),
        (ModuleNotFoundError("no", name="tf2onnx"), 2, "pip install 'handlens[export]'"),
        (PermissionError(13, "Permission denied", "/nowhere/x"), 2, "/nowhere/x: Permission denied"),
    ],
)
def test_errors_become_one_line_and_their_exit_code(
    raised: Exception, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise raised

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda entry: command)
    with pytest.raises(SystemExit) as stopped:
        cli.run(importlib.metadata.EntryPoint("export", "x:y", cli.GROUP), [])
    assert stopped.value.code == code
    assert_one_line(capsys.readouterr().err, says)


@pytest.mark.parametrize("raised", [RuntimeError("bug"), ModuleNotFoundError("bug", name="handlens.absent")])
def test_a_bug_is_not_hidden(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise raised

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda entry: command)
    with pytest.raises(type(raised), match="bug"):
        cli.run(importlib.metadata.EntryPoint("export", "x:y", cli.GROUP), [])


def test_a_third_partys_command_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    entry = importlib.metadata.EntryPoint("count", "collections:Counter", cli.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry])
    with pytest.raises(SystemExit):
        cli.build()(args=["--help"])
    shown = capsys.readouterr().out
    assert "count" in shown
    assert "From collections." in shown


def test_the_whole_tree_of_errors_is_drawn_and_a_refusal_at_the_door_has_a_code_of_its_own() -> None:
    from handlens import errors

    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, HandlensError)]
    drawn = {line.split()[0] for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")}
    assert {cls.__name__ for cls in classes} == drawn
    refused = [cls for cls in classes if issubclass(cls, errors.Refused)]
    assert {cls.exit_code for cls in refused} == {4}
    assert {cls.exit_code for cls in classes if cls is not errors.GateFailed and cls not in refused} == {2}
    assert errors.GateFailed.exit_code == 3
    assert all(cls.__doc__ for cls in classes)


def test_a_path_for_output_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens import files

    target = tmp_path / "new" / "file.txt"
    files.write_text(target, "grün\n")
    assert target.read_bytes() == "grün\n".encode()
    os.chmod(target, 0o640)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    files.write_text(target, "second")
    assert target.stat().st_mode & 0o777 == 0o640
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        files.write_bytes(target, b"third")
    assert target.read_text() == "second"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
