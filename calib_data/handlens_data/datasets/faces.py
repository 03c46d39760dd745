"""Folders of photographs with face boxes in one `boxes.csv` (file, kind, x1, y1, x2, y2 in pixels).

- `faces_multi`: scenes of one to 115 faces, most of them masked, boxes from brow to chin. 598 images, 2,852 boxes:
  train 420, val 52, test 126 images. Public domain by memory, unverified.
- `faces_one`: press photographs, one box each, which holds the whole head with its hair. 800 images: train 581, val 75,
  test 144. Licence unknown, research only; people overlap LFW's.

The split was fixed before any training: SHA-256 of the file name modulo 10; 0 and 1 are test, 2 is val.
"""

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

from handlens.errors import DataError, UnknownLayout
from handlens_data.datasets.boxes import BoxSplit, FaceImage, Faces
from handlens_data.datasets.identity import list_images
from handlens_data.datasets.splits import require_split

LICENCES = {
    "faces_multi": "public domain by memory, unverified",
    "faces_one": "unknown, research use only",
}
SPLITS = ("train", "val", "test")
CSV = "boxes.csv"


def split_of(file_name: str) -> str:
    """The split of a file, by its name alone."""
    digit = int(hashlib.sha256(file_name.encode()).hexdigest(), 16) % 10
    return "test" if digit < 2 else "val" if digit == 2 else "train"


def load(root: Path, name: str, split: str) -> BoxSplit:
    """One split of a folder `root/name`, or of `root` itself where it holds a boxes.csv.

    Images without a row in boxes.csv are images without a face.

    Raises:
        OptionError: there is no such split.
        UnknownLayout: no boxes.csv is there.
        DataError: a row is damaged, or names a file that is missing.
        EmptyFolder: the folder holds no image.
    """
    require_split(name, split, SPLITS)
    base = next((folder for folder in (root / name, root) if (folder / CSV).is_file()), None)
    if base is None:
        raise UnknownLayout(
            f"{root} holds neither {name}/{CSV} nor {CSV}. It lists file,kind,x1,y1,x2,y2 in pixels, a row a face."
        )
    boxes = read_csv(base / CSV)
    paths = list_images(base)
    missing = sorted(set(boxes) - {path.name for path in paths})
    if missing:
        raise DataError(f"{base / CSV} names {missing[0]}, which is not in {base}. Bring the image or remove the row.")
    chosen = (path for path in paths if split_of(path.name) == split)
    return BoxSplit(
        split, tuple(FaceImage(path, path.name, Faces.of_boxes(boxes.get(path.name, ()))) for path in chosen)
    )


def read_csv(file: Path) -> dict[str, list[tuple[float, ...]]]:
    """Boxes (x1, y1, x2, y2) of each file named in a boxes.csv.

    Raises:
        DataError: a column is missing, or a row is no box.
    """
    columns = ("x1", "y1", "x2", "y2")
    boxes: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with file.open(newline="") as stream:
        rows = csv.DictReader(stream)
        lacking = [name for name in ("file", *columns) if name not in (rows.fieldnames or ())]
        if lacking:
            raise DataError(f"{file} lacks the column {lacking[0]}; expected file,kind,x1,y1,x2,y2.")
        for row in rows:
            try:
                box = tuple(float(row[name]) for name in columns)
            except (TypeError, ValueError):
                box = (0.0,) * 4
            if not (box[2] > box[0] and box[3] > box[1]):
                raise DataError(f"{file}, line {rows.line_num}: no box with x1 < x2 and y1 < y2. Correct the row.")
            boxes[row["file"]].append(box)
    return dict(boxes)
