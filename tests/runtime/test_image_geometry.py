"""Resize, letterbox and crop: exact, and where the pixels go."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import _resize
from handlens.errors import ImageShapeError
from handlens.image import crop, letterbox, resize, to_grey

side = st.integers(1, 40)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def area_average(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The average over each new pixel's area, by fractions, halves up."""

    def cover(old: int, new: int) -> list[list[Fraction]]:
        size = Fraction(old, new)
        return [
            [max(Fraction(0), min((i + 1) * size, j + 1) - max(i * size, j)) for j in range(old)] for i in range(new)
        ]

    rows, columns = cover(image.shape[0], height), cover(image.shape[1], width)
    area = Fraction(image.shape[0], height) * Fraction(image.shape[1], width)
    result = np.zeros((height, width, image.shape[2]), np.uint8)
    for place in np.ndindex(result.shape):
        y, x, c = place
        total = sum(
            (
                rows[y][i] * columns[x][j] * int(image[i, j, c])
                for i in range(len(rows[y]))
                for j in range(len(columns[x]))
            ),
            Fraction(0),
        )
        result[place] = (total / area + Fraction(1, 2)).__floor__()
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 9), st.integers(0, 9), st.sampled_from([1, 3]))
def test_shrinking_is_the_exact_area_average(height, width, more_rows, more_columns, channels):
    image = noise(2 * height + more_rows, 2 * width + more_columns, channels)
    assert np.array_equal(resize(image, height, width), area_average(image, height, width))


@settings(max_examples=60, deadline=None)
@given(side, side, side, side, st.sampled_from([1, 3]))
def test_the_lean_way_for_large_images_gives_the_same_bytes(rows, columns, height, width, channels):
    image = noise(rows, columns, channels)
    usual = resize(image, height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_resize, "_TABLE_PIXELS", 0)
        assert np.array_equal(resize(image, height, width), usual)
    assert usual.shape == (height, width, channels) and usual.dtype == np.uint8


def test_a_large_image_does_not_overflow():
    image = np.full((3_000, 2_500, 3), 255, np.uint8)
    assert resize(image, 64, 32).min() == 255
    assert resize(image[:, :900], 64, 32).min() == 255


@settings(max_examples=60, deadline=None)
@given(side, side, side, side)
def test_enlarging_is_opencv_bit_exact_linear(rows, columns, height, width):
    height, width = max(height, rows // 2 + 1), max(width, columns // 2 + 1)
    image = noise(rows, columns)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    assert np.array_equal(resize(image, height, width), expected)


def test_the_same_size_changes_nothing_and_a_view_is_taken_as_it_looks():
    image = noise(16, 8)
    assert np.array_equal(resize(image, 16, 8), image)
    assert np.array_equal(resize(image[::-1, ::2], 4, 2), resize(image[::-1, ::2].copy(), 4, 2))


@settings(max_examples=100, deadline=None)
@given(side, side, side, side, st.integers(0, 255))
def test_a_letterbox_keeps_the_aspect_fills_the_rest_and_inverts(rows, columns, height, width, fill):
    image = noise(rows, columns) // 2 + 64
    boxed, transform = letterbox(image, height, width, fill)
    assert boxed.shape == (height, width, 3)
    (x1, y1), (x2, y2) = transform.forward([[0, 0], [columns, rows]])
    inner = boxed[round(y1) : round(y2), round(x1) : round(x2)]
    assert min(inner.shape) > 0 and (inner.shape[0] == height or inner.shape[1] == width)
    assert abs(inner.shape[0] * columns - inner.shape[1] * rows) <= max(rows, columns)
    assert np.array_equal(inner, resize(image, *inner.shape[:2]))
    border = np.ones((height, width), bool)
    border[round(y1) : round(y2), round(x1) : round(x2)] = False
    assert (boxed[border] == fill).all()
    box = np.array([[0.5, 1.25, columns - 0.5, rows + 3.0]])
    assert np.allclose(transform.inverse(transform.forward(box)), box)


def test_a_letterbox_is_centred():
    boxed, transform = letterbox(np.full((10, 20, 3), 200, np.uint8), 20, 20)
    assert (transform.left, transform.top) == (0, 5)
    assert (boxed[:5] == 114).all() and (boxed[5:15] == 200).all() and (boxed[15:] == 114).all()


corner = st.floats(-30, 60)


@settings(max_examples=150, deadline=None)
@given(side, side, corner, corner, corner, corner)
def test_a_crop_holds_every_pixel_the_box_touches_and_no_other(rows, columns, x1, y1, x2, y2):
    image = np.zeros((rows, columns, 3), np.uint8)
    image[..., 0], image[..., 1] = np.mgrid[0:rows, 0:columns]
    xs = [x for x in range(columns) if x + 1 > x1 and x < x2]
    ys = [y for y in range(rows) if y + 1 > y1 and y < y2]
    if x1 >= x2 or y1 >= y2 or not xs or not ys:
        with pytest.raises(ImageShapeError, match="outside|empty"):
            crop(image, (x1, y1, x2, y2))
        return
    cut = crop(image, (x1, y1, x2, y2))
    assert np.array_equal(cut[:, 0, 0], ys) and np.array_equal(cut[0, :, 1], xs)
    cut[:] = 9
    assert image.max() < 40 or image[ys[0], xs[0], 0] == ys[0]


@pytest.mark.parametrize("box", [(float("nan"), 0, 1, 1), (0, 0, float("inf"), 1), (1, 2, 3), (8, 8, 9, 9)])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(ImageShapeError, match="box"):
        crop(noise(8, 8), box)


@pytest.mark.parametrize("size", [(0, 4), (4, -1)])
def test_a_size_below_one_is_refused(size):
    with pytest.raises(ImageShapeError, match="1 or more"):
        resize(noise(8, 8), *size)
    with pytest.raises(ImageShapeError, match="1 or more"):
        letterbox(noise(8, 8), *size)


def test_grey_is_bt601_and_keeps_greys():
    image = noise(32, 32)
    exact = image.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert to_grey(image).shape == (32, 32, 1)
    assert np.abs(to_grey(image)[:, :, 0] - exact).max() <= 0.51
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_grey(np.dstack([levels] * 3))[:, :, 0], levels)
