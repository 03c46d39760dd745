"""Segmentation: overlap of masks and of classes, and how well their outlines agree. Masks are (H, W), pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.metrics._arrays import Floats, Integers

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels of two masks; those of several images add up.

    Attributes:
        shared: in both.
        predicted: in the predicted one.
        truth: in the true one.
    """

    shared: int
    predicted: int
    truth: int

    @property
    def union(self) -> int:
        """Pixels in either."""
        return self.predicted + self.truth - self.shared

    @property
    def iou(self) -> float:
        """Intersection over union (Jaccard), 0..1; 1 where both masks are empty: nothing was there, nothing found."""
        return self.shared / self.union if self.union else 1.0

    @property
    def dice(self) -> float:
        """Dice's coefficient, the F1 of pixels, 0..1; 1 where both masks are empty."""
        return 2 * self.shared / (self.predicted + self.truth) if self.union else 1.0

    def __add__(self, other: "Overlap") -> "Overlap":
        """Returns the pixels of both together."""
        return Overlap(self.shared + other.shared, self.predicted + other.predicted, self.truth + other.truth)


def mask_overlap(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> Overlap:
    """Counts the pixels that a mask and the true one share.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
        ignore: (H, W) bool, pixels that neither reward nor punish, such as the border in the Oxford pets' trimaps.

    Raises:
        InputError: shapes disagree, or an array is not bool.
    """
    found, true, counted = _masks(predicted, truth, ignore)
    found, true = found & counted, true & counted
    return Overlap(int((found & true).sum()), int(found.sum()), int(true.sum()))


def boundary_f1(
    predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None, tolerance: float = 0.0075
) -> float:
    """Returns the F1 of the outline, 0..1 (Csurka, Larlus, Perronnin, Meylan 2013).

    A pixel of a mask is on its outline when one of its four neighbours lies outside of the mask; the image's edge makes
    no outline. Precision is the share of the predicted outline nearer than the tolerance to a pixel of the true one,
    recall the reverse. 1 where neither mask has an outline, 0 where only one has.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.
        ignore: (H, W) bool; pixels here, and edges towards them, are no outline of either.
        tolerance: part of the image's diagonal.

    Raises:
        InputError: shapes disagree, an array is not bool, or the tolerance is not above 0.
    """
    if not tolerance > 0:
        raise InputError(f"tolerance is {tolerance}; valid: above 0")
    found, true, counted = _masks(predicted, truth, ignore)
    first, second = _outline(found, counted), _outline(true, counted)
    if not first.any() and not second.any():
        return 1.0
    if not first.any() or not second.any():
        return 0.0
    reach = tolerance * float(np.hypot(*found.shape))
    precision = float(np.mean(_distance(second)[first] < reach))
    recall = float(np.mean(_distance(first)[second] < reach))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def class_overlaps(predicted: ArrayLike, truth: ArrayLike, classes: int, ignore: ArrayLike | None = None) -> Integers:
    """Counts each class's pixels in two label maps.

    Args:
        predicted: (H, W) integers, 0..classes - 1.
        truth: (H, W) integers; values of `classes` and more (255) are ignored.
        classes: how many there are, the background among them.
        ignore: (H, W) bool, further pixels to ignore.

    Returns:
        (classes, 3) int64: shared, predicted, true; those of several images add up.

    Raises:
        InputError: shapes disagree, or a predicted label is out of range.
    """
    found, true = np.asarray(predicted), np.asarray(truth)
    counted = np.ones(true.shape, bool) if ignore is None else ~np.asarray(ignore, bool)
    if found.ndim != 2 or found.shape != true.shape or counted.shape != true.shape:
        raise InputError(
            f"predicted has shape {found.shape}, truth {true.shape}, ignore {counted.shape}; expected the same (H, W)"
        )
    counted = counted & (true >= 0) & (true < classes)
    found, true = found[counted].astype(np.int64), true[counted].astype(np.int64)
    if len(found) and (found.min() < 0 or found.max() >= classes):
        raise InputError(f"predicted labels reach from {found.min()} to {found.max()}; valid: 0 to {classes - 1}")
    shared = np.bincount(true[found == true], minlength=classes)
    return np.stack([shared, np.bincount(found, minlength=classes), np.bincount(true, minlength=classes)], axis=1)


def class_iou(overlaps: ArrayLike) -> Floats:
    """Returns each class's intersection over union, (K,) float64; NaN where neither truth nor answer has the class.

    Args:
        overlaps: (K, 3) as `class_overlaps` returns them, or their sum over images.

    Raises:
        InputError: another shape.
    """
    counts = np.asarray(overlaps, np.float64)
    if counts.ndim != 2 or counts.shape[1] != 3:
        raise InputError(f"overlaps have shape {counts.shape}; expected (K, 3): shared, predicted, true")
    union = counts[:, 1] + counts[:, 2] - counts[:, 0]
    return np.asarray(np.divide(counts[:, 0], union, out=np.full(len(counts), np.nan), where=union > 0), np.float64)


def _masks(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None) -> tuple[Mask, Mask, Mask]:
    arrays = [np.asarray(predicted), np.asarray(truth)]
    arrays.append(np.zeros(arrays[1].shape, bool) if ignore is None else np.asarray(ignore))
    if any(array.dtype != np.bool_ or array.ndim != 2 or array.shape != arrays[0].shape for array in arrays):
        shown = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
        raise InputError(f"predicted, truth and ignore are {shown}; expected bool of the same (H, W)")
    return arrays[0], arrays[1], ~arrays[2]


def _outline(mask: Mask, counted: Mask) -> Mask:
    inside, outside = mask & counted, ~mask & counted
    result = np.zeros(mask.shape, bool)
    result[1:] |= inside[1:] & outside[:-1]
    result[:-1] |= inside[:-1] & outside[1:]
    result[:, 1:] |= inside[:, 1:] & outside[:, :-1]
    result[:, :-1] |= inside[:, :-1] & outside[:, 1:]
    return result


def _distance(outline: Mask) -> NDArray[Any]:
    """Euclidean distance of every pixel to the nearest one of the outline, float32."""
    import cv2  # here, not above: the other metrics need NumPy alone

    distances: NDArray[Any] = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distances
