"""The training images that calibration may draw from, and the tested ones that it may not."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handlens.errors import DataError, SplitLeak
from handlens.image import load_image, prepare
from handlens.manifest import InputSpec

Pixels = NDArray[np.uint8]


def _prepared(path: Path, spec: InputSpec) -> Pixels:
    return prepare(load_image(path), spec)


class Split(Protocol):
    """What a split of every data set has."""

    @property
    def name(self) -> str:
        """Such as "train"."""
        ...

    @property
    def paths(self) -> Sequence[Path]:
        """Its files."""
        ...

    def sha256(self) -> str:
        """Hash over every file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Images of a training split.

    Attributes:
        dataset: such as "market1501".
        split: the training split's name.
        licence: of the images.
        sha256: gives the hash of the whole split; called when something is drawn.
        paths: (N,) files.
        groups: (N,) labels (people, breeds): a draw takes one image of each before a second of any; none when empty.
        tested: files of the splits that models are judged on.
        prepare: from a file to uint8 (H, W, C) of a model's input; None where it shows nothing to prepare (no face).
    """

    dataset: str
    split: str
    licence: str
    sha256: Callable[[], str]
    paths: tuple[Path, ...]
    groups: tuple[Any, ...] = ()
    tested: tuple[Path, ...] = ()
    prepare: Callable[[Path, InputSpec], Pixels | None] = field(default=_prepared)

    @classmethod
    def of(cls, split: Split, dataset: str, licence: str, **more: Any) -> "Pool":
        """All images of a split; `more` are further fields."""
        facts = {"split": split.name, "sha256": split.sha256, "paths": tuple(split.paths)}
        return cls(dataset=dataset, licence=licence, **facts | more)

    def turns(self, seed: int) -> NDArray[np.int64]:
        """(N,) all indices in a random order, each group's first images before its second ones."""
        shuffled = np.random.default_rng(seed).permutation(len(self.paths))
        if not self.groups:
            return shuffled
        turn = np.empty(len(self.paths), np.int64)
        seen: dict[Any, int] = {}
        for index in shuffled.tolist():
            group = self.groups[index]
            turn[index] = seen[group] = seen.get(group, -1) + 1
        return shuffled[np.argsort(turn[shuffled], kind="stable")]

    def refuse_leaks(self, indices: Iterable[int]) -> None:
        """Refuses images that are tested, too, under whatever name; compared by the bytes of their files.

        Raises:
            SplitLeak: names the first image found in both.
        """
        # A file of another size is another file, so hardly any is read.
        sizes = {path.stat().st_size for path in self.tested}
        chosen = [path for path in (self.paths[index] for index in indices) if path.stat().st_size in sizes]
        drawn, sizes = {file_sha256(path): path for path in chosen}, {path.stat().st_size for path in chosen}
        for path in self.tested:
            if path.stat().st_size in sizes and (digest := file_sha256(path)) in drawn:
                raise SplitLeak(
                    f"{drawn[digest].name} of {self.dataset}/{self.split} is also among the tested images (as "
                    f"{path.name}). A figure measured after that would flatter. Remove it from one of the two."
                )

    def usable(self, order: Sequence[int], count: int, spec: InputSpec) -> tuple[list[int], Pixels]:
        """The first `count` indices of `order` whose images can be prepared, and these, uint8 (n, H, W, C).

        Fewer where there are no more.

        Raises:
            DataError: there is none.
            ImageError: a file cannot be used.
        """
        kept: list[int] = []
        images: list[Pixels] = []
        for index in order:
            if len(kept) == count:
                break
            image = self.prepare(self.paths[index], spec)
            if image is not None:
                kept.append(index)
                images.append(image)
        if not images:
            raise DataError(
                f"none of {len(order)} images of {self.dataset}/{self.split} can be prepared for this model; "
                "does a face in them need another --detector?"
            )
        return kept, np.stack(images)


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
