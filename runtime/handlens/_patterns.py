"""Procedural images for golden inputs: integer arithmetic only, so that any language makes the same bytes.

All numbers come from SplitMix64 (Steele, Lea, Flood 2014): output i (from 0) for a seed is mix(seed + (i + 1) *
0x9E3779B97F4A7C15) modulo 2^64; a draw below n is (output >> 33) % n, and draws are taken in the order the code asks
for them. A pixel (x, y) of a W x H image has coordinates u = (2x + 1) * 512 // W and v = (2y + 1) * 512 // H, 0..1023
each. "//" is floor division and ">>" the arithmetic shift. Colours are drawn as R, G, B; a grey image takes (299 R +
587 G + 114 B + 500) // 1000 at the end.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.int64]

_STEP = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


class Draws:
    """The stream of numbers for one image."""

    def __init__(self, seed: int) -> None:
        """Starts the stream of `seed` (0 to 2^63 - 1)."""
        self._state = seed & _MASK

    def below(self, bound: int) -> int:
        """The next number, 0 <= n < bound."""
        self._state = (self._state + _STEP) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 33) % bound

    def between(self, low: int, high: int) -> int:
        """The next number, low <= n <= high."""
        return low + self.below(high - low + 1)

    def colour(self, low: int = 0, high: int = 255) -> Grid:
        """The next three numbers as a colour (3,), each low <= n <= high."""
        return np.array([self.between(low, high) for _ in range(3)], np.int64)


def render(generator: str, seed: int, height: int, width: int) -> Grid:
    """Draws a pattern.

    Returns:
        (H, W, 3) RGB, 0..255.
    """
    u = (2 * np.arange(width, dtype=np.int64) + 1) * 512 // width
    v = (2 * np.arange(height, dtype=np.int64) + 1) * 512 // height
    shape = (height, width)
    image = PATTERNS[generator](Draws(seed), np.broadcast_to(u, shape), np.broadcast_to(v[:, None], shape))
    return np.clip(image, 0, 255)


def _gradient(draws: Draws, u: Grid, v: Grid) -> Grid:
    first, second = draws.colour(), draws.colour()
    along = (u, v, (u + v) // 2, (u + 1023 - v) // 2)[draws.below(4)][..., None]
    return (first * (1023 - along) + second * along) // 1023


def _stripes(draws: Draws, u: Grid, v: Grid) -> Grid:
    first, second = draws.colour(), draws.colour()
    dx, dy, period = draws.between(-8, 8), draws.between(1, 8), draws.between(40, 200)
    band = ((u * dx + v * dy) // 8 // period) % 2
    return np.where(band[..., None] == 0, first, second)


def _noise(draws: Draws, u: Grid, v: Grid) -> Grid:
    total = np.zeros((*u.shape, 3), np.int64)
    for cells, weight in ((3, 8), (6, 4), (12, 2), (24, 1)):
        lattice = np.stack([draws.colour() for _ in range((cells + 1) ** 2)]).reshape(cells + 1, cells + 1, 3)
        column, row = (u * cells) >> 10, (v * cells) >> 10
        fx, fy = ((u * cells) & 1023)[..., None], ((v * cells) & 1023)[..., None]
        top = lattice[row, column] * (1024 - fx) + lattice[row, column + 1] * fx
        bottom = lattice[row + 1, column] * (1024 - fx) + lattice[row + 1, column + 1] * fx
        total += weight * ((top * (1024 - fy) + bottom * fy) >> 20)
    return (total // 15 - 128) * 2 + 128


def _blobs(draws: Draws, u: Grid, v: Grid) -> Grid:
    image = _gradient(draws, u, v)
    for _ in range(12):
        _ellipse(image, u, v, (draws.below(1024), draws.below(1024)), (draws.between(40, 300),) * 2, draws.colour())
    return image


def _figure(draws: Draws, u: Grid, v: Grid) -> Grid:
    image = _noise(draws, u, v) // 2 + draws.colour(0, 96)
    skin, top, legs, shoes = draws.colour(60, 230), draws.colour(), draws.colour(), draws.colour(0, 120)
    lean, waist = draws.between(-60, 60), draws.between(480, 580)
    for side in (-1, 1):
        hip = 512 + side * 100 + lean // 2
        _box(image, u, v, (hip - 90, waist - 20, hip + 80, 940), legs)
        _box(image, u, v, (hip - 100, 930, hip + 100, 985), shoes)
        arm = 512 + side * 260 + lean
        _box(image, u, v, (arm - 60, 220, arm + 60, waist + 30), top * 7 // 8)
        _ellipse(image, u, v, (arm, waist + 50), (60, 30), skin)
    _box(image, u, v, (300 + lean, 190, 724 + lean, waist), top)
    _ellipse(image, u, v, (512 + lean, 200), (215, 50), top)
    if draws.below(2):
        _box(image, u, v, (620 + lean, 260, 800 + lean, 480), draws.colour())
    _ellipse(image, u, v, (512 + lean, 105), (125, 80), skin)
    _ellipse(image, u, v, (512 + lean, 65), (130, 50), draws.colour(0, 160))
    return image


def _face(draws: Draws, u: Grid, v: Grid) -> Grid:
    image = _noise(draws, u, v) // 3 + draws.colour(0, 150)
    skin, hair, lips = draws.colour(90, 235), draws.colour(0, 110), draws.colour(60, 160)
    x, y = draws.between(440, 584), draws.between(470, 570)
    _ellipse(image, u, v, (x, y - 120), (330, 380), hair)
    _ellipse(image, u, v, (x, y), (285, 390), skin)
    for side in (-1, 1):
        _box(image, u, v, (x + side * 120 - 70, y - 150, x + side * 120 + 70, y - 120), hair)
        _ellipse(image, u, v, (x + side * 120, y - 80), (62, 34), np.full(3, 235, np.int64))
        _ellipse(image, u, v, (x + side * 120, y - 80), (28, 30), hair // 2)
    _box(image, u, v, (x - 28, y - 60, x + 28, y + 90), skin * 7 // 8)
    _ellipse(image, u, v, (x, y + 200), (110, draws.between(20, 50)), lips)
    return image


def _ellipse(image: Grid, u: Grid, v: Grid, centre: tuple[int, int], radii: tuple[int, int], colour: Grid) -> None:
    (cx, cy), (rx, ry) = centre, radii
    image[(u - cx) ** 2 * ry**2 + (v - cy) ** 2 * rx**2 <= rx**2 * ry**2] = colour


def _box(image: Grid, u: Grid, v: Grid, box: tuple[int, int, int, int], colour: Grid) -> None:
    left, top, right, bottom = box
    image[(u >= left) & (u < right) & (v >= top) & (v < bottom)] = colour


PATTERNS: dict[str, Callable[[Draws, Grid, Grid], Grid]] = {
    "gradient": _gradient,
    "stripes": _stripes,
    "noise": _noise,
    "blobs": _blobs,
    "figure": _figure,
    "face": _face,
}
