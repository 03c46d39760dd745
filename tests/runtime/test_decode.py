"""From outputs to boxes: what is encoded comes back, and of doubles the best stays."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handlens._decode import Decoding, decoder, logit, sigmoid
from handlens._nms import overlaps, suppress
from handlens.errors import ManifestInvalid
from handlens.manifest import Compression, InputSpec, Manifest, OutputSpec, Provenance, Tolerance

MANIFESTS = Path(__file__).parents[2] / "docs" / "manifests"
SIZE = (64, 96)
CELLS = {"score": 1, "box": 4, "points": 10, "gender": 1}


def manifest(
    decoding: dict, outputs: dict[str, tuple[int, ...]], size: tuple[int, int] = SIZE, **changes: object
) -> Manifest:
    return Manifest(
        task="face-detector",
        name="drawn",
        version="1",
        input=InputSpec(
            name="image",
            height=size[0],
            width=size[1],
            channels=3,
            scale=(1.0,) * 3,
            offset=(0.0,) * 3,
            **{"geometry": "letterbox", **changes},
        ),
        outputs=tuple(
            OutputSpec(name=name, meaning=name, shape=shape, tolerance=Tolerance(absolute=0.1, relative=0.0))
            for name, shape in outputs.items()
        ),
        decoding=decoding,
        compression=Compression(
            recipe="none", format="tflite", weights="float32", activations="float32", parameters=0, sparsity=0.0
        ),
        provenance=Provenance(data=(), weights_licence="none", seed=0, run="none", trained_seconds=0.0),
    )


def cells(strides: tuple[int, ...] = (8, 16, 32), heads: dict[str, int] = CELLS, **decoding: object) -> Manifest:
    count = sum((SIZE[0] // stride) * (SIZE[1] // stride) for stride in strides)
    made = {"kind": "cells", "strides": list(strides), **decoding}
    return manifest(made, {name: (1, count, size) for name, size in heads.items()})


def empty(described: Manifest, score: float = -20.0) -> dict[str, np.ndarray]:
    made = {spec.name: np.zeros(spec.shape, np.float32) for spec in described.outputs}
    if "score" in made:
        made["score"][:] = score
    return made


def place(stride: int, row: int, column: int, strides: tuple[int, ...] = (8, 16, 32)) -> int:
    """Number of a cell: strides in order, rows from the top, cells from the left."""
    before = sum((SIZE[0] // s) * (SIZE[1] // s) for s in strides[: strides.index(stride)])
    return before + row * (SIZE[1] // stride) + column


@given(st.data(), st.sampled_from([8, 16, 32]))
@settings(max_examples=60, deadline=None)
def test_a_face_encoded_into_a_cell_comes_back(data: st.DataObject, stride: int) -> None:
    row = data.draw(st.integers(0, SIZE[0] // stride - 1))
    column = data.draw(st.integers(0, SIZE[1] // stride - 1))
    x, y = data.draw(st.tuples(st.floats(0, 96), st.floats(0, 64)))
    width, height = data.draw(st.tuples(st.floats(1, 200), st.floats(1, 200)))
    points = data.draw(arrays.arrays(np.float64, (5, 2), elements=st.floats(-50, 150)))
    score, gender = data.draw(st.tuples(st.floats(0.6, 0.999), st.floats(-6, 6)))
    described, centre = cells(), (np.array([column, row]) + 0.5) * stride
    outputs, at = empty(described), place(stride, row, column)
    outputs["score"][0, at] = math.log(score / (1 - score))
    size = np.array([width, height])
    outputs["box"][0, at] = [*((np.array([x, y]) - centre) / stride), *np.log(size / stride)]
    outputs["points"][0, at] = ((points - centre) / stride).reshape(-1)
    outputs["gender"][0, at] = gender
    found = decoder(described)(outputs, 0.5)
    assert found.scores.shape == (1,) and found.scores[0] == pytest.approx(score, abs=1e-5)
    assert np.allclose(found.boxes[0], [x - width / 2, y - height / 2, x + width / 2, y + height / 2], atol=1e-2)
    assert np.allclose(found.points[0], points, atol=1e-2) and found.gender[0] == pytest.approx(gender, abs=1e-5)


def test_only_cells_above_the_threshold_come_out_and_in_their_order() -> None:
    described = cells()
    outputs = empty(described)
    outputs["score"][0, [3, 40, 100], 0] = (logit(0.7), logit(0.49), logit(0.9))
    decode = decoder(described)
    assert np.allclose(decode(outputs, 0.5).scores, [0.7, 0.9])
    assert np.allclose(decode(outputs, 0.4).scores, [0.7, 0.49, 0.9])
    assert len(decode(outputs, 1.0).scores) == 0 and len(decode(outputs, 0.0).scores) == outputs["score"].size
    assert decode(outputs, 1.0).boxes.shape == (0, 4) and decode(outputs, 1.0).points.shape == (0, 5, 2)


def test_a_detector_without_points_or_gender_says_nothing_of_them() -> None:
    described = cells(heads={"score": 1, "box": 4})
    found = decoder(described)(empty(described, 5.0), 0.5)
    assert found.points is None and found.gender is None and len(found.scores) == 96 + 24 + 6


def test_a_wild_output_does_not_overflow() -> None:
    described = cells()
    outputs = empty(described, 200.0)
    outputs["box"][:] = 500.0
    with np.errstate(over="raise", invalid="raise"):
        found = decoder(described)(outputs, 0.5)
    assert np.isfinite(found.boxes).all() and (found.scores <= 1).all()


@given(arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(-1000, 1000, width=32)))
@settings(max_examples=40, deadline=None)
def test_sigmoid_and_logit_are_each_others_inverse(logits: np.ndarray) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        chances = sigmoid(logits)
    assert ((chances >= 0) & (chances <= 1)).all()
    for value, chance in zip(logits, chances, strict=True):
        if abs(value) < 6:
            assert logit(float(chance)) == pytest.approx(float(value), abs=1e-3)


def yunet() -> Manifest:
    counts = {stride: (SIZE[0] // stride) * (SIZE[1] // stride) for stride in (8, 16, 32)}
    heads = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    outputs = {f"{name}_{s}": (1, count, size) for name, size in heads.items() for s, count in counts.items()}
    return manifest({"kind": "yunet", "strides": [8, 16, 32]}, outputs)


def test_yunets_positions_count_from_the_cells_corner() -> None:
    described = yunet()
    outputs = empty(described)
    at = 2 * 6 + 3  # row 2, column 3 of stride 16
    outputs["cls_16"][0, at], outputs["obj_16"][0, at] = 0.81, 1.3  # what is above 1 counts as 1
    outputs["bbox_16"][0, at] = [0.25, 0.5, math.log(2), math.log(3)]
    outputs["kps_16"][0, at] = np.arange(10) / 10
    found = decoder(described)(outputs, 0.5)
    assert found.scores == pytest.approx([0.9]) and found.gender is None
    assert np.allclose(found.boxes, [[52 - 16, 40 - 24, 52 + 16, 40 + 24]])
    assert np.allclose(found.points[0], np.array([48, 32]) + 16 * np.arange(10).reshape(5, 2) / 10)


def test_blazefaces_anchors_are_centres_of_cells_two_and_six_of_each() -> None:
    decoding = {
        "kind": "blazeface",
        "strides": [8, 16],
        "anchors": [2, 6],
        "outputs": {"score": "classificators", "box": "regressors"},
    }
    described = manifest(decoding, {"regressors": (1, 896, 16), "classificators": (1, 896, 1)}, size=(128, 128))
    outputs = {"regressors": np.zeros((1, 896, 16), np.float32), "classificators": np.full((1, 896, 1), -9, np.float32)}
    for at in (2 * 16 * 3 + 2 * 5 + 1, 512 + 6 * 8 * 2 + 6 * 7 + 4):  # row 3, column 5; then row 2, column 7
        outputs["classificators"][0, at] = 2.0
        outputs["regressors"][0, at, :4] = [1, -2, 20, 30]
    found = decoder(described)(outputs, 0.5)
    centres = [(5.5 * 8, 3.5 * 8), (7.5 * 16, 2.5 * 16)]
    assert np.allclose(found.boxes, [[x + 1 - 10, y - 2 - 15, x + 1 + 10, y - 2 + 15] for x, y in centres])
    assert np.allclose(found.scores, 1 / (1 + math.exp(-2))) and found.points is None


@pytest.mark.parametrize(
    "name", sorted(path.name for path in MANIFESTS.glob("*.json") if '"face-detector"' in path.read_text())
)
def test_the_manifests_in_the_documentation_are_read(name: str) -> None:
    described = Manifest.from_json((MANIFESTS / name).read_text())
    decode = decoder(described)
    outputs = {spec.name: np.zeros(spec.shape, np.float32) for spec in described.outputs}
    assert len(decode(outputs, 0.6).scores) == 0
    assert json.loads(described.to_json())["decoding"]["kind"] == described.decoding["kind"]


@pytest.mark.parametrize(
    ("decoding", "says"),
    [
        ({}, "manifest.decoding lacks kind, strides"),
        ({"kind": "ssd"}, "valid: cells, yunet, blazeface"),
        ({"strides": []}, "strides is"),
        ({"strides": [8, 0]}, "strides is"),
        ({"strides": [10]}, "stride 10 does not divide"),
        ({"strides": [8]}, r"output box has shape .1, 126, 4.*needs .1, 96, 4|output score"),
        ({"score_threshold": 1.5}, "score_threshold is 1.5; valid: 0 to 1"),
        ({"anchors": [1]}, "anchors is"),
        ({"threshold": 0.5}, "unknown key 'threshold'; valid keys: kind, strides"),
        ({"outputs": {"score": "gone"}}, "needs an output 'score'.*ITS NAME"),
    ],
)
def test_a_decoding_that_does_not_fit_is_explained(decoding: dict, says: str) -> None:
    described = cells()
    made = {**described.decoding, **decoding} if decoding else {}
    outputs = {spec.name: spec.shape for spec in described.outputs}
    with pytest.raises(ManifestInvalid, match=says):
        decoder(manifest(made, outputs))


def test_the_defaults_of_a_decoding() -> None:
    found = Decoding.of(cells())
    assert (found.score_threshold, found.nms_iou, found.nms) == (0.5, 0.4, "best")


boxes = arrays.arrays(np.float32, st.tuples(st.integers(0, 25), st.just(4)), elements=st.integers(0, 40).map(float))


@given(boxes, st.floats(0.05, 0.95), st.integers(1, 30), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_suppression_is_the_textbooks(raw: np.ndarray, iou: float, most: int, random: object) -> None:
    made = np.concatenate([np.minimum(raw[:, :2], raw[:, 2:]), np.maximum(raw[:, :2], raw[:, 2:])], axis=1)
    scores = np.array([random.randint(0, 9) / 10 for _ in made], np.float32)
    kept: list[int] = []
    for at in sorted(range(len(made)), key=lambda at: (-scores[at], at)):
        if all(_iou(made[at], made[other]) <= iou for other in kept):
            kept.append(at)
    groups = suppress(made, scores, iou, most)
    assert [int(group[0]) for group in groups] == kept[:most]
    if most >= len(kept):
        assert sorted(int(at) for group in groups for at in group) == list(range(len(made)))


def _iou(first: np.ndarray, second: np.ndarray) -> np.float32:
    return overlaps(first, second[None])[0]


def test_overlap_by_hand() -> None:
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 3]], np.float32)
    assert np.allclose(overlaps(box, others), [1, 50 / 150, 0, 4 / 100, 0])
