"""Market-1501 (Zheng et al., ICCV 2015): person re-identification under six cameras, 128x64 RGB, research use only.

Two layouts are read:

- the public one, `bounding_box_train/` (751 identities, 12,936 images), `query/` (3,368) and `bounding_box_test/`
(19,732);
- the small protocol, `train/` (450 identities, 8,519 images), `probe/` and `gallery/` (301 further identities, one
image
  each, from different cameras). A folder with `probe/` and `gallery/` alone can be evaluated, too.

File names carry the labels: `0002_c1s1_000451_03.jpg` is identity 2 under camera 1; `-1_...` is junk, `0000_...` a
distractor.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from handlens.errors import DataError, UnknownLayout
from handlens_data.datasets.identity import IdentitySample, IdentitySplit, hold_out, list_images

NAME = "market1501"
LICENCE = "research use only (Market-1501, Zheng et al. 2015)"
VAL_IDENTITIES = 50
VAL_SEED = 0

_FILE_NAME = re.compile(r"^(-1|\d+)_c(\d+)")


@dataclass(frozen=True, slots=True)
class Market1501:
    """The splits of one folder; those that the folder lacks are None."""

    root: Path
    protocol: str
    train: IdentitySplit | None
    val: IdentitySplit | None
    probe: IdentitySplit | None
    gallery: IdentitySplit | None


def load(root: Path, *, val_identities: int = VAL_IDENTITIES, val_seed: int = VAL_SEED) -> Market1501:
    """Read either layout under `root` (or under `root/market1501`).

    "val" is `val_identities` of the training identities, drawn with `val_seed`; they never train.

    Raises:
        UnknownLayout: no known sub-folder is there.
        EmptyFolder: a sub-folder holds no image.
        DataError: a file name carries no identity and camera.
    """
    for base in (root, root / NAME, root / "Market-1501-v15.09.15"):
        for protocol, (train, probe, gallery) in _LAYOUTS.items():
            if (base / probe).is_dir() and (base / gallery).is_dir():
                train_split, val_split = None, None
                if (base / train).is_dir():
                    train_split, val_split = hold_out(read_folder(base / train), val_identities, val_seed)
                return Market1501(
                    root=base,
                    protocol=protocol,
                    train=train_split,
                    val=val_split,
                    probe=IdentitySplit("probe", read_folder(base / probe)),
                    gallery=IdentitySplit("gallery", read_folder(base / gallery)),
                )
    raise UnknownLayout(
        f"{root} has neither probe/ and gallery/ nor query/ and bounding_box_test/. "
        "Point --data at a folder in Market-1501's layout, or at the folder that holds market1501/."
    )


_LAYOUTS = {
    "probe-gallery": ("train", "probe", "gallery"),
    "market1501-full": ("bounding_box_train", "query", "bounding_box_test"),
}


def read_folder(folder: Path) -> tuple[IdentitySample, ...]:
    """Samples of one folder, identity and camera taken from the file names; junk (-1) is kept, for the metric drops it.

    Raises:
        DataError: a file name that does not follow Market-1501's pattern.
    """
    samples = []
    for path in list_images(folder):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise DataError(
                f"{path.name} in {folder} names no identity and camera; expected IDENTITY_cCAMERA..., "
                "for example 0002_c1s1_000451_03.jpg. Rename the file or remove it."
            )
        samples.append(IdentitySample(path, int(match[1]), int(match[2])))
    return tuple(samples)
