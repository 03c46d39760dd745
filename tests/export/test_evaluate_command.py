"""`handlens evaluate`: prints breakdowns and further data sets, records both, passes options that a task takes."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from handlens.artifact import Artifact, write_artifact
from handlens.errors import OptionError
from handlens.metrics import Interval
from handlens_export.commands.evaluate import evaluate
from handlens_export.record import record
from handlens_train import tasks
from handlens_train.evaluation import Breakdown, Evaluation, Row, breakdown, by_height


def measured(dataset: str, ap: float, **changes: Any) -> Evaluation:
    parts: dict[str, Any] = {
        "dataset": dataset,
        "split": "test",
        "protocol": "IoU 0.5",
        "n": 120,
        "primary": "ap",
        "metrics": {"ap": Interval(ap, ap - 0.05, ap + 0.05), "false_positives": Interval(1.5, 1.0, 2.0)},
        "outcomes": np.empty(0),
        "groups": np.arange(120),
        "engine": "litert 2",
        "units": {"false_positives": "per image"},
    }
    return Evaluation(**parts | changes)


FOUND = measured(
    "faces_multi",
    0.8,
    breakdowns=(Breakdown("face height", (("20 to 40", 200, 0.7, 0.6, 0.8), ("40 and more", 9, None, None, None))),),
    curves={"det": ((0.001, 0.1), (0.01, 0.05))},
    counts={"impostors": 4000, "genuine": 600},
    others=(measured("faces_one", 0.95),),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Makes every task answer FOUND, and keeps what it was asked."""
    kept: list[tuple[Any, ...]] = []

    def answer(*arguments: Any, **options: Any) -> Evaluation:
        kept.append((*arguments, options))
        return FOUND

    monkeypatch.setattr(
        tasks, "get", lambda name: SimpleNamespace(READS_DATA=False, OPTIONS=("detector",), evaluate=answer)
    )
    return kept


@pytest.fixture
def artifact(make_artifact: Callable[[Path], Artifact], tmp_path: Path) -> Path:
    return make_artifact(tmp_path / "net.tflite").path


def run(*arguments: str) -> Result:
    app = Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, list(arguments))


def test_figures_breakdowns_and_other_data_sets_are_printed(artifact: Path, calls: list[Any]) -> None:
    output = run(str(artifact)).output
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[0] == "net.tflite on faces_multi/test (IoU 0.5), litert 2"
    assert "ap 0.8000 [0.7500, 0.8500]" in lines and "false_positives 1.5000 [1.0000, 2.0000] per image" in lines
    assert "20 to 40 200 0.7000 [0.6000, 0.8000]" in lines and "40 and more 9 too few" in lines
    assert "also on faces_one/test (IoU 0.5)" in lines and "ap 0.9500 [0.9000, 1.0000]" in lines


def test_json_has_all_of_it(artifact: Path, calls: list[Any]) -> None:
    found = json.loads(run(str(artifact), "--json").output)
    assert found["breakdowns"][0]["rows"][1] == ["40 and more", 9, None, None, None]
    assert found["curves"]["det"] == [[0.001, 0.1], [0.01, 0.05]] and found["counts"]["impostors"] == 4000
    assert found["others"][0]["dataset"] == "faces_one" and found["units"] == {"false_positives": "per image"}


def test_an_option_reaches_the_task_that_takes_it_and_no_other(
    artifact: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(str(artifact), "--detector", "d.tflite").exit_code == 0
    assert run(str(artifact)).exit_code == 0
    assert [call[-1] for call in calls] == [{"detector": Path("d.tflite")}, {}]
    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace(READS_DATA=False))
    error = run(str(artifact), "--detector", "d.tflite").exception
    assert isinstance(error, OptionError) and "--detector is not for task 'reid'" in str(error)


def test_recording_keeps_what_was_measured_elsewhere(artifact: Path, calls: list[Any]) -> None:
    old = Artifact.open(artifact)
    curves = {"market1501/val": [0.5, 0.6], "faces_multi/test": [0.1]}
    extras = {"cmc.json": json.dumps(curves).encode(), "gate.json": b"{}"}
    write_artifact(artifact, old.model, old.kind, old.manifest, old.goldens, extras)
    assert run(str(artifact), "--record").exit_code == 0
    record(artifact, measured("faces_one", 0.9))
    made = Artifact.open(artifact)
    assert made.model == old.model and made.extras["gate.json"] == b"{}"
    assert [(m.dataset, m.name, m.value, m.unit) for m in made.manifest.metrics] == [
        ("faces_multi", "ap", 0.8, "fraction"),
        ("faces_multi", "false_positives", 1.5, "per image"),
        ("faces_one", "ap", 0.9, "fraction"),
        ("faces_one", "false_positives", 1.5, "per image"),
    ]
    details = json.loads(made.extras["evaluation.json"])
    assert set(details) == {"faces_multi/test", "faces_one/test"}
    assert details["faces_multi/test"]["breakdowns"][0]["name"] == "face height"
    assert json.loads(made.extras["cmc.json"]) == {"market1501/val": [0.5, 0.6]}


def test_a_breakdown_says_too_few_instead_of_a_number() -> None:
    labels = ["old"] * 5 + ["young"] * 60
    made = breakdown("age", labels, [1.0] * 5 + [1.0, 0.0] * 30, ["young", "old", "nobody"])
    young, old, nobody = made.rows
    assert young.value == 0.5 and young.low is not None and young.low < 0.5 < (young.high or 0)
    assert old == Row("old", 5, None) and nobody == Row("nobody", 0, None)
    assert [row.label for row in breakdown("age", labels, np.ones(65)).rows] == ["old", "young"]


def test_average_precision_by_height_leaves_other_heights_out() -> None:
    heights = [24.0] * 40 + [100.0] * 40 + [300.0] * 5
    truths = [[[0.0, 0.0, 20.0, height]] for height in heights]
    # All large ones are found, and every other small one; the small ones' misses must not lower the large ones' row.
    found = [
        (truth if height > 50 or index % 2 else [[50.0, 0.0, 70.0, height]], [0.5 + index / 1000])
        for index, (truth, height) in enumerate(zip(truths, heights, strict=True))
    ]
    small, none, large, few = by_height(found, truths, (20, 50, 80, 200)).rows
    assert [row.n for row in (small, none, large, few)] == [40, 0, 40, 5]
    assert small.label == "20 to 50 px" and small.value is not None and 0.2 < small.value < 0.5
    assert large.value == 1.0 and none.value is None and few == Row("200 px and more", 5, None)
