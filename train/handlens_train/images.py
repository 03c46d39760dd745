"""Images of a split in memory, prepared by the very functions that the device runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from handlens.image import load_image, prepare
from handlens.manifest import InputSpec


def load_prepared(paths: Sequence[Path], spec: InputSpec, tick: Callable[[], None] = lambda: None) -> np.ndarray:
    """Decode and prepare files: uint8 (N, height, width, channels) of `spec`. `tick` is called after each image.

    Raises:
        ImageError: a file is damaged, too large or of a wrong shape.
    """
    out = np.empty((len(paths), spec.height, spec.width, spec.channels), np.uint8)
    for index, path in enumerate(paths):
        out[index] = prepare(load_image(path), spec)
        tick()
    return out


def scaled(images: np.ndarray, spec: InputSpec) -> np.ndarray:
    """The float32 network input of prepared uint8 images (N, H, W, C): pixels * scale + offset a channel."""
    return images.astype(np.float32) * np.array(spec.scale, np.float32) + np.array(spec.offset, np.float32)
