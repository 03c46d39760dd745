"""What every data set of face boxes is made of: annotated images, splits, a hash that names them."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
Floats = NDArray[np.float32]


def _none(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The faces of one image; coordinates are pixels of the upright image as stored, x to the right, y down.

    Attributes:
        boxes: (F, 4) float32, x1, y1, x2, y2.
        points: (F, 5, 2) float32, image-left eye, image-right eye, nose tip, image-left and image-right mouth corner;
            NaN where unknown.
        genders: (F,) int8, 0 male, 1 female, `UNKNOWN`.
        scores: (F,) float32, 0..1; 1 where a person drew the box, else the teacher's.
        ignore: (G, 4) float32, regions that may hold a face: neither a face nor background.
    """

    boxes: Floats = field(default_factory=lambda: _none(0, 4))
    points: Floats = field(default_factory=lambda: _none(0, 5, 2))
    genders: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    scores: Floats = field(default_factory=lambda: _none(0))
    ignore: Floats = field(default_factory=lambda: _none(0, 4))

    @classmethod
    def of_boxes(cls, boxes: object, ignore: object = ()) -> "Faces":
        """Faces of which only the box is known."""
        rows = np.asarray(boxes, np.float32).reshape(-1, 4)
        return cls(
            rows,
            np.full((len(rows), 5, 2), np.nan, np.float32),
            np.full(len(rows), UNKNOWN, np.int8),
            np.ones(len(rows), np.float32),
            np.asarray(ignore, np.float32).reshape(-1, 4),
        )

    def take(self, chosen: object) -> "Faces":
        """Some of the faces, by a mask or by indices; the regions to ignore stay."""
        rows = np.asarray(chosen)
        rows = rows if rows.dtype == bool else rows.astype(np.int64)
        return Faces(self.boxes[rows], self.points[rows], self.genders[rows], self.scores[rows], self.ignore)

    @property
    def heights(self) -> Floats:
        """(F,) pixels."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class FaceImage:
    """One image and its faces; `name` is the file's path below the data set's folder."""

    path: Path
    name: str
    faces: Faces


@dataclass(frozen=True, slots=True, eq=False)
class BoxSplit:
    """A named tuple of annotated images, in the order of their names."""

    name: str
    images: tuple[FaceImage, ...]

    def sha256(self) -> str:
        """Hash over every file's name, bytes and boxes, in order: two runs with the same hash saw the same data."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(image.name.encode())
            digest.update(hashlib.sha256(image.path.read_bytes()).digest())
            digest.update(np.ascontiguousarray(image.faces.boxes).tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.images)


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each pair of boxes: (A, 4), (B, 4) -> (A, B)."""
    low, high = np.maximum(first[:, None, :2], second[None, :, :2]), np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
