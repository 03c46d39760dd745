"""Five points of a face onto five points of a template: the similarity, and the sampling in exact integers.

The similarity is the least-squares one without reflection (Umeyama 1991; in the plane it has a closed form). It is
computed in float64, operation by operation in the order written here, then rounded to whole units of 2^-24, so that
another language gets the same integers; everything after that is integer arithmetic.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import ImageShapeError

Pixels = NDArray[np.uint8]

LIMIT = 1e6  # pixels: no image that is read is wider, and all sums stay exact
_FINEST, _COARSEST = 1 / 8_192, 1_000.0  # pixels of the target for one of the source
_UNIT = 24  # fraction bits of the matrix
_WEIGHT = 10  # fraction bits of a sampling position


@dataclass(frozen=True, slots=True)
class Similarity:
    """x' = a * x - b * y + tx, y' = b * x + a * y + ty: rotation and one scale, then a shift."""

    a: float
    b: float
    tx: float
    ty: float

    @property
    def scale(self) -> float:
        """Pixels of the target for one pixel of the source."""
        return math.sqrt(self.a * self.a + self.b * self.b)

    def forward(self, points: ArrayLike) -> NDArray[np.float64]:
        """Maps points (..., 2) into the target."""
        x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        return np.stack([self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty], axis=-1)

    def inverse(self) -> "Similarity":
        """Returns the similarity that leads back."""
        square = self.a * self.a + self.b * self.b
        a, b = self.a / square, -self.b / square
        return Similarity(a, b, b * self.ty - a * self.tx, -b * self.tx - a * self.ty)


def fit_similarity(source: ArrayLike, target: Sequence[float]) -> Similarity:
    """The similarity that brings points nearest (in squared distance, in the target) to others.

    Args:
        source: (N, 2), x and y.
        target: 2 N numbers, x and y in turn.

    Raises:
        ImageShapeError: not N points, numbers that are not finite or beyond a million, or points that coincide.
    """
    array = np.asarray(source, np.float64)
    count = len(target) // 2
    if array.shape != (count, 2) or not np.isfinite(array).all() or float(np.abs(array).max()) > LIMIT:
        raise ImageShapeError(
            f"points are {_show(source)}; expected {count} pairs of finite pixel coordinates, within a million"
        )
    xs, ys = [float(x) for x in array[:, 0]], [float(y) for y in array[:, 1]]
    us, vs = [float(u) for u in target[0::2]], [float(v) for v in target[1::2]]
    x0, y0, u0, v0 = (_mean(values) for values in (xs, ys, us, vs))
    square = along = across = 0.0
    for x, y, u, v in zip(xs, ys, us, vs, strict=True):
        x, y, u, v = x - x0, y - y0, u - u0, v - v0
        square += x * x + y * y
        along += x * u + y * v
        across += x * v - y * u
    if square == 0 or not _FINEST <= math.hypot(along, across) / square <= _COARSEST:
        raise ImageShapeError(f"points are {_show(source)}: too close to each other or too far apart for a face")
    a, b = along / square, across / square
    return Similarity(a, b, u0 - (a * x0 - b * y0), v0 - (b * x0 + a * y0))


def warp(image: Pixels, similarity: Similarity, height: int, width: int) -> Pixels:
    """Samples an image at the places that a similarity maps onto the pixels of a result.

    Where the image is at least twice as fine as the result, it is first averaged over blocks of k x k pixels, k the
    whole part of the ratio. Then each result pixel is the bilinear mean of four, weights in 1/1024; halves round up.
    What lies outside of the image counts as 0.

    Args:
        image: uint8 (H, W, C).
        similarity: from pixels of the image to pixels of the result.
        height: of the result.
        width: of the result.

    Returns:
        uint8 (height, width, C).
    """
    block, matrix = fixed(similarity)
    rows, columns = _positions(matrix, height, width)
    pixels, top, left = _blocks(image, block, rows, columns)
    return _bilinear(pixels, rows - (top << _WEIGHT), columns - (left << _WEIGHT))


def fixed(similarity: Similarity) -> tuple[int, tuple[int, int, int, int]]:
    """The way back, in integers: the side of a block in pixels, and a, b, tx, ty of the inverse in 2^-24 blocks."""
    back = similarity.inverse()
    block = max(1, math.floor(back.scale))
    a, b, tx, ty = (math.floor(v / block * 2**_UNIT + 0.5) for v in (back.a, back.b, back.tx, back.ty))
    return block, (a, b, tx, ty)


def _positions(
    matrix: tuple[int, int, int, int], height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column (height, width) of each result pixel's centre, in 1/1024 of a block, 0 the first one's centre."""
    a, b, tx, ty = matrix
    x, y = 2 * np.arange(width, dtype=np.int64) + 1, 2 * np.arange(height, dtype=np.int64)[:, None] + 1
    # Twice the position, less the half block between a block's corner and its centre.
    columns = a * x - b * y + (2 * tx - 2**_UNIT)
    rows = b * x + a * y + (2 * ty - 2**_UNIT)
    shift = _UNIT + 1 - _WEIGHT
    half = 1 << (shift - 1)
    return (rows + half) >> shift, (columns + half) >> shift


def _blocks(image: Pixels, block: int, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[Pixels, int, int]:
    """Averages of the blocks that the positions touch, and the first one's row and column; beyond the image is 0."""
    bounds = []
    for positions, size in ((rows, image.shape[0]), (columns, image.shape[1])):
        last = -(-size // block)
        first = min(max(int(positions.min()) >> _WEIGHT, 0), last - 1)
        bounds.append((first, min(max((int(positions.max()) >> _WEIGHT) + 2, first + 1), last)))
    (top, bottom), (left, right) = bounds
    part = image[top * block : bottom * block, left * block : right * block]
    if block == 1:
        return part, top, left
    sums: Any = np.add.reduceat(part, np.arange(0, part.shape[0], block), axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, np.arange(0, part.shape[1], block), axis=1)
    area = block * block
    return ((2 * sums + area) // (2 * area)).astype(np.uint8), top, left


def _bilinear(pixels: Pixels, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Pixels:
    height, width, channels = pixels.shape
    # A border of 0 on each side; whatever lies farther out reads from it too.
    framed = np.zeros((height + 2, width + 2, channels), np.int32)
    framed[1:-1, 1:-1] = pixels
    flat = framed.reshape(-1, channels)  # one index a pixel is quicker than two
    row, column = np.clip((rows >> _WEIGHT) + 1, -1, height + 1), np.clip((columns >> _WEIGHT) + 1, -1, width + 1)
    one = 1 << _WEIGHT
    down = (rows & (one - 1)).astype(np.int32)[..., None]
    right = (columns & (one - 1)).astype(np.int32)[..., None]
    above, below = (np.clip(each, 0, height + 1) * (width + 2) for each in (row, row + 1))
    first, second = np.clip(column, 0, width + 1), np.clip(column + 1, 0, width + 1)
    upper = flat.take(above + first, axis=0) * (one - right) + flat.take(above + second, axis=0) * right
    lower = flat.take(below + first, axis=0) * (one - right) + flat.take(below + second, axis=0) * right
    total = upper * (one - down) + lower * down
    result: Pixels = ((total + (1 << (2 * _WEIGHT - 1))) >> (2 * _WEIGHT)).astype(np.uint8)
    return result


def _mean(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def _show(value: object) -> str:
    return " ".join(repr(value).split())[:120]
