"""Resizing that gives the same bytes on every machine and in every language."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Sums = NDArray[np.uint32] | NDArray[np.int64]

# Up to this many pixels all sums of a result pixel fit into 32 bits; above it, memory matters more than time.
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
        sums: Sums = _area_sums(pixels, *inner) if rows * columns <= _TABLE_PIXELS else _area_sums_lean(pixels, *inner)
        weight = rows * columns
        sums *= sums.dtype.type(2)
        sums += sums.dtype.type(weight)
        pixels = (sums // sums.dtype.type(2 * weight)).astype(np.uint8)
    if inner != (height, width):
        resized: Any = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
        pixels = resized.reshape(height, width, channels)
    return np.ascontiguousarray(pixels)


def _area_sums(pixels: Pixels, height: int, width: int) -> NDArray[np.uint32]:
    """Returns uint32 (height, width, C): covered area by value, in units of 1 / (height * width) of a pixel.

    A table of sums over all pixels above and to the left is linear between whole coordinates, so its values at
    fractional ones, and from them the sum over any rectangle, are exact integers. Values on the way overflow; as 32-bit
    arithmetic wraps around and a result is below 2^32, that does it no harm.
    """
    rows, columns, channels = pixels.shape
    table: Any = cv2.integral(pixels).reshape(rows + 1, columns + 1, channels).view(np.uint32)
    return _between(_between(table, height, 0), width, 1)


def _between(table: NDArray[Any], size: int, axis: int) -> NDArray[Any]:
    """Returns differences along an axis of a table of sums, at `size` even steps, times `size`; in its dtype."""
    last = table.shape[axis] - 1
    if last % size == 0:
        steps = table[:: last // size] if axis == 0 else table[:, :: last // size]
        whole_steps: NDArray[Any] = np.diff(steps, axis=axis) * table.dtype.type(size)
        return whole_steps
    edges = np.arange(size + 1) * last
    whole = edges // size
    part = (edges % size).astype(table.dtype).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    at = np.take(table, whole, axis)
    at *= table.dtype.type(size) - part
    beyond = np.take(table, np.minimum(whole + 1, last), axis)
    beyond *= part
    at += beyond
    return np.diff(at, axis=axis)


def _area_sums_lean(pixels: Pixels, height: int, width: int) -> NDArray[np.int64]:
    """Returns what `_area_sums` does, in int64, a row of the result at a time."""
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
        result[index] = _between(table[:, None, :], width, 0)[:, 0]
    return result
