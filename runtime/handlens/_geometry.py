"""Where pixels go: fitting one rectangle into another, in integers, and the transform between their coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import ImageShapeError


@dataclass(frozen=True, slots=True)
class Transform:
    """From pixels of an image to pixels of its letterboxed copy: x' = x * scale_x + left, y' = y * scale_y + top.

    The two scales differ by the rounding of the inner size to whole pixels.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float

    def forward(self, coordinates: ArrayLike) -> NDArray[np.float64]:
        """Maps image coordinates (..., 2n), x and y in turn (points, boxes, landmarks), into the letterboxed copy."""
        pairs, shape = _pairs(coordinates)
        return (pairs * self._scale + self._shift).reshape(shape)

    def inverse(self, coordinates: ArrayLike) -> NDArray[np.float64]:
        """Maps coordinates (..., 2n) of the letterboxed copy back to the image; may lie outside of it."""
        pairs, shape = _pairs(coordinates)
        return ((pairs - self._shift) / self._scale).reshape(shape)

    def back(self, pairs: Sequence[float]) -> list[float]:
        """What `inverse` gives for x and y in turn, of a few numbers and so without arrays: a fifth of the time."""
        scales, shifts = (self.scale_x, self.scale_y), (self.left, self.top)
        return [(value - shifts[index % 2]) / scales[index % 2] for index, value in enumerate(pairs)]

    @property
    def _scale(self) -> NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y])

    @property
    def _shift(self) -> NDArray[np.float64]:
        return np.array([self.left, self.top])


def fit_inside(height: int, width: int, into_height: int, into_width: int) -> tuple[int, int, Transform]:
    """Returns the inner (height, width) of a letterbox and its transform; halves round up, odd borders end larger."""
    if into_height * width <= into_width * height:
        rows, columns = into_height, max(1, _divide(width * into_height, height))
    else:
        rows, columns = max(1, _divide(height * into_width, width)), into_width
    left, top = (into_width - columns) // 2, (into_height - rows) // 2
    return rows, columns, Transform(columns / width, rows / height, float(left), float(top))


def centre_box(height: int, width: int, like_height: int, like_width: int) -> tuple[int, int, int, int]:
    """Returns the largest centred (x1, y1, x2, y2) with the aspect of another size; sizes round half up."""
    if like_width * height <= like_height * width:
        rows, columns = height, max(1, _divide(height * like_width, like_height))
    else:
        rows, columns = max(1, _divide(width * like_height, like_width)), width
    left, top = (width - columns) // 2, (height - rows) // 2
    return left, top, left + columns, top + rows


def clip_box(box: tuple[float, float, float, float], height: int, width: int) -> tuple[int, int, int, int]:
    """Returns the whole pixels that a box (x1, y1, x2, y2) touches inside an image.

    Raises:
        ImageShapeError: the box is not four finite numbers, or touches no pixel.
    """
    values: Any = tuple(box)
    if len(values) != 4 or not all(math.isfinite(value) for value in values):
        raise ImageShapeError(f"box is {values}; expected four finite numbers (x1, y1, x2, y2)")
    x1, y1 = max(0, math.floor(values[0])), max(0, math.floor(values[1]))
    x2, y2 = min(width, math.ceil(values[2])), min(height, math.ceil(values[3]))
    if x1 >= x2 or y1 >= y2 or values[0] >= values[2] or values[1] >= values[3]:
        raise ImageShapeError(f"box {values} lies outside of the {width} x {height} image, or is empty")
    return x1, y1, x2, y2


def _divide(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _pairs(coordinates: ArrayLike) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    array = np.asarray(coordinates, np.float64)
    if array.ndim < 1 or array.shape[-1] % 2 or not array.shape[-1]:
        raise ImageShapeError(f"coordinates have shape {array.shape}; expected x and y in turn along the last axis")
    return array.reshape(*array.shape[:-1], -1, 2), array.shape
