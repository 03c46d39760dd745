"""From a sweep's database and from artifacts to the rows of the page, and the command around it."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from handlens.artifact import Artifact
from handlens.errors import DataError, EmptyFolder, InputError
from handlens.manifest import Metric
from handlens_export.commands.pareto import pareto
from handlens_export.pareto.collect import collect
from handlens_export.sweep.database import FILE, Database
from handlens_export.sweep.trial import Figures, Outcome, Trial

FLOAT = Trial(source="runs/gender", recipe="float32", format="tflite")
INT8 = replace(FLOAT, recipe="int8", seed=0, calibration_images=200)
HUGE = replace(FLOAT, recipe="pruned50-int8", seed=0, calibration_images=200)
FIGURES = Figures(
    artifact="gender-float32.tflite",
    size=700_000,
    gzip_size=650_000,
    sparsity=0.0,
    parameters=175_601,
    task="gender",
    metric="accuracy",
    dataset="utkface",
    split="val",
    n=2370,
    value=0.92,
    low=0.91,
    high=0.93,
    loss=0.0,
    loss_low=0.0,
    loss_high=0.0,
    engine="litert 2",
)
SMALL = replace(
    FIGURES,
    artifact="gender-int8.tflite",
    size=210_000,
    gzip_size=175_000,
    value=0.917,
    loss=0.3,
    loss_low=-0.1,
    loss_high=0.7,
)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of three trials: float32, int8, and one that ran out of memory."""
    folder = tmp_path / "sweeps" / "first"
    with Database(folder) as database:
        for trial, outcome in (
            (FLOAT, Outcome(state="done", figures=FIGURES, seconds=9.0)),
            (INT8, Outcome(state="done", figures=SMALL, seconds=9.0)),
            (HUGE, Outcome(state="memory", reason="more than 500 MiB", limit=500.0)),
        ):
            database.begin(trial)
            database.end(trial.key, outcome)
        database.note({"reference": FLOAT.key})
        database.time({FLOAT.key: (2.0, 2.2), INT8.key: (1.0, 1.1)})
    return folder


def test_a_sweep_s_trials_become_rows_with_the_paired_interval_the_right_way_round(sweep: Path) -> None:
    whole, small, huge = collect([sweep]).content.rows
    assert whole.change is None and whole.size_ratio == 1.0
    assert small.change is not None and small.change.low is not None and small.change.high is not None
    assert [round(v * 100, 6) for v in (small.change.value, small.change.low, small.change.high)] == [-0.3, -0.7, 0.1]
    assert small.size_ratio == pytest.approx(0.3) and small.gzip_ratio == pytest.approx(0.25)
    assert (small.p50_ms, small.p90_ms, small.time_ratio) == (1.0, 1.1, 0.5)
    assert (small.model, small.task, dict(small.facts)["calibration"]) == ("gender", "gender", "200 images")
    assert (huge.state, huge.reason, huge.metric, huge.task) == ("memory", "more than 500 MiB", None, "gender")


def test_sweeps_are_found_below_a_folder_and_none_twice(sweep: Path) -> None:
    found = collect([sweep.parent, sweep]).content
    assert len(found.rows) == 3 and len({row.key for row in found.rows}) == 3
    assert found.origins == ("sweeps/first: a sweep of 3 trials, 2 with an artifact",)


def test_artifacts_outside_of_sweeps_are_rows_and_those_inside_are_not_read_twice(
    sweep: Path, make_artifact: Callable[..., Artifact]
) -> None:
    (sweep / "artifacts").mkdir()
    make_artifact(sweep / "artifacts" / "gender-int8.tflite")
    made = make_artifact(sweep.parent / "plain.tflite")
    (sweep.parent / "broken.tflite").write_bytes(b"no artifact")
    found = collect([sweep.parent])
    plain = [row for row in found.content.rows if row.number is None]
    assert {row.path for row in plain} == {"plain.tflite"} and plain[0].size == made.size
    assert found.files[plain[0].key] == sweep.parent / "plain.tflite"
    assert [path for path, _ in found.content.unread] == ["broken.tflite"]


def test_a_damaged_sweep_beside_a_whole_one_is_listed_and_harms_nobody(sweep: Path) -> None:
    (sweep.parent / "second").mkdir()
    (sweep.parent / "second" / FILE).write_bytes(b"SQLite format 3\0" + b"x" * 200)
    found = collect([sweep.parent]).content
    assert len(found.rows) == 3
    ((path, why),) = found.unread
    assert path == f"sweeps/second/{FILE}" and "no database of a sweep" in why


def test_what_holds_nothing_or_is_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder, match="no sweep.sqlite and no artifact"):
        collect([tmp_path])
    with pytest.raises(InputError, match="is not a folder"):
        collect([tmp_path / "nowhere"])
    (tmp_path / FILE).write_bytes(b"SQLite format 3\0" + b"x" * 200)
    with pytest.raises(DataError, match="no database of a sweep"):
        collect([tmp_path])
    (tmp_path / FILE).unlink()
    sqlite3.connect(tmp_path / FILE).close()
    with pytest.raises(DataError):
        collect([tmp_path])


def command(*arguments: Any) -> Any:
    app = typer.Typer()
    app.command()(pareto)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_the_page(sweep: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = command(sweep, "-o", out, "--title", "gender, all of it")
    assert done.exit_code == 0 and "3 rows, 2 with an artifact" in done.output
    text = out.read_text(encoding="utf-8")
    assert "gender, all of it" in text and "more than 500 MiB" in text and "on its own machine" in text
    assert isinstance(command(sweep, "-o", tmp_path).exception, InputError)


def test_times_are_taken_here_on_demand(tmp_path: Path, make_artifact: Callable[..., Artifact]) -> None:
    rank1 = Metric(dataset="market1501", split="val", name="rank1", n=50, value=0.8, low=0.7, high=0.9)
    made = make_artifact(tmp_path / "all" / "net.tflite", figures=(rank1,))
    assert command(tmp_path / "all", "-o", tmp_path / "page.html", "--time").exit_code == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "were taken here, in turns" in text and made.manifest.name in text
    assert 'data-axis="time"' in text
