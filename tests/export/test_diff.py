"""`handlens diff`: the verdict and its exit code, whose answers flipped, the page."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from handlens.artifact import Artifact, write_artifact
from handlens.errors import GateFailed, InputError, ManifestInvalid
from handlens_export.commands.diff import diff
from handlens_export.diff.compare import flips
from handlens_train import tasks
from handlens_train.evaluation import Evaluation, Item, right_or_wrong

COUNT = 200
HOSTILE = "<img src=x>\u202e.png"


def picture(index: int) -> np.ndarray:
    return np.full((20, 30, 3), index, np.uint8)


def answers(right: np.ndarray) -> Evaluation:
    items = tuple(
        Item(HOSTILE if index == 3 else f"{index}.png", "yes" if ok else "no", float(ok), (picture(index),))
        for index, ok in enumerate(right)
    )
    return right_or_wrong("drawn", "test", right, "litert 2", items=items)


@pytest.fixture
def pair(make_artifact: Callable[[Path], Artifact], tmp_path: Path) -> tuple[Path, Path]:
    return make_artifact(tmp_path / "old.tflite").path, make_artifact(tmp_path / "new.tflite").path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What each file answers rightly, by name; the test fills it in."""
    table: dict[str, np.ndarray] = {}

    def evaluate(path: Path, *rest: Any, **options: Any) -> Evaluation:
        return answers(table[path.name])

    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace(READS_DATA=False, evaluate=evaluate))
    return table


def run(*arguments: str) -> Result:
    app = Typer()
    app.command()(diff)
    return CliRunner().invoke(app, list(arguments))


def some_wrong(count: int) -> np.ndarray:
    return np.arange(COUNT) >= count


def test_a_loss_beyond_noise_ends_with_an_error(pair: tuple[Path, Path], judged: dict[str, np.ndarray]) -> None:
    judged |= {"old.tflite": some_wrong(0), "new.tflite": some_wrong(30)}
    found = run(*map(str, pair), "--rounds", "0")
    assert isinstance(found.exception, GateFailed) and found.exception.exit_code == 3
    assert "-15.00 points of accuracy" in str(found.exception) and "beyond noise" in str(found.exception)
    assert "30 of 200 answers became wrong, 0 became right" in found.output
    assert run(*map(str, pair), "--rounds", "0", "--allow", "25").exit_code == 0, "the budget covers it"


def test_a_loss_within_noise_passes_and_says_so(pair: tuple[Path, Path], judged: dict[str, np.ndarray]) -> None:
    swapped = some_wrong(0)
    swapped[:3] = False
    before = some_wrong(0)
    before[5:7] = False
    judged |= {"old.tflite": before, "new.tflite": swapped}
    found = run(*map(str, pair), "--rounds", "0", "--json")
    assert found.exit_code == 0
    facts = json.loads(found.output)
    assert facts["worse"] is False and facts["change"]["low"] < 0 < facts["change"]["high"]
    assert facts["change"]["value"] == pytest.approx(-1 / COUNT)
    assert [(f["name"], f["change"]) for f in facts["flips"]] == [
        ("0.png", -1.0),
        ("1.png", -1.0),
        ("2.png", -1.0),
        ("5.png", 1.0),
        ("6.png", 1.0),
    ]


def test_both_are_timed_and_sized(pair: tuple[Path, Path], judged: dict[str, np.ndarray]) -> None:
    judged |= {"old.tflite": some_wrong(0), "new.tflite": some_wrong(0)}
    facts = json.loads(run(*map(str, pair), "--rounds", "1", "--json").output)
    assert facts["old"]["size"] == pair[0].stat().st_size > facts["old"]["gzip_size"] > 0
    assert facts["old"]["p50_ms"] > 0 and facts["new"]["p50_ms"] > 0


def test_the_page_shows_the_images_and_fetches_nothing(
    pair: tuple[Path, Path], judged: dict[str, np.ndarray], tmp_path: Path
) -> None:
    judged |= {"old.tflite": some_wrong(0), "new.tflite": some_wrong(70)}
    html = tmp_path / "out" / "diff.html"
    run(*map(str, pair), "--rounds", "0", "--html", str(html))
    text = html.read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    sources = [image.get("src", "") for image in tree.iter("img")]
    assert len(sources) == 60 and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "70 of 200 items; the first 60 are shown" in text
    assert "http:" not in text and "https:" not in text and "<img src=x>" not in text and "\u202e" not in text


def test_artifacts_of_two_tasks_are_refused(pair: tuple[Path, Path], judged: dict[str, np.ndarray]) -> None:
    old = Artifact.open(pair[0])
    write_artifact(pair[0], old.model, old.kind, replace(old.manifest, task="gender"), old.goldens)
    found = run(*map(str, pair), "--rounds", "0")
    assert isinstance(found.exception, ManifestInvalid) and "'gender'" in str(found.exception)


def test_answers_to_different_questions_are_not_paired() -> None:
    with pytest.raises(InputError, match="different items"):
        flips((Item("a", "", 1.0),), (Item("b", "", 1.0),))


def test_a_mask_that_got_a_little_worse_is_no_flip() -> None:
    old = (Item("a", "IoU 0.9", 0.9), Item("b", "IoU 0.9", 0.9))
    new = (Item("a", "IoU 0.6", 0.6), Item("b", "IoU 0.1", 0.1))
    assert [flip.name for flip in flips(old, new)] == ["b"]
