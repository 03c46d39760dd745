"""One random view of a picture and its masks: the same geometry for all of them, light and focus for the picture alone.

Masks are uint8 (H, W): labels, 0 the background, `IGNORE` where nobody knows. Everything is decided by one NumPy
generator, so that a batch can be made again from (seed, epoch, index) on any backend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from handlens.errors import OptionError

IGNORE = 255
GREY = (114, 114, 114)  # handlens.image fills letterboxes with it.
_LIMITS = {"flip": 1.0, "zoom": 1.5, "aspect": 1.0, "shift": 0.5, "rotate": 180.0, "mirror": 1.0}
_LIMITS |= {"colour": 0.9, "blur": 1.0, "noise": 64.0, "erase": 1.0}


@dataclass(frozen=True, slots=True)
class MaskAugment:
    """Strengths; zero switches a part off.

    flip: probability of a horizontal mirror. zoom: largest change of the logarithm of the size, both ways; shrink:
    added to the way down alone, for pictures in which the object is small. aspect: the same of width against height.
    shift: largest translation, a share of the input's sides. rotate: largest angle in degrees. mirror: probability
    that what lies beyond the picture is its reflection, masks included, and not grey. colour: largest relative change
    of brightness, contrast, saturation, gamma, and a quarter of it of each channel. blur: probability of a lost focus.
    noise: largest standard deviation, in steps of 0..255. erase: probability of one filled rectangle in the picture,
    which the masks ignore: an object goes on behind what hides it, or does not.
    """

    flip: float = 0.5
    zoom: float = 0.25
    shrink: float = 0.0
    aspect: float = 0.15
    shift: float = 0.1
    rotate: float = 10.0
    mirror: float = 0.5
    colour: float = 0.3
    blur: float = 0.2
    noise: float = 6.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, limit in {**_LIMITS, "shrink": 1.5}.items():
            value = getattr(self, name)
            if not 0 <= value <= limit:
                raise OptionError(f"mask view {name}={value} is out of range; valid: 0 to {limit}, 0 switches it off.")


NONE = MaskAugment(**dict.fromkeys((*_LIMITS, "shrink"), 0.0))


def fit_matrix(shape: tuple[int, ...], size: tuple[int, int], geometry: Literal["resize", "letterbox"]) -> np.ndarray:
    """(2, 3) float64 from pixels of a picture (H, W, ...) to those of an input of `size` (height, width).

    Both frames have the origin at the corner of the corner pixel. "letterbox" keeps the aspect and centres.
    """
    (rows, columns), (height, width) = shape[:2], size
    across, down = width / columns, height / rows
    if geometry == "letterbox":
        across = down = min(across, down)
    return np.array(
        [[across, 0.0, (width - columns * across) / 2], [0.0, down, (height - rows * down) / 2]], np.float64
    )


def view(
    image: np.ndarray,
    masks: Mapping[str, np.ndarray],
    size: tuple[int, int],
    how: MaskAugment,
    rng: np.random.Generator,
    *,
    geometry: Literal["resize", "letterbox"] = "resize",
    lean: float = 0.0,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One view of a picture and of its masks.

    Args:
        image: uint8 (H, W, 3).
        masks: by name, uint8 (H, W) labels, `IGNORE` where unknown; beyond the picture lies background (0).
        size: (height, width) of the view.
        how: strengths; `NONE` gives the picture as the device sees it, but for the last bit of the interpolation.
        rng: of this view.
        geometry: of the input that the network will have.
        lean: how many pixels of the picture all masks of its data set lie too far right. A mirrored view would have
            them too far left, and teach a network to waver between the two; with `lean` they lie right there, too.

    Returns:
        uint8 (height, width, 3), and the masks as uint8 (height, width).
    """
    matrix = _moved(fit_matrix(image.shape, size, geometry), size, how, rng)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # from corners at whole numbers to OpenCV's centres
    leant = matrix.copy()
    if np.linalg.det(matrix[:, :2]) < 0:
        leant[:, 2] -= matrix[:, 0] * 2 * lean
    border = cv2.BORDER_REFLECT if rng.random() < how.mirror else cv2.BORDER_CONSTANT
    target = (size[1], size[0])
    seen = cv2.warpAffine(image, matrix, target, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=GREY)
    moved = {
        name: cv2.warpAffine(mask, leant, target, flags=cv2.INTER_NEAREST, borderMode=border, borderValue=0)
        for name, mask in masks.items()
    }
    seen = recolour(seen, how, rng)
    if rng.random() < how.erase:
        erase(seen, moved, rng)
    return seen, moved


def _moved(base: np.ndarray, size: tuple[int, int], how: MaskAugment, rng: np.random.Generator) -> np.ndarray:
    """`base` followed by a random mirror, stretch, turn and shift about the input's centre."""
    height, width = size
    zoom = rng.uniform(-how.zoom - how.shrink, how.zoom)
    aspect, angle = rng.uniform(-how.aspect, how.aspect), np.deg2rad(rng.uniform(-how.rotate, how.rotate))
    shift = rng.uniform(-how.shift, how.shift, 2) * (width, height)
    stretch = np.exp(zoom + np.array([aspect, -aspect]) / 2)
    if rng.random() < how.flip:
        stretch[0] = -stretch[0]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * stretch
    centre = np.array([width, height]) / 2
    return np.hstack([turn @ base[:, :2], (turn @ (base[:, 2] - centre) + centre + shift)[:, None]])


def recolour(image: np.ndarray, how: MaskAugment, rng: np.random.Generator) -> np.ndarray:
    """Other light, focus and noise: a fresh uint8 (H, W, 3)."""
    amount = how.colour
    brightness, contrast, saturation, gamma = 1 + rng.uniform(-amount, amount, 4)
    channels = 1 + rng.uniform(-amount, amount, 3) / 4
    mean = float(image.mean())
    levels = (np.arange(256) / 255) ** gamma * 255
    levels = ((levels - mean) * contrast + mean * brightness)[:, None] * channels
    out = cv2.LUT(np.ascontiguousarray(image), np.clip(levels + 0.5, 0, 255).astype(np.uint8)[:, None])
    grey = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    out = cv2.addWeighted(out, saturation, grey, 1 - saturation, 0)
    if rng.random() < how.blur:
        height, width = out.shape[:2]
        share = rng.uniform(0.35, 0.9)
        small = (max(1, round(width * share)), max(1, round(height * share)))
        out = cv2.resize(cv2.resize(out, small, interpolation=cv2.INTER_AREA), (width, height))
    spread = rng.uniform(0, how.noise)
    if spread >= 1:
        grain = rng.standard_normal(out.shape, np.float32) * np.float32(spread)
        out = np.clip(out + grain, 0, 255).astype(np.uint8)
    return out


def erase(image: np.ndarray, masks: Mapping[str, np.ndarray], rng: np.random.Generator) -> None:
    """Fill one rectangle of a tenth to a third of each side with a colour, in place; the masks ignore it."""
    sides = np.array(image.shape[:2])
    high, wide = rng.integers(np.maximum(1, sides // 10), np.maximum(2, sides // 3))
    top, left = rng.integers(0, sides[0] - high + 1), rng.integers(0, sides[1] - wide + 1)
    image[top : top + high, left : left + wide] = rng.integers(0, 256, 3)
    for mask in masks.values():
        mask[top : top + high, left : left + wide] = IGNORE


def foreground_target(mask: np.ndarray, stride: int) -> np.ndarray:
    """What a mask output at `stride` should say: float32 (H/s, W/s, 1), the share of foreground, or `IGNORE`.

    Args:
        mask: uint8 (H, W), 0 background, `IGNORE` unknown, all else foreground; H and W multiples of `stride`.
        stride: of the output; a cell is ignored where half of its pixels or more are.
    """
    size = (mask.shape[1] // stride, mask.shape[0] // stride)
    known = cv2.resize((mask != IGNORE).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside = ((mask != 0) & (mask != IGNORE)).astype(np.float32)
    share = cv2.resize(inside, size, interpolation=cv2.INTER_AREA) / np.maximum(known, 1e-6)
    return np.where(known > 0.5, np.minimum(share, 1.0), IGNORE).astype(np.float32)[..., None]


def label_target(mask: np.ndarray, stride: int) -> np.ndarray:
    """What a class output at `stride` should say: uint8 (H/s, W/s), the label at each cell's centre, or `IGNORE`."""
    return np.ascontiguousarray(mask[stride // 2 :: stride, stride // 2 :: stride])
