"""Penn-Fudan pedestrians (Wang et al., ACCV 2007): street scenes with a mask of every person; research use.

Layouts read, in the folder itself, in `pennfudan/` or in `PennFudanPed/`: `images/` and `masks/`, or the public
`PNGImages/` and `PedMasks/`; the mask of `FudanPed00001` is `FudanPed00001_mask.png` or bears the image's own name.
Pixels count the people from 1; 0 is the background.

170 images, 423 people; those that are small or mostly hidden are not labelled, and count as background. It is never
trained on: all of it is a test across data sets.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import EmptyFolder, ImageError, UnknownLayout
from handlens_data.datasets.identity import list_images

NAME = "pennfudan"
LICENCE = "research use only (Penn-Fudan, Wang et al. 2007)"
_FOLDERS = (("images", "masks"), ("PNGImages", "PedMasks"))


@dataclass(frozen=True, slots=True)
class Scene:
    """One image, and the file that numbers its people."""

    path: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class PennFudan:
    """The whole set, sorted by file name."""

    scenes: tuple[Scene, ...]

    def sha256(self) -> str:
        """Hash over every file's name and bytes, masks included."""
        digest = hashlib.sha256()
        for scene in self.scenes:
            for path in (scene.path, scene.mask):
                digest.update(path.name.encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.scenes)


def load(root: Path) -> PennFudan:
    """Read either layout under `root`.

    Raises:
        UnknownLayout: neither is there.
        EmptyFolder: there are no images, or none of them has a mask.
    """
    for base in (root / NAME, root / "PennFudanPed", root):
        for images, masks in _FOLDERS:
            if (base / images).is_dir() and (base / masks).is_dir():
                return _read(base / images, base / masks)
    raise UnknownLayout(
        f"{root} holds no Penn-Fudan: expected images/ and masks/, or PNGImages/ and PedMasks/, in it, in {NAME}/ or "
        "in PennFudanPed/. Point --data at one of them."
    )


def read_mask(path: Path) -> np.ndarray:
    """The people of an image: uint8 (H, W), 0 background, 1, 2, ... a person each.

    Raises:
        ImageError: the file cannot be read.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ImageError(f"{path} is no mask: expected an 8-bit image of one channel.")
    return np.asarray(pixels)


def _read(images: Path, masks: Path) -> PennFudan:
    found = []
    for path in list_images(images):
        names = (f"{path.stem}_mask.png", f"{path.stem}.png")
        mask = next((masks / name for name in names if (masks / name).is_file()), None)
        if mask is not None:
            found.append(Scene(path, mask))
    if not found:
        raise EmptyFolder(f"{masks} holds no mask of an image in {images}, such as FudanPed00001_mask.png.")
    return PennFudan(tuple(found))
