"""The 200 patches that scikit-image ships as `lfw_subset`: 100 faces and 100 patches without one, grey, 25x25.

They are crops of Labeled Faces in the Wild (Huang et al. 2007) by way of scikit-learn; scikit-image's wheel carries
them, so the demo needs neither a download nor a data folder. Who is on a patch is not recorded: the splits are disjoint
in patches, and whether they are in persons is unknown. That is enough to show that a pipeline works, and too little to
claim an accuracy.

Counts: train 100, val 60, test 40, half of each a face.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from handlens.errors import MissingExtra
from handlens_data.datasets.splits import require_split

NAME = "lfw_subset"
LICENCE = "research use (crops of LFW, Huang et al. 2007; shipped by scikit-image)"
LABELS = ("other", "face")
SIZES = {"train": 100, "val": 60, "test": 40}
SPLIT_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """One split. `images` is uint8 (N, 25, 25, 1), 0..255; `labels` is int64 (N,), indices into `LABELS`."""

    name: str
    images: np.ndarray
    labels: np.ndarray

    def sha256(self) -> str:
        """Hash over every pixel and label, in order."""
        return hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.images)


def load(split: str) -> Patches:
    """One split, the same patches in the same order each time.

    Raises:
        OptionError: there is no such split.
        MissingExtra: scikit-image is not installed.
    """
    require_split(NAME, split, SIZES)
    images = _patches()
    labels = np.repeat(np.array([1, 0], np.int64), len(images) // 2)  # the faces come first
    # Each class is drawn by itself, so that every split is half faces.
    rng = np.random.default_rng(SPLIT_SEED)
    orders = [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(LABELS))]
    start = 0
    for name, size in SIZES.items():
        half = size // 2
        if name == split:
            chosen = np.sort(np.concatenate([order[start : start + half] for order in orders]))
            return Patches(split, images[chosen], labels[chosen])
        start += half
    raise AssertionError("unreachable: the split was checked")


def _patches() -> np.ndarray:
    """All patches, uint8 (200, 25, 25, 1); the package stores them as floats of 0 to 1."""
    try:
        from skimage.data import lfw_subset
    except ImportError as error:
        raise MissingExtra("scikit-image", "train") from error
    pixels = np.asarray(lfw_subset(), np.float64)
    return np.rint(pixels * 255).astype(np.uint8)[..., None]
