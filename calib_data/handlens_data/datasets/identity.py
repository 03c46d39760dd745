"""What every data set of identities (people, faces) is made of: samples, splits and a hash that names them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.errors import DataError, EmptyFolder

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class IdentitySample:
    """One image of one identity under one camera. Identity -1 is junk, 0 a distractor (Market-1501's convention)."""

    path: Path
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class IdentitySplit:
    """A named tuple of samples. `name` is "train", "val", "probe" or "gallery"."""

    name: str
    samples: tuple[IdentitySample, ...]

    @property
    def identities(self) -> np.ndarray:
        """Identity of each sample, int64 (N,)."""
        return np.array([sample.identity for sample in self.samples], dtype=np.int64)

    @property
    def cameras(self) -> np.ndarray:
        """Camera of each sample, int64 (N,)."""
        return np.array([sample.camera for sample in self.samples], dtype=np.int64)

    @property
    def paths(self) -> list[Path]:
        """File of each sample, in the same order."""
        return [sample.path for sample in self.samples]

    def sha256(self) -> str:
        """Hash over every file's name and bytes, in order: two runs with the same hash saw the same images."""
        digest = hashlib.sha256()
        for sample in self.samples:
            digest.update(sample.path.name.encode())
            digest.update(hashlib.sha256(sample.path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.samples)


def list_images(folder: Path) -> list[Path]:
    """Image files directly inside `folder`, sorted by name.

    Raises:
        EmptyFolder: the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise EmptyFolder(f"{folder} is not a folder. Give a folder of images ({', '.join(IMAGE_SUFFIXES)}).")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise EmptyFolder(f"{folder} holds no image. Images end in {', '.join(IMAGE_SUFFIXES)}; check the path.")
    return files


def hold_out(samples: Iterable[IdentitySample], count: int, seed: int) -> tuple[IdentitySplit, IdentitySplit]:
    """Split by identity: `count` identities drawn with `seed` become "val", the rest "train"; no identity is in both.

    Only identities seen by two cameras or more can be held out: the others have no cross-camera match to find.

    Raises:
        DataError: fewer than `count` + 2 identities can be held out.
    """
    samples = tuple(samples)
    cameras: dict[int, set[int]] = {}
    for sample in samples:
        cameras.setdefault(sample.identity, set()).add(sample.camera)
    eligible = sorted(identity for identity, seen in cameras.items() if len(seen) > 1)
    if len(eligible) < count + 2:
        raise DataError(
            f"cannot hold out {count} validation identities: only {len(eligible)} identities are seen by two or more "
            "cameras. Lower val_identities or bring more data."
        )
    chosen = set(np.random.default_rng(seed).permutation(np.array(eligible))[:count].tolist())
    train = tuple(sample for sample in samples if sample.identity not in chosen)
    val = tuple(sample for sample in samples if sample.identity in chosen)
    return IdentitySplit("train", train), IdentitySplit("val", val)


def relabel(identities: Sequence[int] | np.ndarray) -> tuple[np.ndarray, int]:
    """Map identities to 0..K-1 in ascending order; returns (labels int64 (N,), K)."""
    values, labels = np.unique(np.asarray(identities), return_inverse=True)
    return labels.astype(np.int64), len(values)
