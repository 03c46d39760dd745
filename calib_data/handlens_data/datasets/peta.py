"""PETA (Deng et al., ACM Multimedia 2014): attributes of pedestrians in ten older data sets, research use only.

Two layouts are read: the public one, `PETA dataset/SUBSET/archive/` with the images and a `Label.txt`, and
`peta/SUBSET/` with the same. A line of `Label.txt` is an identity and its attributes; the identity is the prefix of the
image files up to the first `_`. CUHK's identities are file names that end in `.png`, whatever the files end in.

PETA's 61 binary attributes and 4 colours become six heads; what is not said, said twice or not one of the classes is
missing:

- gender: personalMale, personalFemale.
- torso_type: upperBodyLongSleeve, upperBodyShortSleeve. No sleeve at all is neither.
- torso_colour, leg_colour: upperBodyBlack, lowerBodyBlack, ...: the eleven colours, where exactly one is named.
- leg_type: trousers are lowerBodyTrousers, Jeans and Suits; shorts are Shorts and HotPants; skirt is ShortSkirt and
  LongSkirt (dresses count as one). Capri trousers end between the two, and are missing.
- luggage: none is carryingNothing; backpack; bag is MessengerBag (any bag on a shoulder or in a hand) or PlasticBags;
  case is LuggageCase, Suitcase and ShoppingTro(lley). Two kinds at once are missing. carryingOther, Folder, Umbrella
  and BabyBuggy say nothing of luggage: alone they are missing, and beside a backpack they change nothing.

The split is by the SHA-256 of "SUBSET/IDENTITY", modulo 10: 0 and 1 are the test, 2 is val, the rest trains. CUHK and
MIT give each image an identity of its own, and yet show people again: neighbours in a frame, and the next frame. There
20 consecutive numbers are one group. Two stretches of CUHK (`REPEATED`) show the same people again some 80 to 290
numbers later; they train. Training uses `unseen`, which leaves out further copies of a held-out image.

Counts here (all subsets but GRID, 128x64): 11,406 images; six identities have no image. See docs/attributes.md for
the classes.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from handlens.errors import DataError, EmptyFolder, UnknownLayout
from handlens_data.datasets import copies
from handlens_data.datasets.attributes import COLOURS, HEADS, AttributeSample, AttributeSplit, only
from handlens_data.datasets.identity import IMAGE_SUFFIXES
from handlens_data.datasets.splits import filled_split

NAME = "peta"
LICENCE = "research use only (PETA, Deng et al. 2014)"
LABELS = "Label.txt"
# Subsets with one label an image, and how many consecutive images are taken for one group.
SINGLE, RUN = ("CUHK", "MIT"), 20
# CUHK's stretches in which the same people come twice (found with a re-ID model, looked at by eye).
REPEATED = ((1090, 1670), (2190, 2590))

_CLASSES: dict[str, dict[str, str]] = {
    "gender": {"personalMale": "male", "personalFemale": "female"},
    "torso_type": {
        "upperBodyLongSleeve": "long sleeve",
        "upperBodyShortSleeve": "short sleeve",
        "upperBodyNoSleeve": "",
    },
    "torso_colour": {f"upperBody{colour.title()}": colour for colour in COLOURS},
    "leg_type": {
        "lowerBodyTrousers": "trousers",
        "lowerBodyJeans": "trousers",
        "lowerBodySuits": "trousers",
        "lowerBodyShorts": "shorts",
        "lowerBodyHotPants": "shorts",
        "lowerBodyCapri": "",
        "lowerBodyShortSkirt": "skirt",
        "lowerBodyLongSkirt": "skirt",
    },
    "leg_colour": {f"lowerBody{colour.title()}": colour for colour in COLOURS},
    "luggage": {
        "carryingNothing": "none",
        "carryingBackpack": "backpack",
        "carryingMessengerBag": "bag",
        "carryingPlasticBags": "bag",
        "carryingLuggageCase": "case",
        "carryingSuitcase": "case",
        "carryingShoppingTro": "case",
    },
}
"""Head to PETA's attribute to the class; "" is known, and none of the classes: it makes the label missing."""


@dataclass(frozen=True, slots=True)
class Peta:
    """The splits of one folder. `skipped`: image files without a line in their Label.txt, as "SUBSET/FILE"."""

    root: Path
    train: AttributeSplit
    val: AttributeSplit
    test: AttributeSplit
    skipped: tuple[str, ...]

    def split(self, name: str) -> AttributeSplit:
        """A split by its name.

        Raises:
            OptionError: there is no such split.
            DataError: it is empty: the folder has too few identities for it.
        """
        splits = {"train": self.train, "val": self.val, "test": self.test}
        dealt = "a fifth of the people are the test, a tenth the validation, by the hash of SUBSET/IDENTITY"
        return filled_split(NAME, name, splits, self.root, dealt)


def load(root: Path) -> Peta:
    """Read either layout under `root`, whichever subsets are there.

    Raises:
        UnknownLayout: no sub-folder holds a Label.txt.
        EmptyFolder: no image has a line in one.
        DataError: a Label.txt is not text.
    """
    base, folders = _folders(root)
    parts: dict[str, list[AttributeSample]] = {"train": [], "val": [], "test": []}
    skipped = []
    for folder in folders:
        subset = folder.parent.name if folder.name == "archive" else folder.name
        labels = read_labels(folder / LABELS)
        for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES):
            identity = path.stem if path.stem in labels else path.stem.partition("_")[0]
            if identity not in labels:
                skipped.append(f"{subset}/{path.name}")
                continue
            group = group_of(subset, identity)
            parts[split_of(group)].append(AttributeSample(path, group, labels[identity]))
    if not any(parts.values()):
        raise EmptyFolder(f"{base} holds no image whose name begins with an identity of its {LABELS}.")
    return Peta(
        base, skipped=tuple(skipped), **{name: AttributeSplit(name, tuple(rows)) for name, rows in parts.items()}
    )


def unseen(found: Peta) -> Peta:
    """The same splits without copies across them: training loses what copies an image of val or test, val one of test.

    Reads every image once.

    Raises:
        ImageError: a file cannot be read.
    """
    rows = {split.name: copies.thumbnails(split.paths) for split in (found.train, found.val, found.test)}
    keep = {
        "train": ~copies.has_copy(rows["train"], np.concatenate([rows["val"], rows["test"]])),
        "val": ~copies.has_copy(rows["val"], rows["test"]),
    }
    parts = {"train": found.train, "val": found.val}
    return replace(
        found,
        **{
            name: AttributeSplit(name, tuple(row for row, ok in zip(split.samples, keep[name], strict=True) if ok))
            for name, split in parts.items()
        },
    )


def read_labels(path: Path) -> dict[str, tuple[int, ...]]:
    """Identity, without a file's suffix, to its six labels.

    Raises:
        DataError: the file is not text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no {LABELS} of PETA ({error}). Copy it again from the set.") from error
    rows = [line.split() for line in lines if line.strip()]
    return {_without_suffix(row[0]): labels_of(row[1:]) for row in rows}


def labels_of(attributes: Iterable[str]) -> tuple[int, ...]:
    """PETA's attributes of a person as one label a head; see the module for what is missing."""
    given = set(attributes)
    return tuple(only([_CLASSES[head][name] for name in given & _CLASSES[head].keys()], head) for head in HEADS)


def group_of(subset: str, identity: str) -> str:
    """Whom the split keeps together: "SUBSET/IDENTITY", or a stretch of numbers where each image is an identity."""
    if subset not in SINGLE or not identity.isdigit():
        return f"{subset}/{identity}"
    number = int(identity)
    for first, last in REPEATED if subset == "CUHK" else ():
        if first <= number <= last:
            return f"{subset}/repeated {first}-{last}"
    return f"{subset}/{number // RUN * RUN}-{number // RUN * RUN + RUN - 1}"


def split_of(group: str) -> str:
    """The split of a group: by its hash, so that nobody chose it. Repeated stretches train."""
    if "/repeated " in group:
        return "train"
    place = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10
    return "test" if place < 2 else "val" if place == 2 else "train"


def _without_suffix(name: str) -> str:
    return Path(name).stem if Path(name).suffix.lower() in IMAGE_SUFFIXES else name


def _folders(root: Path) -> tuple[Path, list[Path]]:
    for base in (root / NAME, root / "PETA dataset", root / "PETA", root / "PETA" / "PETA dataset", root):
        if base.is_dir():
            inner = sorted(path for path in base.iterdir() if path.is_dir())
            found = [folder for path in inner for folder in (path / "archive", path) if (folder / LABELS).is_file()]
            if found:
                return base, found
    raise UnknownLayout(
        f"{root} holds no PETA: expected folders such as VIPeR/ or VIPeR/archive/ with images and a {LABELS}, in it, "
        f'in {NAME}/ or in "PETA dataset/". Point --data at that folder, or at the one that holds it.'
    )
