"""Augmentation of uint8 crops, as the field does it: flip, shifted crop, rotation, colour, random erasing.

Everything works on uint8 RGB or grey arrays (H, W, C) with one NumPy generator an image, so that a batch can be made
again from (seed, epoch, index), on any backend, and a resumed run sees what an unbroken one would have seen.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from handlens.errors import OptionError


@dataclass(frozen=True, slots=True)
class Augment:
    """Strengths; zero switches a part off.

    flip: probability of a horizontal mirror, 0..1. shift: largest translation in pixels of the input. rotate: largest
    angle in degrees. colour: largest relative change of brightness, contrast and saturation, 0..1. erase: probability
    of one erased rectangle (Zhong et al. 2020: 2-40% of the area, aspect 0.3-3.3), filled with noise. zoom: largest
    relative change of size, 0..0.5.
    """

    flip: float = 0.5
    shift: int = 8
    rotate: float = 5.0
    colour: float = 0.25
    erase: float = 0.5
    zoom: float = 0.0

    def __post_init__(self) -> None:
        limits = {"flip": 1.0, "shift": 64, "rotate": 45.0, "colour": 0.9, "erase": 1.0, "zoom": 0.5}
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= limit:
                raise OptionError(
                    f"augmentation {name}={value} is out of range; valid: 0 to {limit}, 0 switches it off."
                )


NONE = Augment(flip=0.0, shift=0, rotate=0.0, colour=0.0, erase=0.0)


def augment(image: np.ndarray, how: Augment, rng: np.random.Generator) -> np.ndarray:
    """One augmented copy of `image`, uint8 (H, W, C), same shape."""
    height, width, channels = image.shape
    if rng.random() < how.flip:
        image = image[:, ::-1]
    image = _move(image, how, rng)
    if how.colour:
        image = _recolour(image, how.colour, rng)
    image = np.ascontiguousarray(image).reshape(height, width, channels)
    if rng.random() < how.erase:
        _erase(image, rng)
    return image


def _move(image: np.ndarray, how: Augment, rng: np.random.Generator) -> np.ndarray:
    angle, dx, dy = rng.uniform(-1, 1, 3) * (how.rotate, how.shift, how.shift)
    if not (how.rotate or how.shift or how.zoom):
        return image
    scale = 1.0 + how.zoom * rng.uniform(-1, 1) if how.zoom else 1.0  # No draw without zoom: old runs repeat.
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, scale)
    matrix[:, 2] += (round(dx), round(dy))
    # Grey edges rather than reflected ones: reflection would paint second bodies.
    return cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height), borderValue=(124, 116, 104))


def _recolour(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    brightness, contrast, saturation = 1 + rng.uniform(-strength, strength, 3)
    pixels = image.astype(np.float32)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
        pixels = grey[..., None] + (pixels - grey[..., None]) * np.float32(saturation)
    mean = pixels.mean()
    pixels = (pixels - mean) * np.float32(contrast) + mean * np.float32(brightness)
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def _erase(image: np.ndarray, rng: np.random.Generator) -> None:
    height, width, channels = image.shape
    for _ in range(20):
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = np.exp(rng.uniform(np.log(0.3), np.log(3.3)))
        h, w = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < h < height and 0 < w < width:
            top, left = rng.integers(0, height - h), rng.integers(0, width - w)
            image[top : top + h, left : left + w] = rng.integers(0, 256, (h, w, channels), dtype=np.uint8)
            return
