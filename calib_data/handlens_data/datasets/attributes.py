"""What a data set of person attributes is made of: six heads with their classes, samples whose labels may be missing.

A label is the index of a class, or `MISSING`: nobody said, or what was said is not one of the classes (a shirt of two
colours). Nothing is guessed in its place; losses and metrics leave it out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MISSING = -1
COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
HEADS: dict[str, tuple[str, ...]] = {
    "gender": ("male", "female"),
    "torso_type": ("long sleeve", "short sleeve"),
    "torso_colour": COLOURS,
    "leg_type": ("trousers", "shorts", "skirt"),
    "leg_colour": COLOURS,
    "luggage": ("none", "backpack", "bag", "case"),
}
"""Head to its classes, in the order of the network's logits. The data sets map what they know onto these."""


@dataclass(frozen=True, slots=True)
class AttributeSample:
    """One image of one person.

    Attributes:
        path: of the image.
        group: who is on it; images that may show one person share it, and no group is on both sides of a split.
        labels: one a head, in the order of `HEADS`: index of the class, or `MISSING`.
    """

    path: Path
    group: str
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttributeSplit:
    """A named tuple of samples."""

    name: str
    samples: tuple[AttributeSample, ...]

    @property
    def paths(self) -> list[Path]:
        """File of each sample."""
        return [sample.path for sample in self.samples]

    @property
    def groups(self) -> np.ndarray:
        """(N,) strings: who is on each image."""
        return np.array([sample.group for sample in self.samples], dtype=str)

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """Head to (N,) int64: index of the class, or `MISSING`."""
        table = np.array([sample.labels for sample in self.samples], np.int64).reshape(len(self), len(HEADS))
        return {head: table[:, column] for column, head in enumerate(HEADS)}

    def counts(self) -> dict[str, dict[str, int]]:
        """Head to class to images of it, "missing" last."""
        found = self.labels
        return {
            head: {name: int((found[head] == index).sum()) for index, name in enumerate(classes)}
            | {"missing": int((found[head] == MISSING).sum())}
            for head, classes in HEADS.items()
        }

    def sha256(self) -> str:
        """Hash over every file's name, labels and bytes, in order: two runs with the same hash saw the same data."""
        digest = hashlib.sha256()
        for sample in self.samples:
            digest.update(f"{sample.group} {sample.path.name} {sample.labels}".encode())
            digest.update(hashlib.sha256(sample.path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.samples)


def only(names: Sequence[str], head: str) -> int:
    """The label of the one class in `names`; `MISSING` where there is none, more than one, or one that is no class."""
    first, *further = {*names} or {""}
    return HEADS[head].index(first) if not further and first in HEADS[head] else MISSING
