"""Clothing Co-Parsing (Yang, Luo and Lin, CVPR 2014): street photographs with a label for every pixel; Apache-2.0.

Layouts read, in the folder itself, in `ccp/` or in `clothing-co-parsing/`:

- `photos/0001.jpg`, `masks/0001.png` (values 0 to 58, 0 the background) and `labels.txt`, a name a line;
- the public one: `photos/0001.jpg` and `annotations/pixel-level/0001.mat` (variable `groundtruth`), which needs SciPy.

Photographs without a mask are left out, and so are those of `UNLABELLED`, whose masks are empty though they show
somebody. Of several people on a photograph only the one in front has labels: passers-by are background.

The split was fixed before any training: SHA-256 of the photograph's file name modulo 10; 0 and 1 are test, 2 is val.
Counts here: 803 photographs; train 582, val 76, test 145.

The same shot occurs twice or thrice: `unseen` leaves out of training what copies a held-out photograph (576 remain).

The 59 labels are grouped into `GROUPS`; shares of the person's pixels, and photographs that show the group, of 803:

  background              3.323 803    footwear    0.049 785
  skin                    0.127 803    bag         0.058 567
  hair                    0.055 766    accessories 0.026 553
  upper clothing          0.347 710
  trousers and stockings  0.177 516
  skirt or dress          0.161 371
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import DataError, EmptyFolder, ImageError, MissingExtra, UnknownLayout
from handlens_data.datasets import copies
from handlens_data.datasets.faces import SPLITS, split_of
from handlens_data.datasets.identity import list_images
from handlens_data.datasets.splits import require_split

NAME = "ccp"
LICENCE = "Apache-2.0 (Clothing Co-Parsing, Yang et al. 2014)"
UNLABELLED = ("0536.jpg",)
# A further shot of the same scene; other people before a like wall correlate up to 0.88, so a few too many go.
ALIKE = 0.85
# In the order of the values in the masks, as labels.txt and the public label_list.mat have them.
LABELS = tuple(
    "null accessories bag belt blazer blouse bodysuit boots bra bracelet cape cardigan clogs coat dress earrings flats "
    "glasses gloves hair hat heels hoodie intimate jacket jeans jumper leggings loafers necklace panties pants pumps "
    "purse ring romper sandals scarf shirt shoes shorts skin skirt sneakers socks stockings suit sunglasses sweater "
    "sweatshirt swimwear t-shirt tie tights top vest wallet watch wedges".split()
)
GROUPS: dict[str, tuple[str, ...]] = {
    "background": ("null",),
    "skin": ("skin",),
    "hair": ("hair",),
    "upper clothing": tuple(
        "blazer blouse bodysuit bra cape cardigan coat hoodie intimate jacket jumper shirt suit sweater sweatshirt "
        "swimwear t-shirt top vest".split()
    ),
    "trousers and stockings": tuple("jeans leggings panties pants shorts stockings tights".split()),
    "skirt or dress": ("dress", "romper", "skirt"),
    "footwear": tuple("boots clogs flats heels loafers pumps sandals shoes sneakers socks wedges".split()),
    "bag": ("bag", "purse", "wallet"),
    "accessories": tuple(
        "accessories belt bracelet earrings glasses gloves hat necklace ring scarf sunglasses tie watch".split()
    ),
}
NAMES = tuple(GROUPS)
_SUFFIXES = (".png", ".mat")


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph, and the file that labels its pixels."""

    path: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class CCPSplit:
    """One split, sorted by file name. `labels` are the names of the masks' values."""

    name: str
    photos: tuple[Photo, ...]
    labels: tuple[str, ...] = LABELS

    @property
    def paths(self) -> list[Path]:
        """File of each photograph."""
        return [photo.path for photo in self.photos]

    def groups(self, index: int) -> np.ndarray:
        """The grouped labels of a photograph: uint8 (H, W), indices into `NAMES`.

        Raises:
            ImageError: the mask cannot be read, or holds a value that is no label.
        """
        return group(read_mask(self.photos[index].mask), self.labels, self.photos[index].mask)

    def sha256(self) -> str:
        """Hash over every file's name and bytes, masks included: two runs with the same hash saw the same data."""
        digest = hashlib.sha256()
        for photo in self.photos:
            for path in (photo.path, photo.mask):
                digest.update(path.name.encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.photos)


def load(root: Path, split: str) -> CCPSplit:
    """One split of either layout under `root`.

    Raises:
        OptionError: there is no such split.
        UnknownLayout: neither layout is there.
        EmptyFolder: there are no photographs, or none of them has a mask.
        DataError: labels.txt holds a label that belongs to no group.
    """
    require_split(NAME, split, SPLITS)
    base, masks = _base(root)
    labels = _labels(base / "labels.txt")
    found = []
    for path in list_images(base / "photos"):
        mask = next((masks / f"{path.stem}{end}" for end in _SUFFIXES if (masks / f"{path.stem}{end}").is_file()), None)
        if mask is not None and path.name not in UNLABELLED:
            found.append(Photo(path, mask))
    if not found:
        raise EmptyFolder(f"{masks} holds no mask of a photograph in {base / 'photos'}, such as 0001.png or 0001.mat.")
    return CCPSplit(split, tuple(photo for photo in found if split_of(photo.path.name) == split), labels)


def unseen(train: CCPSplit, *held: CCPSplit) -> CCPSplit:
    """Training without what copies a photograph of `held` under another name. Reads every photograph once.

    Raises:
        ImageError: a file cannot be read.
    """
    rows = [copies.thumbnails(split.paths) for split in held if len(split)]
    if not rows:
        return train
    copied = copies.has_copy(copies.thumbnails(train.paths), np.concatenate(rows), ALIKE)
    kept = (photo for photo, copy in zip(train.photos, copied, strict=True) if not copy)
    return replace(train, photos=tuple(kept))


def read_mask(path: Path) -> np.ndarray:
    """The raw labels of a photograph's pixels, uint8 (H, W), from a PNG or a MATLAB file.

    Raises:
        ImageError: the file cannot be read.
        MissingExtra: a MATLAB file, and SciPy is not installed.
    """
    if path.suffix == ".mat":
        try:
            from scipy.io import loadmat
        except ImportError:
            raise MissingExtra("scipy", "train") from None
        try:
            return np.asarray(loadmat(str(path))["groundtruth"], np.uint8)
        except (KeyError, ValueError, OSError, TypeError, NotImplementedError) as error:
            raise ImageError(f"{path} is no mask: expected a MATLAB file with `groundtruth` ({error}).") from error
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ImageError(f"{path} is no mask: expected an 8-bit image of one channel.")
    return np.asarray(pixels)


def group(mask: np.ndarray, labels: tuple[str, ...] = LABELS, where: Path | str = "the mask") -> np.ndarray:
    """Raw labels, uint8 (H, W), as indices into `NAMES`, uint8 (H, W).

    Raises:
        ImageError: a value has no label.
    """
    if mask.size and int(mask.max()) >= len(labels):
        raise ImageError(f"{where} holds the value {int(mask.max())}; valid: 0 to {len(labels) - 1}.")
    table = np.zeros(256, np.uint8)
    for value, label in enumerate(labels):
        table[value] = next(index for index, name in enumerate(NAMES) if label in GROUPS[name])
    return np.asarray(table[mask])


def _base(root: Path) -> tuple[Path, Path]:
    for base in (root / NAME, root / "clothing-co-parsing", root):
        for masks in (base / "masks", base / "annotations" / "pixel-level"):
            if (base / "photos").is_dir() and masks.is_dir():
                return base, masks
    raise UnknownLayout(
        f"{root} holds no Clothing Co-Parsing: expected photos/ beside masks/ or annotations/pixel-level/, in it, in "
        f"{NAME}/ or in clothing-co-parsing/. Point --data at one of them."
    )


def _labels(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return LABELS
    labels = tuple(path.read_text(encoding="utf-8").split())
    known = {label for members in GROUPS.values() for label in members}
    strange = [label for label in labels if label not in known]
    if strange or not labels:
        raise DataError(f"{path} names {strange[0] if strange else 'no label'}, which no group holds; see {__name__}.")
    return labels
