"""Labeled Faces in the Wild (Huang et al. 2007), View 2: people, and pairs in folds that share no person.

Two layouts are read: the public one (`lfw/NAME/NAME_0001.jpg`, also `lfw-deepfunneled/` or `lfw_funneled/`, and
`pairs.txt` of ten folds), and one whose pairs stand in `pairs_folds1-8.txt`. A fold is 300 pairs of one person and 300
of two, the file's order.

The split is by people, fixed before any training: folds 7 and 8 are "test"; fold 6 is "val" and carries the thresholds;
people of folds 9 and 10, where the file has them, are kept out of everything; all others are "train".
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from handlens.errors import DataError, EmptyFolder, OptionError, UnknownLayout

NAME = "lfw"
LICENCE = "research use only (Labeled Faces in the Wild, Huang et al. 2007)"
FOLDS = {"val": (6,), "test": (7, 8)}
_SEALED = (9, 10)
_FOLDERS = ("lfw", "lfw-deepfunneled", "lfw_funneled", ".")
_PAIRS = ("pairs.txt", "pairs_folds1-8.txt")
_PER_FOLD = 600


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph; `name` is the file's path below the data set's folder, such as "Ann_Lee/Ann_Lee_0001.jpg"."""

    path: Path
    name: str
    person: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, by `Photo.name`, and whether they show one person."""

    first: str
    second: str
    same: bool
    fold: int


@dataclass(frozen=True, slots=True)
class Split:
    """Photographs of a split's people, sorted by name, and the pairs of its folds (none for "train")."""

    name: str
    photos: tuple[Photo, ...]
    pairs: tuple[Pair, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the people, sorted."""
        return tuple(sorted({photo.person for photo in self.photos}))

    def sha256(self) -> str:
        """Hash over every file's name and bytes, in order."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update(photo.name.encode())
            digest.update(hashlib.sha256(photo.path.read_bytes()).digest())
        return digest.hexdigest()


def load(root: Path, split: str) -> Split:
    """Read a split.

    Args:
        root: folder that holds `lfw/`, or that folder itself.
        split: "train", "val" or "test"; they share no person.

    Raises:
        OptionError: another split.
        UnknownLayout: no folder of people with a pairs file is there.
        EmptyFolder: it holds no photograph.
        DataError: the pairs file is damaged, or names a photograph that is not there.
    """
    if split not in ("train", *FOLDS):
        raise OptionError(f"unknown split {split!r} of LFW; valid: train, {', '.join(FOLDS)}.")
    folder, pairs_file = _find(root)
    photos = _photos(folder)
    pairs = _read_pairs(pairs_file)
    by_fold = {fold: _people(pair for pair in pairs if pair.fold == fold) for fold in {p.fold for p in pairs}}
    if split == "train":
        held = set().union(*(by_fold.get(fold, set()) for folds in (*FOLDS.values(), _SEALED) for fold in folds))
        return Split(split, tuple(photo for photo in photos if photo.person not in held), ())
    wanted = [fold for fold in FOLDS[split] if fold in by_fold]
    if not wanted:
        raise DataError(f"{pairs_file} has {max(by_fold)} folds; {split} is made of {FOLDS[split]}.")
    people = set().union(*(by_fold[fold] for fold in wanted))
    kept = tuple(photo for photo in photos if photo.person in people)
    chosen = tuple(pair for pair in pairs if pair.fold in wanted)
    names = {photo.name for photo in kept}
    missing = sorted({name for pair in chosen for name in (pair.first, pair.second)} - names)
    if missing:
        raise DataError(f"{pairs_file} names {len(missing)} photographs that {folder} lacks, such as {missing[0]}.")
    return Split(split, kept, chosen)


def _find(root: Path) -> tuple[Path, Path]:
    for folder in (root / name for name in _FOLDERS):
        for pairs in (base / name for name in _PAIRS for base in (folder, root)):
            if pairs.is_file() and folder.is_dir():
                return folder, pairs
    raise UnknownLayout(
        f"{root} holds no LFW: expected lfw/NAME/NAME_0001.jpg and pairs.txt (View 2) in {root} or in lfw/. "
        "Point --data at the folder that holds lfw/."
    )


def _photos(folder: Path) -> list[Photo]:
    photos = [
        Photo(path, f"{person.name}/{path.name}", person.name)
        for person in sorted(path for path in folder.iterdir() if path.is_dir())
        for path in sorted(person.glob("*.jpg"))
    ]
    if not photos:
        raise EmptyFolder(f"{folder} holds no photographs; expected NAME/NAME_0001.jpg.")
    return photos


def _read_pairs(path: Path) -> list[Pair]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    per_fold = _PER_FOLD
    if rows and len(rows[0]) in (1, 2) and all(field.isdigit() for field in rows[0]):
        per_fold = 2 * int(rows[0][-1])  # the public file's header: folds, pairs of each kind in a fold
        rows = rows[1:]
    pairs = []
    for index, row in enumerate(rows):
        try:
            first, number = row[0], int(row[1])
            second, other = (first, int(row[2])) if len(row) == 3 else (row[2], int(row[3]))
        except (IndexError, ValueError):
            raise DataError(
                f"{path}: pair {index + 1} is {' '.join(row)[:80]!r}; expected NAME N M or NAME N OTHER M."
            ) from None
        fold = index // per_fold + 1
        pairs.append(Pair(_file(first, number), _file(second, other), len(row) == 3, fold))
    if not pairs:
        raise DataError(f"{path} holds no pairs.")
    return pairs


def _file(person: str, number: int) -> str:
    return f"{person}/{person}_{number:04d}.jpg"


def _people(pairs: Iterable[Pair]) -> set[str]:
    return {name.partition("/")[0] for pair in pairs for name in (pair.first, pair.second)}
