"""What is said of a segmenter: overlap with the true masks and their outlines, classes, and the size of what is found.

items = [MaskItem(path, lambda: Truth(read_mask(path))) for path in paths]
with Segmenter.load(artifact) as segmenter:
    return evaluate_masks(segmenter, items, dataset="ccp", split="test", protocol="...")
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handlens import metrics
from handlens.errors import DataError, InputError
from handlens.image import Source, load_image
from handlens.metrics import Interval, Overlap
from handlens.segment import Segmentation, Segmenter
from handlens_train.evaluation import LEAST, Breakdown, Evaluation, Item, Row, breakdown

PRIMARY = "iou"
SIZES = ("below 5%", "5% to 20%", "20% to 50%", "50% and more")
_EDGES = (0.05, 0.2, 0.5)


class Truth(NamedTuple):
    """What an image shows; H and W are the upright image's own.

    Attributes:
        mask: (H, W) bool, foreground.
        ignore: (H, W) bool, pixels that neither reward nor punish; None for none.
        labels: (H, W) integers, class of each pixel, 0 the background, 255 ignored; None where there are none.
    """

    mask: np.ndarray
    ignore: np.ndarray | None = None
    labels: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class MaskItem:
    """One image to measure on.

    Attributes:
        image: as `Segmenter.segment` takes it.
        truth: called when its turn comes, so that no more than one mask is in memory.
        group: images of one group are resampled together; None where the image stands alone.
    """

    image: Source
    truth: Callable[[], Truth]
    group: Hashable | None = None


def evaluate_masks(
    segmenter: Segmenter,
    items: Iterable[MaskItem],
    *,
    dataset: str,
    split: str,
    protocol: str,
    outline: bool = True,
    each: Callable[[int, Segmentation, Truth], None] | None = None,
) -> Evaluation:
    """Measures a segmenter in the images' own pixels, through the runtime.

    Metrics, 95% intervals by a bootstrap over images (or groups): "iou", the mean over images of the foreground's
    intersection over union, the primary one; "f1", that of Dice's coefficient; "boundary_f1", that of the outline's F1
    within 0.75% of the diagonal; "iou_pooled", of all images' pixels together; and where truth and model have classes
    "class_iou", the mean over the classes that occur in the truth of their pooled IoU. A breakdown says it class by
    class, another the IoU by the foreground's share of the image.

    Args:
        segmenter: opened.
        items: the images, at least one.
        dataset: its name.
        split: of it.
        protocol: in words, for a person.
        outline: whether to measure it: not where an ignored band hides it, as in the pets' trimaps.
        each: sees the index, the answer and the truth of every image: for figures of the task's own.

    Returns:
        Ready to be returned, or to be changed by `dataclasses.replace`.

    Raises:
        DataError: there are no items, or a mask is not of its image's size; the message says which.
        ImageError: an image cannot be used.
        EngineError: the engine failed.
    """
    names, overlaps, outlines, tables, shares, groups, shown = (), [], [], [], [], [], []
    for index, item in enumerate(items):
        found, truth = segmenter.segment(load_image(item.image)), item.truth()
        try:
            overlaps.append(metrics.mask_overlap(found.mask(), truth.mask, truth.ignore))
            if outline:
                outlines.append(metrics.boundary_f1(found.mask(), truth.mask, truth.ignore))
            if truth.labels is not None and found.names:
                names = found.names
                tables.append(metrics.class_overlaps(found.labels, truth.labels, len(names), truth.ignore))
        except InputError as error:
            what = _shown(item, index)[0]
            raise DataError(f"{what}: its true mask does not fit it: {error}") from None
        shares.append(float(truth.mask.mean()))
        shown.append(_shown(item, index))
        groups.append(index if item.group is None else item.group)
        if each is not None:
            each(index, found, truth)
    if not overlaps:
        raise DataError(f"{dataset}/{split} has no masks to measure on; check the folder")
    if tables and len(tables) != len(overlaps):
        raise DataError(
            f"{dataset}/{split}: {len(tables)} of {len(overlaps)} images have labels of pixels; all or none"
        )
    _, members = np.unique(np.array([str(group) for group in groups]), return_inverse=True)
    ious = np.array([overlap.iou for overlap in overlaps])
    figures = {
        PRIMARY: metrics.bootstrap(ious, members),
        "f1": metrics.bootstrap([overlap.dice for overlap in overlaps], members),
        "iou_pooled": _pooled(overlaps, members),
    }
    if outline:
        figures["boundary_f1"] = metrics.bootstrap(outlines, members)
    parts = [breakdown("foreground's share", [_size(share) for share in shares], ious, SIZES, groups=members)]
    if tables:
        table, mean = class_table(np.stack(tables), names, members)
        parts.append(table)
        figures["class_iou"] = mean
    return Evaluation(
        dataset=dataset,
        split=split,
        protocol=protocol,
        n=len(overlaps),
        primary=PRIMARY,
        metrics=figures,
        outcomes=ious,
        groups=members,
        engine=segmenter.engine,
        breakdowns=tuple(parts),
        items=tuple(
            Item(name, f"IoU {iou:.3f}", iou, seen) for (name, seen), iou in zip(shown, ious.tolist(), strict=True)
        ),
    )


def _shown(item: MaskItem, index: int) -> tuple[str, tuple[Path | np.ndarray, ...]]:
    """A name for a person, and what an `Item` takes as its pictures."""
    if isinstance(item.image, (str, Path)):
        return Path(item.image).name, (Path(item.image),)
    return f"image {index}", (item.image,) if isinstance(item.image, np.ndarray) else ()


def class_table(counts: np.ndarray, names: Sequence[str], groups: np.ndarray) -> tuple[Breakdown, Interval]:
    """Each class's pooled IoU, and their mean, with 95% bootstrap intervals.

    Args:
        counts: (N, K, 3), `handlens.metrics.class_overlaps` of each image.
        names: K of them.
        groups: (N,) 0..G - 1, images resampled together.

    Returns:
        A row a class, n the images that show it, no figure for a class in fewer than `LEAST`; and the mean over the
        classes that occur in the truth at all, the background among them.

    Raises:
        InputError: no class occurs.
    """
    summed = np.zeros((int(groups.max()) + 1, *counts.shape[1:]))
    np.add.at(summed, groups, counts)
    images = (counts[:, :, 2] > 0).sum(axis=0)
    present = np.nonzero(images)[0]

    def pooled(weights: np.ndarray) -> np.ndarray:
        return metrics.class_iou(np.tensordot(weights, summed, axes=1))

    rows = []
    for index, name in enumerate(names):
        if images[index] < LEAST:
            rows.append(Row(name, int(images[index]), None))
            continue
        found = metrics.bootstrap_statistic(lambda weights, at=index: float(pooled(weights)[at]), len(summed))
        rows.append(Row(name, int(images[index]), found.value, found.low, found.high))
    mean = metrics.bootstrap_statistic(lambda weights: float(np.nanmean(pooled(weights)[present])), len(summed))
    return Breakdown("class", tuple(rows), "class_iou"), mean


def _pooled(overlaps: Sequence[Overlap], groups: np.ndarray) -> Interval:
    counts = np.array([(overlap.shared, overlap.union) for overlap in overlaps], np.float64)
    summed = np.zeros((int(groups.max()) + 1, 2))
    np.add.at(summed, groups, counts)

    def pooled(weights: np.ndarray) -> float:
        shared, union = weights @ summed
        return float(shared / union) if union else 1.0

    return metrics.bootstrap_statistic(pooled, len(summed))


def _size(share: float) -> str:
    return SIZES[int(np.searchsorted(_EDGES, share, "right"))]
