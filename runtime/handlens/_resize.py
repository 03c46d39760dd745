"""Resizing that gives the same bytes on every machine and in every language."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Sums = NDArray[np.int64]

# Up to this many pixels a table of 32-bit sums is exact and small; above it, memory matters more than time.
_TABLE_PIXELS = 2**22


def resize_pixels(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resizes uint8 (H, W, C): area average along an axis that shrinks to half or less, else bit-exact linear.

    With the average alone a result pixel is `(2 * sum + n) // (2 * n)`, where the sum weighs each source pixel by the
    part of it covered, in whole units of 1 / size, and n is the sum of weights: no floating point, halves round up.
    The average comes first where one axis shrinks so and the other does not.
    """
    rows, columns, channels = pixels.shape
    inner = (height if rows >= 2 * height else rows, width if columns >= 2 * width else columns)
    if inner != (rows, columns):
        sums = _area_sums(pixels, *inner) if rows * columns <= _TABLE_PIXELS else _area_sums_lean(pixels, *inner)
        weight = rows * columns
        pixels = ((2 * sums + weight) // (2 * weight)).astype(np.uint8)
    if inner != (height, width):
        resized: Any = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
        pixels = resized.reshape(height, width, channels)
    return np.ascontiguousarray(pixels)


def _area_sums(pixels: Pixels, height: int, width: int) -> Sums:
    """Returns int64 (height, width, C): covered area by value, in units of 1 / (height * width) of a pixel.

    A table of sums over all pixels above and to the left is linear between whole coordinates, so its values at
    fractional ones, and from them the sum over any rectangle, are exact integers.
    """
    rows, columns, channels = pixels.shape
    table: Any = cv2.integral(pixels).reshape(rows + 1, columns + 1, channels)
    return _between(_between(table, height).transpose(1, 0, 2), width).transpose(1, 0, 2)


def _between(table: NDArray[Any], size: int) -> Sums:
    """Returns (size, W, C): differences along the first axis of a table of sums, at `size` even steps, times `size`."""
    rows = len(table) - 1
    edges = np.arange(size + 1) * rows
    whole, part = edges // size, (edges % size)[:, None, None]
    at = table[whole] * (size - part) + table[np.minimum(whole + 1, rows)] * part
    return np.asarray(np.diff(at, axis=0), np.int64)


def _area_sums_lean(pixels: Pixels, height: int, width: int) -> Sums:
    """Returns what `_area_sums` does, a row of the result at a time."""
    rows = len(pixels)
    result = np.empty((height, width, pixels.shape[2]), np.int64)
    for index in range(height):
        first, head = divmod(index * rows, height)
        last, tail = divmod((index + 1) * rows, height)
        line = np.add.reduce(pixels[first:last], axis=0, dtype=np.int64) * height
        line -= pixels[first].astype(np.int64) * head
        if tail:
            line += pixels[last].astype(np.int64) * tail
        table = np.concatenate([np.zeros_like(line[:1]), np.cumsum(line, axis=0)])
        result[index] = _between(table[:, None, :], width)[:, 0]
    return result
