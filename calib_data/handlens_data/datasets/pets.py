"""Oxford-IIIT Pet (Parkhi et al., CVPR 2012): 37 breeds of cats and dogs, with masks; CC BY-SA 4.0.

Layouts read, in the folder itself, in `pets/` or in `oxford-iiit-pet/`:

- the public one: `images/`, `annotations/trimaps/`, and the lists `annotations/trainval.txt` and `test.txt`
  (7,349 images, each with a mask). The test is `test.txt`;
- a smaller one: `train/` and `test/` images without masks, `masked_dev/` images with a mask beside each.

The breed stands in the file name (`american_bulldog_12.jpg`). A mask is a trimap, `NAME.png`: 1 pet, 2 background,
3 border, where nobody says which of the two it is; training and figures leave the border out.

Splits, fixed before any training by the SHA-256 of the file name modulo 10. Of what is not the test, 2 is val. In the
smaller layout masked images are dealt out first: 0, 1, 2 and whatever is in `test/` as well are `masked-test`, 3 is
`masked-val`, and those are in no other split but `test`; the others train, with their breed and their mask. In the
public layout every image has a mask, and `masked-test` and `masked-val` are test and val. `unseen` then leaves out of
training what copies a held-out picture under another name.

Counts of the smaller layout here: train 692, 41 of them with a mask (690 after `unseen`); val 76; test 368; masked-val
7; masked-test 27, 4 of which are in test, too.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import DataError, EmptyFolder, ImageError, UnknownLayout
from handlens_data.datasets import copies
from handlens_data.datasets.identity import IMAGE_SUFFIXES
from handlens_data.datasets.splits import require_split

NAME = "pets"
MASKED = "pets-masked"
LICENCE = "CC BY-SA 4.0 (Oxford-IIIT Pet, Parkhi et al. 2012)"
BACKGROUND, FOREGROUND, IGNORED = 0, 1, 255
SPLITS = ("train", "val", "test", "masked-val", "masked-test")
# As in the file names, in the order of the set's own class ids.
BREEDS = tuple(
    "Abyssinian american_bulldog american_pit_bull_terrier basset_hound beagle Bengal Birman Bombay boxer "
    "British_Shorthair chihuahua Egyptian_Mau english_cocker_spaniel english_setter german_shorthaired great_pyrenees "
    "havanese japanese_chin keeshond leonberger Maine_Coon miniature_pinscher newfoundland Persian pomeranian pug "
    "Ragdoll Russian_Blue saint_bernard samoyed scottish_terrier shiba_inu Siamese Sphynx staffordshire_bull_terrier "
    "wheaten_terrier yorkshire_terrier".split()
)
_INDEX = {breed.lower(): index for index, breed in enumerate(BREEDS)}
_FILE_NAME = re.compile(r"^(\D+)_\d+\.\w+$")
_TRIMAP = {1: FOREGROUND, 2: BACKGROUND, 3: IGNORED}


@dataclass(frozen=True, slots=True)
class Pet:
    """One image. `breed` is an index into `BREEDS`; `mask` the trimap's file, None where there is none."""

    path: Path
    breed: int
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class PetSplit:
    """One split, sorted by file name."""

    name: str
    pets: tuple[Pet, ...]

    @property
    def paths(self) -> list[Path]:
        """File of each image."""
        return [pet.path for pet in self.pets]

    @property
    def breeds(self) -> np.ndarray:
        """(N,) int64, indices into `BREEDS`."""
        return np.array([pet.breed for pet in self.pets], np.int64)

    @property
    def masked(self) -> "PetSplit":
        """Those with a mask."""
        return PetSplit(self.name, tuple(pet for pet in self.pets if pet.mask is not None))

    def sha256(self) -> str:
        """Hash over every file's name and bytes, masks included: two runs with the same hash saw the same data."""
        digest = hashlib.sha256()
        for pet in self.pets:
            for path in (pet.path, pet.mask):
                if path is not None:
                    digest.update(path.name.encode())
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.pets)


@dataclass(frozen=True, slots=True)
class Pets:
    """The splits of one folder, and the names of the files that were skipped because they carry no known breed."""

    root: Path
    splits: dict[str, PetSplit]
    skipped: tuple[str, ...]

    def split(self, name: str) -> PetSplit:
        """A split by its name; it may be empty where the folder has too little for it.

        Raises:
            OptionError: there is no such split.
        """
        require_split(NAME, name, SPLITS)
        return self.splits[name]


def load(root: Path) -> Pets:
    """Read either layout under `root`.

    Raises:
        UnknownLayout: neither is there.
        EmptyFolder: no image whose name carries a breed trains.
        DataError: a list names an image that is missing.
    """
    for base in (root / NAME, root / "oxford-iiit-pet", root):
        if (base / "annotations" / "trainval.txt").is_file():
            found = _public(base)
        elif (base / "train").is_dir() and (base / "test").is_dir():
            found = _small(base)
        else:
            continue
        if not found.split("train"):
            raise EmptyFolder(f"{base} holds no training image named like Abyssinian_12.jpg, BREED_NUMBER.")
        return found
    raise UnknownLayout(
        f"{root} holds no Oxford-IIIT Pet: expected images/ and annotations/ with trainval.txt and test.txt, or train/ "
        f"and test/ with images; in it, in {NAME}/ or in oxford-iiit-pet/. Point --data at one of them."
    )


def unseen(found: Pets) -> Pets:
    """The same splits, but training without copies of held-out pictures under other names. Reads every image once.

    Raises:
        ImageError: a file cannot be read.
    """
    held = [split for name, split in found.splits.items() if name != "train" and len(split)]
    train = found.split("train")
    if not held:
        return found
    rows = np.concatenate([copies.thumbnails(split.paths) for split in held])
    copied = copies.has_copy(copies.thumbnails(train.paths), rows)
    kept = PetSplit("train", tuple(pet for pet, copy in zip(train.pets, copied, strict=True) if not copy))
    return replace(found, splits=found.splits | {"train": kept})


def breed_of(file_name: str) -> int | None:
    """The index of a file's breed, or None where the name carries none."""
    match = _FILE_NAME.match(file_name)
    return _INDEX.get(match[1].lower()) if match else None


def digit(file_name: str) -> int:
    """0 to 9, what the splits are dealt by; the same for `x.jpg` and `x.png`."""
    return int(hashlib.sha256(f"{file_name.rpartition('.')[0]}.jpg".encode()).hexdigest(), 16) % 10


def read_mask(path: Path) -> np.ndarray:
    """A trimap as uint8 (H, W): 1 pet, 0 background, 255 the border, which nobody decided.

    Raises:
        ImageError: the file cannot be read, or holds other values than 1, 2 and 3.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2:
        raise ImageError(f"{path} is no trimap: expected a one-channel image of the values 1, 2 and 3.")
    table = np.full(256, 7, np.uint8)
    table[list(_TRIMAP)] = list(_TRIMAP.values())
    mask = np.asarray(table[pixels.astype(np.uint8)])
    if (mask == 7).any():
        raise ImageError(f"{path} holds the values {np.unique(pixels)[:8].tolist()}; a trimap's are 1, 2 and 3.")
    return mask


def _small(base: Path) -> Pets:
    train, test, masked = (_folder(base / name) for name in ("train", "test", "masked_dev"))
    masked = {name: path for name, path in masked.items() if path.with_suffix(".png").is_file()}
    dealt: dict[str, list[Pet]] = {name: [] for name in SPLITS}
    skipped = []

    def put(split: str, path: Path, mask: Path | None = None) -> None:
        breed = breed_of(path.name)
        if breed is None:
            skipped.append(path.name)
        else:
            dealt[split].append(Pet(path, breed, mask))

    for name, path in masked.items():
        put(_masked_split(name, name in test), path, path.with_suffix(".png"))
    for name, path in train.items():
        if name not in masked and name not in test:
            put("val" if digit(name) == 2 else "train", path)
    for path in test.values():
        put("test", path)
    return Pets(base, {name: _sorted(name, pets) for name, pets in dealt.items()}, tuple(sorted(set(skipped))))


def _masked_split(name: str, tested: bool) -> str:
    number = digit(name)
    return "masked-test" if tested or number <= 2 else "masked-val" if number == 3 else "train"


def _public(base: Path) -> Pets:
    dealt: dict[str, list[Pet]] = {name: [] for name in ("train", "val", "test")}
    skipped = []
    for name in ("trainval", "test"):
        file = base / "annotations" / f"{name}.txt"
        if not file.is_file():
            raise DataError(f"{file} is missing: it lists the images of {name}, one a line.")
        for line in file.read_text().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            path = base / "images" / f"{line.split()[0]}.jpg"
            mask = base / "annotations" / "trimaps" / f"{path.stem}.png"
            breed = breed_of(path.name)
            if breed is None:
                skipped.append(path.name)
                continue
            if not path.is_file():
                raise DataError(f"{file} names {path.name}, and {path.parent} has no such file. Unpack the set again.")
            split = "test" if name == "test" else "val" if digit(path.name) == 2 else "train"
            dealt[split].append(Pet(path, breed, mask if mask.is_file() else None))
    splits = {name: _sorted(name, pets) for name, pets in dealt.items()}
    for part in ("val", "test"):
        splits[f"masked-{part}"] = PetSplit(f"masked-{part}", splits[part].masked.pets)
    return Pets(base, splits, tuple(sorted(skipped)))


def _folder(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES)
    # A trimap lies beside its image under the same stem: only .png files that are alone are images.
    by_stem: dict[str, Path] = {}
    for path in files:
        if path.suffix.lower() != ".png" or path.stem not in by_stem:
            by_stem[path.stem] = path
    return {path.name: path for path in by_stem.values()}


def _sorted(name: str, pets: list[Pet]) -> PetSplit:
    return PetSplit(name, tuple(sorted(pets, key=lambda pet: pet.path.name)))
