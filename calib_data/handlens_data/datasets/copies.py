"""Copies of an image under another name: a data set gathered from the web holds them, and a split by name leaks them.

Two images count as copies when their 16x16 grey thumbnails correlate above `ALIKE`, whatever the file's size,
compression or brightness. Mirror images and crops are not found.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from handlens.image import Source, load_image

ALIKE = 0.95
SIDE = 16
_ROWS = 2048


def thumbnails(images: Sequence[Source]) -> np.ndarray:
    """(N, 256) float32 unit rows of mean 0: the dot product of two is the correlation of the thumbnails.

    Raises:
        ImageError: a file cannot be read.
    """
    out = np.zeros((len(images), SIDE * SIDE), np.float32)
    for index, image in enumerate(images):
        grey = cv2.cvtColor(load_image(image), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        small -= small.mean()
        out[index] = small / max(float(np.linalg.norm(small)), 1e-6)
    return out


def has_copy(candidates: np.ndarray, among: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """(N,) bool: which rows of `candidates` have a copy among the rows of `among`, both as `thumbnails` makes them."""
    found = np.zeros(len(candidates), bool)
    for start in range(0, len(candidates), _ROWS):
        if len(among):
            found[start : start + _ROWS] = (candidates[start : start + _ROWS] @ among.T).max(axis=1) > alike
    return found
