"""`handlens sweep`: wrong words are refused before anything runs, and the end says what was found."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from handlens.errors import DataError, DataNotFound, GateFailed, HandlensError, OptionError, RunError
from handlens_export.commands.sweep import sweep
from handlens_export.sweep import lab
from handlens_export.sweep.local import Local


def invoke(*arguments: object) -> Result:
    app = Typer()
    app.command()(sweep)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(kind: type[HandlensError], *arguments: object) -> str:
    found = invoke(*arguments)
    assert isinstance(found.exception, kind), found.output
    assert found.exception.exit_code == 2
    return str(found.exception)


@pytest.fixture
def make_run(tmp_path: Path) -> Any:
    """A folder that looks like a trained run, until it is opened for export."""

    def make(task: str = "facecheck", name: str = "run") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        info = {"task": task, "recipe": "tiny", "config": {}, "seed": 0, "status": "complete"}
        (folder / "run.json").write_text(json.dumps(info))
        (folder / "best.weights.h5").write_bytes(b"weights")
        return folder

    return make


def test_words_of_no_sweep(make_run: Any, tmp_path: Path) -> None:
    given = (make_run(), "--out", tmp_path / "out", "--budget")
    wrong = refused(OptionError, *given, "rank1-1.0")
    assert "'rank1'" in wrong and "valid: accuracy" in wrong and "--budget accuracy-1.0" in wrong
    assert "valid: METRIC-POINTS such as accuracy-1.0" in refused(OptionError, *given, "1.0")
    assert "valid: ladder, grid" in refused(OptionError, *given, "accuracy-1", "--search", "random")
    assert "valid: bytes, latency" in refused(OptionError, *given, "accuracy-1", "--objective", "speed")
    assert "'int3'" in refused(OptionError, *given, "accuracy-1", "--arithmetic", "int3")
    assert "--detector is not for task" in refused(OptionError, *given, "accuracy-1", "--detector", tmp_path)
    assert "--images is not for task" in refused(OptionError, *given, "accuracy-1", "--images", tmp_path)
    assert not (tmp_path / "out").exists()


def test_sources_that_cannot_be_swept(make_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANDLENS_DATA", raising=False)
    rest = ("--budget", "accuracy-1", "--out", tmp_path / "out")
    refused(RunError, tmp_path / "nothing", *rest)
    refused(DataNotFound, make_run("gender", "gender"), *rest)
    monkeypatch.setenv("HANDLENS_DATA", str(tmp_path))
    several = refused(OptionError, make_run("facecheck"), tmp_path / "gender", *rest)
    assert "facecheck, gender; sweep one task at a time" in several
    (tmp_path / "picked.npz").write_bytes(b"")
    assert "no calibration set" in refused(DataError, tmp_path / "run", *rest, "--calibration", tmp_path / "picked.npz")


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch, stub: tuple[str, ...]) -> Any:
    """Trials that need no network, and lose what is given by recipe, in points; each is smaller than the one before."""

    def losing(**recipes: float) -> None:
        names = [name.replace("_", "-") for name in recipes]
        losses = zip(names, recipes.values(), strict=True)
        does = {name: {"loss": loss, "size": 800 - 200 * index} for index, (name, loss) in enumerate(losses)}
        monkeypatch.setenv("STUB", json.dumps(does))
        monkeypatch.setattr(lab, "Local", lambda jobs: Local(jobs, stub))

    return losing


def test_the_smallest_within_the_budget_is_named(make_run: Any, stubbed: Any, tmp_path: Path) -> None:
    stubbed(float16=0.1, int8=0.4, pruned50_int8=2.0)
    found = invoke(
        make_run(), "--budget", "accuracy-0.5", "--out", tmp_path / "out", "--recipes", "float16,int8,pruned50-int8"
    )
    assert found.exit_code == 0, found.output
    assert f"within 0.5 points of accuracy (n=100): {tmp_path / 'out' / 'artifacts' / 'int8.tflite'}" in found.output
    assert (tmp_path / "out" / "sweep.html").is_file()


def test_a_budget_that_nothing_meets_names_the_nearest(make_run: Any, stubbed: Any, tmp_path: Path) -> None:
    stubbed(float16=0.7, int8=3.0)
    found = invoke(make_run(), "--budget", "accuracy-0.5", "--out", tmp_path / "out", "--recipes", "float16,int8")
    assert isinstance(found.exception, GateFailed)
    assert "nothing is within 0.5 points" in str(found.exception)
    assert "float16.tflite, which loses +0.70" in str(found.exception)
    # A wider budget takes what is there, and runs nothing again.
    again = invoke(tmp_path / "run", "--budget", "accuracy-1.0", "--out", tmp_path / "out", "--recipes", "float16,int8")
    assert again.exit_code == 0 and len((tmp_path / "run" / "log").read_text().splitlines()) == 3


def test_ctrl_c_keeps_what_has_ended(
    make_run: Any, stubbed: Any, stub: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Local):
        """Ctrl-C comes after the first trial."""

        seen: ClassVar[list[Any]] = []

        def finished(self, seconds: float) -> Any:
            if self.seen:
                raise KeyboardInterrupt
            self.seen.append(super().finished(10.0))
            return self.seen[0]

    stubbed(float16=0.1, int8=0.4)
    given = (make_run(), "--budget", "accuracy-0.5", "--out", tmp_path / "out", "--recipes", "float16,int8")
    with monkeypatch.context() as patch:
        patch.setattr(lab, "Local", lambda jobs: Interrupted(jobs, stub))
        cut = invoke(*given)
    assert cut.exit_code == 130 and "The same command goes on from there" in cut.output
    assert invoke(*given).exit_code == 0
    log = [line.split()[0] for line in (tmp_path / "run" / "log").read_text().splitlines()]
    assert log.count("float32") == 1 and {"float16", "int8"} <= set(log)


@pytest.mark.slow
def test_real_trials_killed_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("skimage")

    def handlens(*arguments: object) -> list[str]:
        code = "from handlens.cli import main; main()"
        return [sys.executable, "-c", code, *(str(argument) for argument in arguments)]

    out, run = tmp_path / "out", tmp_path / "run"
    subprocess.run(handlens("train", "facecheck", "--out", run, "--epochs", 8), check=True, capture_output=True)
    command = handlens(
        "sweep", run, "--budget", "accuracy-50", "--out", out, "--recipes", "float16", "--trial-minutes", 5
    )
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while first.poll() is None and "done" not in states(out).values():
        time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = rows(out, "state = 'done'")
    assert len(before) == 1
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert set(states(out).values()) == {"done"} and len(states(out)) == 2
    assert before[0] in rows(out, "p50_ms IS NOT NULL")  # as it was, but for the time that it has now
    assert "within 50 points of accuracy" in found.stdout


def states(out: Path) -> dict[str, str]:
    return {row[0]: row[1] for row in rows(out, "1")}


def rows(out: Path, which: str) -> list[tuple[Any, ...]]:
    if not (out / "sweep.sqlite").exists():
        return []
    opened = sqlite3.connect(out / "sweep.sqlite")
    try:
        return opened.execute(f"SELECT recipe, state, starts, begun, ended FROM trials WHERE {which}").fetchall()
    except sqlite3.OperationalError:  # the table is not made yet
        return []
    finally:
        opened.close()
