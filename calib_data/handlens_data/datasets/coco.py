"""COCO JSON of faces, as `handlens annotate` writes it and annotation tools export it.

Read are `images` (id, file_name) and `annotations`: image_id, bbox (x, y, width, height), keypoints (15 numbers: x, y
and visibility of the five points; left out where unknown), score (1 where missing), iscrowd (a region to ignore) and
attributes.gender ("female" or "male"). Categories are not looked at.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError
from handlens_data.datasets.boxes import UNKNOWN, BoxSplit, FaceImage, Faces

_GENDERS = {"male": 0, "female": 1}


def read(file: Path) -> dict[str, Faces]:
    """Faces of each image named in the file, by file_name; images without a face are there, too.

    Raises:
        DataError: no COCO file, or an annotation is damaged.
    """
    try:
        content = json.loads(file.read_text())
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        notes = [(note["image_id"], note) for note in content["annotations"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is no COCO JSON of boxes ({error!r}); expected images and annotations.") from error
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for owner, note in notes:
        if owner not in names:
            raise DataError(f"{file}: an annotation belongs to image {owner!r}, which images does not list.")
        rows[names[owner]].append(note)
    try:
        return {name: _faces(rows.get(name, [])) for name in names.values()}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file}: an annotation is damaged ({error!r}); expected bbox [x, y, width, height]."
        ) from error


def load(file: Path, folder: Path, split: str = "train") -> BoxSplit:
    """The annotated images of a folder as one split.

    Raises:
        DataError: no COCO file, or an image that it names is missing.
    """
    images = [FaceImage(folder / name, name, faces) for name, faces in sorted(read(file).items())]
    for image in images:
        if not image.path.is_file():
            raise DataError(f"{file} names {image.name}, which is not in {folder}. Give the folder it was made from.")
    return BoxSplit(split, tuple(images))


def _faces(notes: list[dict[str, Any]]) -> Faces:
    kept = [note for note in notes if not note.get("iscrowd")]
    boxes = np.array([_corners(note["bbox"]) for note in kept], np.float32).reshape(-1, 4)
    return Faces(
        boxes,
        np.array([_points(note.get("keypoints")) for note in kept], np.float32).reshape(-1, 5, 2),
        np.array([_GENDERS.get((note.get("attributes") or {}).get("gender"), UNKNOWN) for note in kept], np.int8),
        np.array([note.get("score", 1.0) for note in kept], np.float32),
        np.array([_corners(note["bbox"]) for note in notes if note.get("iscrowd")], np.float32).reshape(-1, 4),
    )


def _corners(bbox: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in bbox)
    if not (width > 0 and height > 0):
        raise ValueError(f"bbox {bbox} is empty")
    return x, y, x + width, y + height


def _points(keypoints: list[float] | None) -> np.ndarray:
    if not keypoints:
        return np.full((5, 2), np.nan, np.float32)
    values = np.array(keypoints, np.float32).reshape(5, 3)
    return np.where(values[:, 2:] > 0, values[:, :2], np.float32(np.nan))
