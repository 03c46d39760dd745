"""Alignment: five points come to lie on the template, and the pixels are the same integers in every language."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handlens._align import Similarity, fit_similarity, fixed, warp
from handlens.errors import ImageShapeError, ManifestInvalid
from handlens.golden import generate
from handlens.image import align, place, prepare, preprocess
from handlens.manifest import InputSpec

VECTORS = json.loads((Path(__file__).parents[1] / "golden" / "align.json").read_text())
ARCFACE = tuple(VECTORS[0]["template"])
POINTS = np.array(ARCFACE).reshape(5, 2)
coordinates = st.floats(-200, 200, width=32)


def spec(**changes: object) -> InputSpec:
    fields = {"name": "face", "height": 112, "width": 112, "channels": 3, "scale": (1.0,) * 3, "offset": (0.0,) * 3}
    return InputSpec(**{**fields, "geometry": "align", "template": ARCFACE, **changes})


def slowly(image: np.ndarray, block: int, matrix: tuple[int, ...], side: int) -> np.ndarray:
    """Steps 4 and 5 of docs/artifact-format.md, a pixel at a time, in Python's integers."""
    height, width, channels = image.shape
    a, b, tx, ty = matrix

    def pixel(row: int, column: int, channel: int) -> int:
        rows = range(max(row * block, 0), min(row * block + block, height))
        columns = range(max(column * block, 0), min(column * block + block, width))
        total = sum(int(image[y, x, channel]) for y in rows for x in columns)
        return (2 * total + block * block) // (2 * block * block)

    result = np.zeros((side, side, channels), np.uint8)
    for y in range(side):
        for x in range(side):
            column = (a * (2 * x + 1) - b * (2 * y + 1) + 2 * tx - 2**24 + 2**14) >> 15
            row = (b * (2 * x + 1) + a * (2 * y + 1) + 2 * ty - 2**24 + 2**14) >> 15
            right, down, i, j = column & 1023, row & 1023, row >> 10, column >> 10
            for channel in range(channels):
                upper = pixel(i, j, channel) * (1024 - right) + pixel(i, j + 1, channel) * right
                lower = pixel(i + 1, j, channel) * (1024 - right) + pixel(i + 1, j + 1, channel) * right
                result[y, x, channel] = (upper * (1024 - down) + lower * down + 2**19) >> 20
    return result


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['generator']} {row['seed']}")
def test_the_recorded_vectors_come_out(row: dict) -> None:
    image = generate(row["generator"], row["seed"], row["height"], row["width"], 3)
    assert [row["block"], row["matrix"]] == [*map(_plain, fixed(fit_similarity(row["points"], row["template"])))]
    found = align(image, row["points"], spec(height=row["size"], width=row["size"], template=tuple(row["template"])))
    assert found[row["size"] // 2, ::16].reshape(-1).tolist() == row["row"]
    assert hashlib.sha256(found.tobytes()).hexdigest() == row["sha256"]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_the_vectors_cover_turned_faces_both_kinds_of_sampling_and_the_outside() -> None:
    assert {row["block"] > 1 for row in VECTORS} == {True, False}
    assert any(row["matrix"][0] < 0 for row in VECTORS) and any(min(map(min, row["points"])) < 0 for row in VECTORS)
    assert any(0 in row["row"] for row in VECTORS)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14), st.just(2))),
    st.floats(-3, 3),
    st.floats(0.05, 3),
    st.floats(-10, 10),
    st.floats(-10, 10),
)
@settings(max_examples=40, deadline=None)
def test_sampling_is_what_the_documentation_says(
    image: np.ndarray, turn: float, scale: float, left: float, top: float
) -> None:
    similarity = Similarity(scale * math.cos(turn), scale * math.sin(turn), left, top)
    block, matrix = fixed(similarity)
    assert np.array_equal(warp(image, similarity, 6, 6), slowly(image, block, matrix, 6))


@given(st.floats(-math.pi, math.pi), st.floats(0.02, 50), coordinates, coordinates)
@settings(max_examples=60, deadline=None)
def test_a_similarity_is_found_again_from_five_points(turn: float, scale: float, x: float, y: float) -> None:
    true = Similarity(scale * math.cos(turn), scale * math.sin(turn), x, y)
    found = fit_similarity(true.inverse().forward(POINTS), ARCFACE)
    assert np.allclose(found.forward(true.inverse().forward(POINTS)), POINTS, atol=1e-6)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert np.allclose(found.inverse().forward(found.forward(POINTS)), POINTS, atol=1e-6)


@given(arrays.arrays(np.float64, (5, 2), elements=st.floats(0, 300)))
@settings(max_examples=60, deadline=None)
def test_it_is_the_least_squares_one(points: np.ndarray) -> None:
    """Against a general solver: x' = a x - b y + tx, y' = b x + a y + ty is linear in a, b, tx, ty."""
    try:
        found = fit_similarity(points, ARCFACE)
    except ImageShapeError:
        return
    x, y, one, zero = points[:, 0], points[:, 1], np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    target = POINTS.T.reshape(-1)
    best = np.linalg.lstsq(system, target, rcond=None)[0]
    mine = np.array([found.a, found.b, found.tx, found.ty])
    assert np.sum((system @ mine - target) ** 2) <= np.sum((system @ best - target) ** 2) + 1e-6


def test_a_face_that_lies_on_the_template_keeps_its_pixels() -> None:
    image = generate("face", 1, 112, 112, 3)
    assert np.array_equal(align(image, POINTS, spec()), image)
    wide = np.pad(image, ((5, 9), (7, 11), (0, 0)))
    assert np.array_equal(align(wide, POINTS + [7, 5], spec()), image)


def test_a_marked_face_comes_to_lie_on_the_template_whatever_its_size_and_turn() -> None:
    for scale, turn in ((0.6, 0.3), (1.7, -0.5), (3.4, 0.2), (7.0, 1.0)):
        there = Similarity(scale * math.cos(turn), scale * math.sin(turn), 300, 300).forward(POINTS - POINTS.mean(0))
        image = np.zeros((900, 900, 3), np.uint8)
        y, x = np.mgrid[:900, :900] + 0.5
        for number, (px, py) in enumerate(there):
            image[(x - px) ** 2 + (y - py) ** 2 <= (4 * scale) ** 2] = 50 * (number + 1)
        found = align(image, there, spec())
        for number, (px, py) in enumerate(POINTS):
            assert abs(int(found[int(py), int(px), 0]) - 50 * (number + 1)) <= 2, (scale, turn, number)


def test_what_lies_outside_is_black() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    found = align(white, POINTS * 0.2, spec())
    inside = align(white, POINTS * 0.2 + 8, spec())
    assert 50 < found[0, 0, 0] < 200 and found[-1, -1, 0] == 255 and inside.min() == 255
    assert align(white, POINTS + 500, spec()).max() == 0
    assert align(white, POINTS * 40 + 500, spec()).max() == 0


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 7.5),
        np.zeros((4, 2)),
        np.full((5, 2), np.nan),
        POINTS * 1e7,
        POINTS * 9e3,
        POINTS[:, ::-1] * [1, -1] * 1e-7,
        "no points",
    ],
)
def test_points_that_are_no_face_are_refused(points: object) -> None:
    with pytest.raises((ImageShapeError, ValueError)):
        align(np.zeros((20, 20, 3), np.uint8), points, spec())


def test_an_aligned_input_wants_points_and_the_others_do_not() -> None:
    image = generate("face", 1, 60, 50, 3)
    with pytest.raises(ImageShapeError, match=r"five points.*FaceDetector.*prepare\(image, spec, points\)"):
        prepare(image, spec())
    with pytest.raises(ImageShapeError, match="geometry resize; only align takes points"):
        prepare(image, spec(geometry="resize", template=()), POINTS)
    with pytest.raises(ImageShapeError, match=r"prepare\(image, spec, points\)"):
        place(image, spec())
    assert preprocess(image, spec(), POINTS * 0.4).shape == (1, 112, 112, 3)


def test_colours_reach_the_tensor_in_the_order_of_the_spec() -> None:
    image = generate("face", 1, 112, 112, 3)
    bgr = prepare(image, spec(colour="BGR"), POINTS)
    assert np.array_equal(bgr[..., ::-1], image) and bgr.flags.c_contiguous
    tensor = preprocess(image, spec(colour="BGR", scale=(1.0, 2.0, 3.0), layout="NCHW"), POINTS)
    assert np.array_equal(tensor[0], image[..., ::-1].transpose(2, 0, 1) * np.array([1, 2, 3])[:, None, None])
    grey = prepare(image, spec(colour="GREY", channels=1, scale=(1.0,), offset=(0.0,)), POINTS)
    assert grey.shape == (112, 112, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"template": ()}, "template has 0 numbers with geometry align"),
        ({"template": ARCFACE[:8]}, "template has 8 numbers"),
        ({"geometry": "resize"}, "template has 10 numbers with geometry resize"),
        ({"colour": "BGR", "channels": 1}, "channels is 1 with colour BGR"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes: dict, says: str) -> None:
    with pytest.raises(ManifestInvalid, match=says):
        spec(**changes)


@pytest.mark.parametrize("geometry", ["resize", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(40, 90), (90, 40), (64, 64), (17, 23)])
def test_place_says_where_the_pixels_went(geometry: str, size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    y, x = size[0] // 2, size[1] // 2
    image[y - 2 : y + 2, x - 2 : x + 2] = 255
    made = spec(height=64, width=64, geometry=geometry, template=())
    pixels, transform = place(image, made)
    assert np.array_equal(pixels, prepare(image, made))
    rows, columns = np.nonzero(pixels[..., 0] > 200)
    middle = transform.forward([x, y])
    assert abs(columns.mean() + 0.5 - middle[0]) < 1.5 and abs(rows.mean() + 0.5 - middle[1]) < 1.5
