"""UTKFace (Zhang, Song and Qi, CVPR 2017): faces with age, gender and a race label, research use only.

Layouts read: a folder of crops (`utkface/`, `UTKFace/`, or the folder itself), and the three parts `part1/`, `part2/`,
`part3/`. The file name carries the labels: `26_1_3_20170119.jpg` is age 26, gender 1 (0 male, 1 female), race label 3
(see `RACES`), and the date it was collected; the public crops end in `.jpg.chip.jpg`. A few names of the public set
lack a field; they are skipped and counted.

Counts here (64x64 crops): 21,705 files, one of them skipped; test 2,000, val 1,000, train 18,704. The set holds some
pictures twice, under other names and labels: training uses `unseen`, which leaves out what copies a held-out picture
(train 18,451 and val 994 remain). The order of the splits is that of the
SHA-256 of the file name (without `.chip.jpg`), so nobody chose it, and a larger copy of the set never tests on what a
smaller one trained on. Who is on a picture is not recorded: splits share no file, but may share persons. The gender and
race labels are the annotators' guesses at what they saw, not what the persons say of themselves.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from handlens.errors import EmptyFolder, UnknownLayout
from handlens_data.datasets import copies
from handlens_data.datasets.identity import IMAGE_SUFFIXES
from handlens_data.datasets.splits import filled_split

NAME = "utkface"
LICENCE = "research use only (UTKFace, Zhang et al. 2017)"
GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Other")
TEST, VAL = 2000, 1000
# First and last age of each band, as the reports break it down.
AGE_BANDS = ((0, 3), (4, 12), (13, 19), (20, 39), (40, 59), (60, 116))

_FILE_NAME = re.compile(r"^(\d{1,3})_([01])_([0-4])_(\d+)(?:\.jpg)?(?:\.chip)?\.\w+$")
_PARTS = ("part1", "part2", "part3")


@dataclass(frozen=True, slots=True)
class Face:
    """One crop. `age` in years; `gender` and `race` are indices into `GENDERS` and `RACES`."""

    path: Path
    age: int
    gender: int
    race: int


@dataclass(frozen=True, slots=True)
class FaceSplit:
    """One split; `name` is "train", "val" or "test". The order is that of the names' hashes."""

    name: str
    faces: tuple[Face, ...]

    @property
    def paths(self) -> list[Path]:
        """File of each face."""
        return [face.path for face in self.faces]

    @property
    def genders(self) -> np.ndarray:
        """(N,) int64, 0 male, 1 female."""
        return np.array([face.gender for face in self.faces], np.int64)

    @property
    def ages(self) -> np.ndarray:
        """(N,) int64, years."""
        return np.array([face.age for face in self.faces], np.int64)

    @property
    def races(self) -> np.ndarray:
        """(N,) int64, indices into `RACES`."""
        return np.array([face.race for face in self.faces], np.int64)

    def sha256(self) -> str:
        """Hash over every file's name and bytes, in order: two runs with the same hash saw the same images."""
        digest = hashlib.sha256()
        for face in self.faces:
            digest.update(face.path.name.encode())
            digest.update(hashlib.sha256(face.path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.faces)


@dataclass(frozen=True, slots=True)
class UTKFace:
    """The splits of one folder, and the names of the files that were skipped because they carry no labels."""

    root: Path
    train: FaceSplit
    val: FaceSplit
    test: FaceSplit
    skipped: tuple[str, ...]

    def split(self, name: str) -> FaceSplit:
        """A split by its name.

        Raises:
            OptionError: there is no such split.
            DataError: it is empty: the folder has too few images for it.
        """
        splits = {"train": self.train, "val": self.val, "test": self.test}
        dealt = f"the first {TEST} by hash are the test, the next {VAL} the validation, the rest the training"
        return filled_split(NAME, name, splits, self.root, dealt)


def load(root: Path) -> UTKFace:
    """Read any of the layouts under `root`.

    Raises:
        UnknownLayout: neither images nor a known sub-folder is there.
        EmptyFolder: a folder holds no image whose name carries the labels.
    """
    base, files = _files(root)
    read = [(path, parse(path.name)) for path in files]
    known = [Face(path, *labels) for path, labels in read if labels is not None]
    if not known:
        raise EmptyFolder(
            f"{base} holds {len(read)} images and no name like AGE_GENDER_RACE_DATE.jpg, such as 26_1_3_20170119.jpg."
        )
    known.sort(key=lambda face: order(face.path.name))
    return UTKFace(
        root=base,
        train=FaceSplit("train", tuple(known[TEST + VAL :])),
        val=FaceSplit("val", tuple(known[TEST : TEST + VAL])),
        test=FaceSplit("test", tuple(known[:TEST])),
        skipped=tuple(sorted(path.name for path, labels in read if labels is None)),
    )


def unseen(found: UTKFace) -> UTKFace:
    """The same splits without copies: the set holds some pictures twice, under other names and other labels.

    Training loses what copies an image of test or val, val what copies one of test; test stays as it is. Reads every
    image once.

    Raises:
        ImageError: a file cannot be read.
    """
    rows = {split.name: copies.thumbnails(split.paths) for split in (found.train, found.val, found.test)}
    keep = {
        "train": ~copies.has_copy(rows["train"], np.concatenate([rows["val"], rows["test"]])),
        "val": ~copies.has_copy(rows["val"], rows["test"]),
    }
    kept = {
        name: FaceSplit(name, tuple(face for face, ok in zip(found.split(name).faces, mask, strict=True) if ok))
        for name, mask in keep.items()
        if len(mask)
    }
    return replace(found, **kept)


def parse(name: str) -> tuple[int, int, int] | None:
    """(age, gender, race) of a file name, or None where a field is missing or out of range."""
    match = _FILE_NAME.match(name)
    if match is None or int(match[1]) > AGE_BANDS[-1][1]:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def order(name: str) -> str:
    """What the splits are sorted by: SHA-256 of the file name, the same for `x.jpg` and the public `x.jpg.chip.jpg`."""
    return hashlib.sha256(f"{name.partition('.')[0]}.jpg".encode()).hexdigest()


def age_band(age: int) -> str:
    """The label of an age's band, such as "20-39" or "60+"."""
    low, high = next((band for band in AGE_BANDS if age <= band[1]), AGE_BANDS[-1])
    return f"{low}+" if (low, high) == AGE_BANDS[-1] else f"{low}-{high}"


def _files(root: Path) -> tuple[Path, list[Path]]:
    for base in (root / NAME, root / "UTKFace", root):
        if not base.is_dir():
            continue
        folders = [base / part for part in _PARTS if (base / part).is_dir()] or [base]
        files = sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if files:
            return base, files
    raise UnknownLayout(
        f"{root} holds no UTKFace: expected images named AGE_GENDER_RACE_DATE.jpg in it, in {NAME}/ or UTKFace/, or in "
        f"{', '.join(_PARTS)}. Point --data at that folder, or at the one that holds {NAME}/."
    )
