"""What is known of a face, and cutting it out of its image."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handlens._align import fit_similarity, warp
from handlens.errors import ImageShapeError
from handlens.image import Pixels

Box = tuple[float, float, float, float]
Point = tuple[float, float]

LABELS: tuple[Literal["male"], Literal["female"]] = ("male", "female")
# Where the five points lie in UTKFace's crops, in parts of the side: medians of 867 of them as YuNet sees them, made
# symmetric. And how such a crop follows from a box alone: its side in longer sides of YuNet's box, its centre in sides
# below the box's; medians of 525 photographs.
CROP_POINTS = (0.303, 0.283, 0.697, 0.283, 0.5, 0.523, 0.329, 0.672, 0.671, 0.672)
CROP_SIDE, CROP_DROP = 0.89, 0.094


@dataclass(frozen=True, slots=True)
class Gender:
    """What a model takes a face for.

    Attributes:
        label: "female" or "male".
        confidence: that it is so, 0.5..1.
    """

    label: Literal["female", "male"]
    confidence: float

    @classmethod
    def of_logit(cls, logit: float) -> "Gender":
        """Reads the logit of female."""
        confidence = 1 / (1 + float(np.exp(-abs(logit))))
        return cls(LABELS[logit > 0], confidence)


@dataclass(frozen=True, slots=True)
class Face:
    """A face in an image; coordinates are pixels of the upright image, x to the right, y down.

    Attributes:
        box: (x1, y1, x2, y2), cut off at the image's edges.
        score: that it is a face, 0..1.
        points: image-left eye, image-right eye, nose tip, image-left mouth corner, image-right mouth corner (the
            person's right eye first), which may lie outside of the image; None where the model gives no such points.
        gender: None where the model does not tell.
    """

    box: Box
    score: float
    points: tuple[Point, ...] | None = None
    gender: Gender | None = None

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return self.box[3] - self.box[1]

    def to_dict(self) -> dict[str, Any]:
        """The face as plain JSON: box, score, points (five pairs, or null), gender (label and confidence, or null)."""
        gender = {"label": self.gender.label, "confidence": round(self.gender.confidence, 4)} if self.gender else None
        return {
            "box": [round(value, 2) for value in self.box],
            "score": round(self.score, 4),
            "points": [[round(x, 2), round(y, 2)] for x, y in self.points] if self.points else None,
            "gender": gender,
        }


def face_crop(image: NDArray[Any], face: Face | Box) -> Pixels:
    """Cuts out a face as `GenderClassifier` wants it: upright, square, with UTKFace's margin; outside is black.

    Args:
        image: uint8 (H, W, 3).
        face: in it. By its points where it has some (turned upright), else by its box (x1, y1, x2, y2).

    Returns:
        uint8 (side, side, 3), about as fine as the image.

    Raises:
        ImageShapeError: the points coincide; or the box is empty, not finite, or much larger than the image.
    """
    if isinstance(face, Face) and face.points is not None:
        finest = fit_similarity(face.points, CROP_POINTS).scale
        side = max(1, min(round(1 / finest), 4 * max(image.shape[:2])))
        return warp(image, fit_similarity(face.points, [side * value for value in CROP_POINTS]), side, side)
    return _box_crop(image, face.box if isinstance(face, Face) else face)


def _box_crop(image: NDArray[Any], box: Box) -> Pixels:
    x1, y1, x2, y2 = (float(value) for value in box)
    long = max(x2 - x1, y2 - y1)
    if not np.isfinite([x1, y1, x2, y2]).all() or x2 <= x1 or y2 <= y1 or long > 4 * max(image.shape[:2]):
        raise ImageShapeError(f"box is {tuple(box)}; expected a face (x1, y1, x2, y2) in the image {image.shape}")
    side = max(1, round(CROP_SIDE * long))
    left = round((x1 + x2 - side) / 2)
    top = round((y1 + y2 - side) / 2 + CROP_DROP * side)
    result = np.zeros((side, side, image.shape[2]), np.uint8)
    rows = slice(max(top, 0), max(min(top + side, image.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + side, image.shape[1]), 0))
    part = image[rows, columns]
    if part.size:
        y, x = rows.start - top, columns.start - left
        result[y : y + part.shape[0], x : x + part.shape[1]] = part
    return result
