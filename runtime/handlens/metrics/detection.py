"""Detection: matches of boxes, average precision, recall, overlap. Boxes are (x1, y1, x2, y2) in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.metrics._arrays import Floats, Integers
from handlens.metrics.bootstrap import Interval, bootstrap_statistic

Found = tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What became of every detection of a data set; those that neither count as right nor wrong are gone.

    Attributes:
        scores: (D,) float64, falling.
        right: (D,) bool, matched to a truth that counts.
        overlap: (D,) float64, IoU with that truth; 0 where wrong.
        image: (D,) int64, index of its image.
        truths: (N,) int64, how many truths count in each image.
    """

    scores: Floats
    right: NDArray[np.bool_]
    overlap: Floats
    image: Integers
    truths: Integers


def iou(first: ArrayLike, second: ArrayLike) -> Floats:
    """Returns the intersection over union of each pair of boxes, (A, B) float64; 0 where both are empty.

    Args:
        first: (A, 4).
        second: (B, 4).

    Raises:
        InputError: a shape is another, or a value is not finite.
    """
    a, b = _boxes(first, "first"), _boxes(second, "second")
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float64)


def match_detections(
    found: Sequence[Found],
    truths: Sequence[ArrayLike],
    *,
    threshold: float = 0.5,
    min_height: float = 0.0,
    max_height: float = np.inf,
    ignore: Sequence[ArrayLike] | None = None,
) -> Matches:
    """Matches detections to truths, image by image: best score first, each to the free truth it overlaps most.

    As COCO does for its area ranges, truths outside of min_height <= height < max_height neither reward nor punish:
    they need not be found, a detection of one is no error, and neither is an unmatched detection of such a height.
    Truths that count are matched before those. Equal scores are taken in the order given.

    Args:
        found: (boxes (n, 4), scores (n,)) of each image.
        truths: boxes (m, 4) of each image.
        threshold: IoU from which a detection is right.
        min_height: pixels.
        max_height: pixels.
        ignore: (m,) booleans an image: further truths that neither reward nor punish.

    Raises:
        InputError: lists of unlike length, or boxes or scores of another shape.
    """
    if len(found) != len(truths) or (ignore is not None and len(ignore) != len(truths)):
        raise InputError(f"{len(found)} images of detections, {len(truths)} of truths; expected as many of each")
    scores, right, overlap, image = [], [], [], []
    counted = np.zeros(len(truths), np.int64)
    for index, ((boxes, marks), true) in enumerate(zip(found, truths, strict=True)):
        real, detected, mark = _boxes(true, "truths"), _boxes(boxes, "boxes"), np.asarray(marks, np.float64)
        if mark.shape != detected.shape[:1] or not np.isfinite(mark).all():
            raise InputError(f"image {index}: {len(detected)} boxes, scores of shape {mark.shape}; one finite each")
        skip = _outside(real, min_height, max_height)
        if ignore is not None:
            skip |= np.asarray(ignore[index], bool).reshape(len(real))
        counted[index] = np.sum(~skip)
        order = np.argsort(-mark, kind="stable")
        detected, mark = detected[order], mark[order]
        owner, best = _assign(iou(detected, real), skip, threshold)
        free = owner < 0
        kept = np.where(free, ~_outside(detected, min_height, max_height), ~np.append(skip, False)[owner])
        scores.append(mark[kept])
        right.append(~free[kept])
        overlap.append(np.where(free, 0.0, best)[kept])
        image.append(np.full(int(kept.sum()), index))
    joined = np.concatenate(scores) if scores else np.empty(0)
    order = np.argsort(-joined, kind="stable")
    return Matches(
        joined[order],
        np.concatenate([*right, np.empty(0, bool)])[order],
        np.concatenate([*overlap, np.empty(0)])[order],
        np.concatenate([*image, np.empty(0)])[order].astype(np.int64),
        counted,
    )


def precision_recall(matches: Matches, counts: ArrayLike | None = None) -> tuple[Floats, Floats, Floats]:
    """Returns (precision, recall, thresholds), each (K,) by falling threshold; equal scores are taken together.

    Args:
        matches: of a data set.
        counts: (N,) how often each image counts; once by default.

    Returns:
        Recall is NaN where no truth counts.
    """
    often = np.ones(len(matches.truths)) if counts is None else np.asarray(counts, np.float64)
    weights = often[matches.image]
    ends = np.flatnonzero(np.diff(matches.scores, append=-np.inf))
    hits, seen = np.cumsum(weights * matches.right)[ends], np.cumsum(weights)[ends]
    total = float(often @ matches.truths)
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return precision, hits / (total or np.nan), matches.scores[ends]


def average_precision(matches: Matches, counts: ArrayLike | None = None) -> float:
    """Returns the area under the precision-recall curve, 0..1; NaN where no truth counts.

    All points: precision at a recall is the best at that recall or more, and the area is summed over every step, as
    PASCAL VOC does from 2010 on (COCO samples the same curve at 101 recalls). Equal scores are one step, so that the
    order of images never matters.

    Args:
        matches: of a data set.
        counts: (N,) how often each image counts, such as a bootstrap draws; once by default.
    """
    precision, recall, _ = precision_recall(matches, counts)
    if not len(recall):
        often = np.ones(len(matches.truths)) if counts is None else np.asarray(counts, np.float64)
        return 0.0 if float(often @ matches.truths) > 0 else float("nan")
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def average_precision_interval(matches: Matches, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Interval:
    """Returns `average_precision` with its bootstrap interval over images.

    Raises:
        InputError: no truth counts.
    """
    return bootstrap_statistic(
        lambda counts: average_precision(matches, counts), len(matches.truths), resamples, seed, level
    )


def detection_recall(matches: Matches, score: float = -np.inf, counts: ArrayLike | None = None) -> float:
    """Returns the share of truths found by detections of at least this score, 0..1; NaN where no truth counts."""
    often = np.ones(len(matches.truths)) if counts is None else np.asarray(counts, np.float64)
    hits = float(np.sum(often[matches.image] * (matches.right & (matches.scores >= score))))
    return hits / (float(often @ matches.truths) or np.nan)


def false_positives(matches: Matches, score: float = -np.inf) -> Integers:
    """Returns how many wrong detections of at least this score each image has, (N,) int64."""
    wrong = matches.image[~matches.right & (matches.scores >= score)]
    return np.bincount(wrong, minlength=len(matches.truths)).astype(np.int64)


def mean_iou(matches: Matches, score: float = -np.inf) -> float:
    """Returns the mean IoU of the right detections of at least this score; NaN without one."""
    chosen = matches.overlap[matches.right & (matches.scores >= score)]
    return float(np.mean(chosen)) if len(chosen) else float("nan")


def top_box_iou(found: Sequence[Found], truths: Sequence[ArrayLike]) -> Floats:
    """Returns, for each image with truths, the best IoU of its highest-scored detection; 0 without a detection.

    Args:
        found: (boxes (n, 4), scores (n,)) of each image.
        truths: boxes (m, 4) of each image; those without are left out.
    """
    values = []
    for (boxes, scores), true in zip(found, truths, strict=True):
        real, detected = _boxes(true, "truths"), _boxes(boxes, "boxes")
        if not len(real):
            continue
        top = detected[[int(np.argmax(np.asarray(scores)))]] if len(detected) else detected
        values.append(float(iou(top, real).max(initial=0.0)))
    return np.asarray(values, np.float64)


def _assign(overlaps: Floats, skip: NDArray[np.bool_], threshold: float) -> tuple[Integers, Floats]:
    """Index of the truth of each detection, -1 without one, and the IoU; truths that count go first."""
    owner, best = np.full(len(overlaps), -1, np.int64), np.zeros(len(overlaps))
    open_ = np.ones(len(skip), bool)
    for row, values in enumerate(overlaps):
        for group in (open_ & ~skip, open_ & skip):
            allowed = np.where(group, values, -1.0)
            if len(allowed) and allowed.max() >= threshold:
                owner[row] = int(np.argmax(allowed))
                best[row] = allowed[owner[row]]
                open_[owner[row]] = False
                break
    return owner, best


def _outside(boxes: Floats, low: float, high: float) -> NDArray[np.bool_]:
    height = boxes[:, 3] - boxes[:, 1]
    return np.asarray((height < low) | (height >= high), np.bool_)


def _boxes(values: ArrayLike, what: str) -> Floats:
    boxes = np.asarray(values, np.float64)
    if boxes.size == 0:
        return np.empty((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise InputError(f"{what} have shape {boxes.shape}; expected (N, 4): finite x1, y1, x2, y2 in pixels")
    return boxes
