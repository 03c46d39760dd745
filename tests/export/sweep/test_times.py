"""Times are taken of all artifacts in turns, and once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlens_export.sweep import selection, times
from handlens_export.sweep.database import Database
from handlens_export.sweep.trial import Figures, Outcome, Trial


@pytest.fixture
def swept(tmp_path: Path, make_artifact: Callable[..., Any], make_trial: Callable[..., Trial]) -> Path:
    """The folder of a sweep of three artifacts, one of which is damaged."""
    folder = tmp_path / "out"
    (folder / "artifacts").mkdir(parents=True)
    make_artifact(folder / "artifacts" / "float32.tflite")
    make_artifact(folder / "artifacts" / "int8.tflite", "tiny_int8.tflite", "int8")
    (folder / "artifacts" / "broken.tflite").write_bytes(b"no artifact")
    with Database(folder) as database:
        for index, name in enumerate(("float32", "int8", "broken")):
            trial = make_trial(name)
            database.begin(trial)
            figures = Figures(
                artifact=f"{name}.tflite", size=1000 - 100 * index, gzip_size=900 - 100 * index, sparsity=0.0,
                parameters=1, task="reid", metric="rank1", dataset="d", split="val", n=50, value=0.9, low=0.8, high=1.0,
                loss=0.5 * index, loss_low=0.0, loss_high=1.0, engine="litert",
            )  # fmt: skip
            database.end(trial.key, Outcome(state="done", figures=figures))
    return folder


def test_all_in_turns_and_once(swept: Path) -> None:
    said: list[str] = []
    with Database(swept) as database:
        times.take(database, said.append, rounds=1)
        rows = {row.trial.recipe: row for row in database.rows()}
    assert rows["float32"].p50_ms and rows["int8"].p50_ms and rows["float32"].timed == rows["int8"].timed
    assert rows["broken"].p50_ms is None and any("broken.tflite is not timed" in line for line in said)
    (swept / "artifacts" / "broken.tflite").unlink()
    with Database(swept) as database:
        before = database.rows()
        times.take(database, said.append, rounds=1)
        assert [row.timed for row in database.rows()] == [row.timed for row in before]


def test_the_best_is_the_cheapest_that_holds(swept: Path) -> None:
    with Database(swept) as database:
        times.take(database, lambda text: None, rounds=1)
        trials = selection.done(database.rows())
    found = {allowed: selection.best(trials, allowed, "bytes") for allowed in (0.4, 0.5, 1.0)}
    assert {allowed: best.row.trial.recipe if best else None for allowed, best in found.items()} == {
        0.4: None, 0.5: "int8", 1.0: "broken",
    }  # fmt: skip
    quick = selection.best(trials, 1.0, "latency")
    assert quick is not None and quick.row.trial.recipe == "int8"  # what has no time is not the fastest
    nearest = selection.nearest(trials)
    assert nearest is not None and nearest.row.trial.recipe == "int8"
    assert selection.front(trials, "bytes") == {0, 1, 2}
