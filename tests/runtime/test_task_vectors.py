"""What every language replays of decoding, suppression, matching and heads: Python's own answers still are these."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from handlens._nms import suppress

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a script of tests/golden."""
    monkeypatch.syspath_prepend(GOLDEN)

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    return imported


def same(found: Any, recorded: Any, where: str = "") -> None:
    """Equal but for the last digits of a float: the exponential's differ between processors."""
    if isinstance(recorded, float) and isinstance(found, float):
        assert found == pytest.approx(recorded, rel=1e-5, abs=1e-4), where
    elif isinstance(recorded, dict):
        assert found.keys() == recorded.keys(), where
        for key, value in recorded.items():
            same(found[key], value, f"{where}.{key}")
    elif isinstance(recorded, list):
        assert len(found) == len(recorded), where
        for index, value in enumerate(recorded):
            same(found[index], value, f"{where}[{index}]")
    else:
        assert found == recorded, where


def close(found: Any, recorded: Any, where: str) -> None:
    """Equal decisions; numbers about equal."""
    if isinstance(recorded, (int, float)) and not isinstance(recorded, bool):
        assert found == pytest.approx(recorded, rel=0.02, abs=0.05), where
    elif isinstance(recorded, (dict, list)):
        assert len(found) == len(recorded), where
        for key, value in recorded.items() if isinstance(recorded, dict) else enumerate(recorded):
            close(found[key], value, f"{where}.{key}")
    else:
        assert found == recorded, where


def read(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def test_the_recorded_faces_come_out(make: Any) -> None:
    script = make("make_decode")
    for case, recorded in zip(script.CASES, read("decode.json"), strict=True):
        same(json.loads(json.dumps(script.plain(case) | script.answer(case))), recorded, case["name"])


def test_the_recorded_groups_come_out() -> None:
    for row in read("nms.json"):
        boxes, scores = np.array(row["boxes"], np.float32).reshape(-1, 4), np.array(row["scores"], np.float32)
        assert [group.tolist() for group in suppress(boxes, scores, row["iou"], row["most"])] == row["groups"]


def test_the_recorded_matches_come_out(make: Any) -> None:
    same(json.loads(json.dumps(make("make_matching").made())), read("matching.json"))


def test_the_recorded_heads_and_labels_come_out(make: Any) -> None:
    script, recorded = make("make_heads"), read("heads.json")
    for row, expected in zip(script.ATTRIBUTES, recorded["attributes"], strict=True):
        same(json.loads(json.dumps(script.attributes(row))), expected)
    same([script.gender(logit) for logit in script.GENDERS], recorded["genders"])
    same(json.loads(json.dumps([script.crop(place) for place in script.CROPS])), recorded["crops"])
    for seed, (row, expected) in enumerate(zip(script.MAPS, read("labels.json"), strict=True), 1):
        same(json.loads(json.dumps(script.segmented(row, seed))), expected)


def test_the_zoo_still_answers_so(make: Any) -> None:
    script, recorded = make("make_answers"), read("answers.json")
    assert recorded.keys() == script.ANSWERS.keys()
    for name in ("face-detector-nano.tflite", "reid-small.tflite", "gender.tflite", "person-mask-nano.tflite"):
        # An engine's kernels may differ by a step between processors.
        close(json.loads(json.dumps(script.ANSWERS[name](name))), recorded[name], name)
