"""What is said of a segmenter: figures that can be counted by hand, and the odd cases that a data set brings."""

import numpy as np
import pytest
from fake_segmenter import bright_segmenter, fixed_segmenter, manifest

from handlens import metrics
from handlens.errors import DataError
from handlens_train.mask_figures import MaskItem, Truth, class_table, evaluate_masks

NAMES = {"dataset": "drawn", "split": "test", "protocol": "drawn boxes"}


def scene(width: int) -> tuple[np.ndarray, np.ndarray]:
    """A 48 x 64 image with `width` columns of "upper" in front of nothing, and the labels."""
    labels = np.zeros((48, 64), np.uint8)
    labels[:, :width] = 1
    return np.array([(0, 0, 0), (255, 200, 0)], np.uint8)[labels], labels


def items(widths: list[int], **changes: object) -> list[MaskItem]:
    made = []
    for width in widths:
        image, labels = scene(width)
        made.append(MaskItem(image, lambda labels=labels: Truth(labels > 0, None, labels), **changes))
    return made


def test_figures_can_be_counted() -> None:
    # The segmenter is right; the truth is 8 columns wider for half of the images.
    given = items([16] * 20)
    for width in [16] * 20:
        image, labels = scene(width)
        wide = scene(width + 8)[1]
        given.append(MaskItem(image, lambda wide=wide: Truth(wide > 0, None, wide)))
    with bright_segmenter() as segmenter:
        found = evaluate_masks(segmenter, given, **NAMES)
    assert (found.n, found.primary, found.engine) == (40, "iou", "fake 1")
    figures = {name: interval.value for name, interval in found.metrics.items()}
    assert figures["iou"] == pytest.approx((1 + 2 / 3) / 2) == np.mean(found.outcomes)
    assert figures["f1"] == pytest.approx((1 + 0.8) / 2)
    assert figures["iou_pooled"] == pytest.approx(32 / 40)
    assert figures["boundary_f1"] == pytest.approx(0.5)
    assert figures["class_iou"] == pytest.approx((32 / 40 + 88 / 96) / 2), "upper and background; nobody wears lower"
    assert all(interval.low <= interval.value <= interval.high for interval in found.metrics.values())
    (sizes, classes) = found.breakdowns
    assert [(row.label, row.n) for row in sizes.rows if row.n] == [("20% to 50%", 40)]
    assert [(row.label, row.n) for row in classes.rows] == [("background", 40), ("upper", 40), ("lower", 0)]
    assert classes.metric == "class_iou" and classes.rows[2].value is None
    assert classes.rows[1].low < 0.8 < classes.rows[1].high


def test_an_image_of_nothing_is_right_when_nothing_is_found() -> None:
    with bright_segmenter() as segmenter:
        found = evaluate_masks(segmenter, items([0] * 30), **NAMES)
    assert found.metrics["iou"].value == found.metrics["boundary_f1"].value == found.metrics["iou_pooled"].value == 1.0


def test_ignored_pixels_and_no_outline_as_for_the_pets() -> None:
    image, labels = scene(16)
    ignore = np.zeros((48, 64), bool)
    ignore[:, 16:32] = True
    wide = scene(32)[1]
    with bright_segmenter() as segmenter:
        found = evaluate_masks(
            segmenter, [MaskItem(image, lambda: Truth(wide > 0, ignore))] * 3, outline=False, **NAMES
        )
    assert found.metrics["iou"].value == 1.0 and set(found.metrics) == {"iou", "f1", "iou_pooled"}


def test_images_of_one_group_are_drawn_together() -> None:
    with bright_segmenter() as segmenter:
        found = evaluate_masks(segmenter, items([8, 8], group="a") + items([8], group="b"), **NAMES)
    assert found.groups[0] == found.groups[1] != found.groups[2]


def test_the_task_sees_every_answer() -> None:
    made = manifest(
        {"mask": (1, 48, 64, 1), "class": (1, 2)},
        decoding={"kind": "mask", "labels_of": "class"},
        labels=("cat", "dog"),
    )
    seen = []
    with fixed_segmenter({"mask": np.zeros((1, 48, 64, 1)), "class": [[0.0, 1.0]]}, made) as segmenter:
        found = evaluate_masks(
            segmenter, items([4, 5]), each=lambda index, answer, truth: seen.append((index, answer.class_name)), **NAMES
        )
    assert seen == [(0, "dog"), (1, "dog")]
    assert "class_iou" not in found.metrics, "the truth has labels of pixels, the model has none"


def test_a_mask_of_another_size_is_named() -> None:
    image, labels = scene(16)
    with bright_segmenter() as segmenter:
        with pytest.raises(DataError, match="image 1: its true mask does not fit it.*48, 63"):
            evaluate_masks(segmenter, [*items([4]), MaskItem(image, lambda: Truth(labels[:, 1:] > 0))], **NAMES)
        with pytest.raises(DataError, match="drawn/test has no masks"):
            evaluate_masks(segmenter, [], **NAMES)


def test_a_class_s_interval_is_that_of_its_images() -> None:
    counts = np.zeros((40, 2, 3), np.int64)
    counts[:, 0] = 10
    counts[:20, 1], counts[20:, 1] = (5, 5, 5), (0, 5, 0)
    table, mean = class_table(counts, ("background", "hat"), np.arange(40))
    assert table.rows[1].n == 20 and table.rows[1].value is None, "20 images are too few for a figure of the class"
    assert mean.value == pytest.approx((1 + 0.5) / 2) and mean.low < mean.value < mean.high
    assert metrics.class_iou(counts.sum(axis=0))[1] == 0.5
