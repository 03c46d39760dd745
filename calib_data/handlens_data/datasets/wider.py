"""WIDER FACE (Yang et al., CVPR 2016): 32,203 photographs, 393,703 faces, research use only. The public layout.

`WIDER_train/images/EVENT/NAME.jpg` and `wider_face_split/wider_face_train_bbx_gt.txt`, likewise for val; either split
alone is fine. The text lists an image's path, the number of its faces, and a line a face: x, y, width, height, blur,
expression, illumination, invalid, occlusion, pose. Faces flagged invalid, and boxes without an area, are regions to
ignore. The public test part has no boxes; val is what people measure on, so it is "val" and "test" here alike.
"""

from collections.abc import Iterator
from pathlib import Path

from handlens.errors import DataError, UnknownLayout
from handlens_data.datasets.boxes import BoxSplit, FaceImage, Faces
from handlens_data.datasets.splits import require_split

NAME = "wider"
LICENCE = "research use only (WIDER FACE, Yang et al. 2016)"
_PARTS = {"train": "train", "val": "val", "test": "val"}
_INVALID = 7


def load(root: Path, split: str) -> BoxSplit:
    """One split under `root`, `root/wider` or `root/WIDER_FACE`.

    Raises:
        OptionError: there is no such split.
        UnknownLayout: the split's text file is not there.
        DataError: the text is damaged.
    """
    require_split(NAME, split, _PARTS)
    part = _PARTS[split]
    for base in (root, root / NAME, root / "WIDER_FACE"):
        text = base / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt"
        if text.is_file():
            folder = base / f"WIDER_{part}" / "images"
            entries = sorted(read(text), key=lambda entry: entry[0])
            return BoxSplit(split, tuple(FaceImage(folder / name, name, faces) for name, faces in entries))
    raise UnknownLayout(
        f"{root} holds no wider_face_split/wider_face_{part}_bbx_gt.txt. Point --data at the folder of WIDER FACE."
    )


def read(text: Path) -> Iterator[tuple[str, Faces]]:
    """(path of the image, faces) of each image in a ground truth file.

    Raises:
        DataError: the text is damaged.
    """
    lines = iter(text.read_text().splitlines())
    number = 0
    for name in lines:
        number += 1
        if not name.strip():
            continue
        try:
            count = int(next(lines))
            rows = [[int(value) for value in next(lines).split()] for _ in range(max(count, 1))]
            if any(len(row) < _INVALID + 1 for row in rows):
                raise ValueError("a row of too few numbers")
        except (StopIteration, RuntimeError, ValueError) as error:
            raise DataError(f"{text}, line {number} ({name[:80]}): damaged ({error}). Unpack it again.") from error
        number += 1 + len(rows)
        faces = [(row[0], row[1], row[0] + row[2], row[1] + row[3], row[_INVALID]) for row in rows[:count]]
        sound = [face[:4] for face in faces if face[2] > face[0] and face[3] > face[1] and not face[4]]
        yield name.strip(), Faces.of_boxes(sound, [face[:4] for face in faces if face[:4] not in sound])
