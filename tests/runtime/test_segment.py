"""Segmenter: masks come back in the image's own pixels, whatever the geometry; labels, classes and refusals."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from fake_segmenter import CLASSES, bright_segmenter, fixed_segmenter, manifest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens._mask import as_bytes, to_image
from handlens.errors import EngineWrong, ManifestInvalid, OptionError
from handlens.golden import generate
from handlens.image import place
from handlens.segment import Segmentation, Segmenter

VECTORS = json.loads((Path(__file__).parents[1] / "golden" / "mask.json").read_text())
WARM, COOL, DARK = (255, 200, 0), (255, 0, 200), (0, 0, 0)


def picture(height: int, width: int, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A dark image with a box, warm above its middle and cool below, and its labels."""
    labels = np.zeros((height, width), np.uint8)
    x1, y1, x2, y2 = box
    labels[y1 : (y1 + y2) // 2, x1:x2] = 1
    labels[(y1 + y2) // 2 : y2, x1:x2] = 2
    return np.array([DARK, WARM, COOL], np.uint8)[labels], labels


def linear(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """The resampling of docs/artifact-format.md for axes that do not shrink to half, step by step."""

    def steps(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = (1.0 / (new / old)) * (np.arange(new) + 0.5) - 0.5
        first = np.floor(at).astype(int)
        weight = np.where((first < 0) | (first >= old - 1), 0, np.rint((at - first) * 256).astype(int))
        first = np.clip(first, 0, old - 1)
        return first, np.minimum(first + 1, old - 1), weight

    low, high, weight = steps(plane.shape[1], width)
    wide = plane.astype(np.int64)[:, low] * (256 - weight) + plane.astype(np.int64)[:, high] * weight
    low, high, weight = steps(plane.shape[0], height)
    return ((wide[low] * (256 - weight)[:, None] + wide[high] * weight[:, None] + 2**15) >> 16).astype(np.uint8)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['generator']} {row['geometry']}")
def test_the_recorded_vectors_come_out(row: dict) -> None:
    spec = manifest({"mask": (1, *row["map"], 1)}, size=tuple(row["input"]), geometry=row["geometry"]).input
    found = to_image(generate(row["generator"], row["seed"], *row["map"], 1)[:, :, 0], spec, *row["image"])
    height, width = row["image"]
    assert found.shape == (height, width) and found.dtype == np.uint8
    assert found[height // 2, :: max(1, width // 16)].tolist() == row["row"]
    assert hashlib.sha256(found.tobytes()).hexdigest() == row["sha256"]


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(0, 90)] * 4), st.integers(0, 99))
def test_enlarging_is_the_recipe_of_the_format(size, more, seed):
    scores = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    middle = (size[0] + more[0], size[1] + more[1])
    spec = manifest({"mask": (1, *size, 1)}, size=middle, geometry="resize").input
    height, width = middle[0] + more[2], middle[1] + more[3]
    assert np.array_equal(to_image(scores, spec, height, width), linear(linear(scores, *middle), height, width))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["letterbox", "resize", "crop"]), st.data())
def test_a_drawn_shape_comes_back_within_a_pixel(geometry, data):
    height, width = data.draw(st.integers(24, 160)), data.draw(st.integers(24, 160))
    x1, x2 = sorted(data.draw(st.tuples(*[st.integers(0, width)] * 2)))
    y1, y2 = sorted(data.draw(st.tuples(*[st.integers(0, height)] * 2)))
    image, labels = picture(height, width, (x1, y1, x2, y2))
    with bright_segmenter(geometry) as segmenter:
        found, spec = segmenter.segment(image), segmenter.manifest.input
    assert found.alpha.shape == found.labels.shape == (height, width)
    assert np.array_equal(found.labels > 0, found.mask())
    _, transform = place(image, spec)
    # A pixel of the input is what can be resolved: in the image it may be several.
    reach = 1 + int(np.ceil(max(1 / transform.scale_x, 1 / transform.scale_y)))
    seen = np.ones((height, width), bool)
    if geometry == "crop":
        corners = transform.inverse([0, 0, spec.width, spec.height])
        left, top, right, bottom = (round(value) for value in corners)
        seen[:] = False
        seen[max(top, 0) : bottom, max(left, 0) : right] = True
        assert not found.alpha[~seen].any(), "nothing is said of what was cut off"
    truth = labels > 0
    outer, inner = np.zeros_like(truth), np.zeros_like(truth)
    outer[max(y1 - reach, 0) : y2 + reach, max(x1 - reach, 0) : x2 + reach] = x2 > x1 and y2 > y1
    grow = [0 if edge == end else reach for edge, end in ((y1, 0), (y2, height), (x1, 0), (x2, width))]
    inner[y1 + grow[0] : max(y2 - grow[1], 0), x1 + grow[2] : max(x2 - grow[3], 0)] = True
    assert not (found.mask() & ~outer).any() and not (inner & seen & ~found.mask()).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_the_border_of_the_letterbox_is_cut_off_exactly(height, width):
    spec = manifest({"mask": (1, 48, 64, 1)}).input
    image = np.full((height, width, 3), 255, np.uint8)
    prepared, _ = place(image, spec)
    inside = (prepared[:, :, 0] == 255).astype(np.uint8) * 255  # the border is 114
    assert (to_image(inside, spec, height, width) == 255).all()


def test_labels_are_those_of_the_mask(tmp_path: Path) -> None:
    image, labels = picture(96, 128, (20, 16, 100, 80))
    with bright_segmenter() as segmenter:
        found = segmenter.segment(image)
    assert found.names == CLASSES and set(found.areas()) == {"upper", "lower"}
    assert np.mean(found.labels != labels) < 0.02
    x1, y1, x2, y2 = found.box
    assert max(abs(x1 - 20), abs(y1 - 16), abs(x2 - 100), abs(y2 - 80)) <= 2
    assert found.alpha.dtype == found.labels.dtype == np.uint8
    assert found.to_dict()["areas"]["upper"] == pytest.approx(np.mean(labels == 1), abs=0.01)


def test_the_background_s_score_takes_no_part_inside_the_mask() -> None:
    made = manifest(
        {"mask": (1, 2, 2, 1), "classes": (1, 2, 2, 3)},
        size=(2, 2),
        decoding={"kind": "mask", "labels_of": "classes"},
        labels=CLASSES,
    )
    scores = np.array([[[[9, 0, 1], [9, 2, 2]], [[0, 0, 5], [9, 8, 0]]]])
    mask = np.array([[[[3], [3]], [[-3], [3]]]])
    with fixed_segmenter({"mask": mask, "classes": scores}, made) as segmenter:
        found = segmenter.segment(np.zeros((2, 2, 3), np.uint8))
    assert found.labels.tolist() == [[2, 1], [0, 1]], "ties go to the lower class; outside of the mask is background"


def test_an_image_of_nothing_gives_an_empty_mask() -> None:
    with bright_segmenter() as segmenter:
        found = segmenter.segment(np.zeros((30, 50, 3), np.uint8))
    assert not found.mask().any() and found.box is None and not found.labels.any() and found.areas() == {}
    assert found.to_dict() == {
        "width": 50,
        "height": 30,
        "box": None,
        "areas": {},
        "class": None,
        "confidence": None,
    }


def test_alpha_is_the_probability_in_255_steps() -> None:
    made = manifest({"mask": (1, 1, 3, 1)}, size=(1, 3), geometry="resize")
    with fixed_segmenter({"mask": np.array([-1.0, 0.0, 200.0]).reshape(1, 1, 3, 1)}, made) as segmenter:
        found = segmenter.segment(np.zeros((1, 3, 3), np.uint8))
    assert found.alpha.tolist() == [[round(255 / (1 + np.e)), 128, 255]]
    assert found.mask().tolist() == [[False, True, True]] and found.mask(1.0).tolist() == [[False, False, True]]
    assert found.mask(0.2).all() and found.labels is None and found.areas() == {"foreground": pytest.approx(2 / 3)}
    with pytest.raises(OptionError, match="threshold is 1.5; valid: 0 to 1"):
        found.mask(1.5)


@pytest.mark.parametrize("shape", [(1, 4, 4, 1), (1, 1, 4, 4), (1, 4, 4)])
def test_a_foreign_model_gives_probabilities_under_its_own_name(shape: tuple[int, ...]) -> None:
    decoding = {"kind": "mask", "activation": "none", "outputs": {"mask": "activation_10"}}
    made = manifest({"activation_10": shape}, size=(4, 4), geometry="resize", decoding=decoding, task="matting")
    values = np.linspace(-0.5, 1.5, 16).reshape(shape)
    with fixed_segmenter({"activation_10": values}, made) as segmenter:
        found = segmenter.segment(np.zeros((4, 4, 3), np.uint8))
    assert np.array_equal(found.alpha, as_bytes(np.clip(values.astype(np.float32), 0, 1).astype(float)).reshape(4, 4))


def test_the_class_of_the_image_has_a_name_and_a_confidence() -> None:
    made = manifest(
        {"mask": (1, 2, 2, 1), "class": (1, 3)},
        size=(2, 2),
        decoding={"kind": "mask", "labels_of": "class"},
        labels=("beagle", "pug", "siamese"),
        task="pets",
    )
    answer = {"mask": np.zeros((1, 2, 2, 1)), "class": np.log([[0.1, 0.7, 0.2]])}
    with fixed_segmenter(answer, made) as segmenter:
        found = segmenter.segment(np.zeros((9, 7, 3), np.uint8))
    assert (found.class_name, found.names, found.labels) == ("pug", (), None)
    assert found.confidence == pytest.approx(0.7)


@pytest.mark.parametrize("part", ["mask", "classes"])
def test_an_answer_that_is_not_finite_is_refused(part: str) -> None:
    made = manifest({"mask": (1, 2, 2, 1), "classes": (1, 2, 2, 2)}, size=(2, 2))
    answer = {name: np.zeros(shape) for name, shape in (("mask", (1, 2, 2, 1)), ("classes", (1, 2, 2, 2)))}
    answer[part][0, 0, 0, 0] = np.nan
    with fixed_segmenter(answer, made) as segmenter, pytest.raises(EngineWrong, match=f"output {part} is not finite"):
        segmenter.segment(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": {"seg": (1, 4, 4, 1)}}, "needs an output 'mask'.*the model has {'seg'"),
        ({"outputs": {"mask": (1, 4, 4, 2)}}, "needs an output 'mask' of shape"),
        ({"outputs": {"mask": (1, 4, 4, 1), "classes": (1, 5)}}, "output classes has shape"),
        ({"decoding": {"kind": "mask", "activation": "relu"}}, "activation is 'relu'; valid: sigmoid, none"),
        ({"decoding": {"kind": "mask", "labels_of": "classes"}}, "labels_of is 'classes', which 0 labels do not fit"),
        ({"decoding": {"kind": "mask", "outputs": {"masks": "x"}}}, "names 'masks'; valid: mask, classes, class"),
        ({"decoding": {"kind": "mask", "stride": 4}}, "unknown key 'stride'"),
        ({"geometry": "align"}, "geometry is align; a segmenter takes resize, letterbox, crop"),
    ],
)
def test_a_manifest_that_does_not_fit_says_what_would(changes: dict, message: str) -> None:
    outputs = changes.pop("outputs", {"mask": (1, 4, 4, 1)})
    with pytest.raises(ManifestInvalid, match=message):
        fixed_segmenter({}, manifest(outputs, **changes))


def test_an_artifact_without_masks_is_no_segmenter() -> None:
    with pytest.raises(OptionError, match="fake is for the task 'gender' and says nothing of masks; expected"):
        fixed_segmenter({}, manifest({"gender": (1, 1)}, task="gender", decoding={}))


def test_the_front_door_has_it() -> None:
    import handlens

    assert handlens.Segmenter is Segmenter and handlens.Segmentation is Segmentation
