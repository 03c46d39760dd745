"""Segmentation metrics against scikit-learn, SciPy and brute force."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from sklearn.metrics import f1_score, jaccard_score

from handlens import metrics
from handlens.errors import InputError

SHAPE = (9, 13)
masks = arrays.arrays(bool, SHAPE)
labels = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(masks, masks, masks)
def test_overlap_is_scikit_learn_s(predicted, truth, ignore):
    found = metrics.mask_overlap(predicted, truth, ignore)
    kept = ~ignore
    if found.union:
        assert found.iou == pytest.approx(jaccard_score(truth[kept], predicted[kept]))
        assert found.dice == pytest.approx(f1_score(truth[kept], predicted[kept]))
    else:
        assert (found.iou, found.dice) == (1.0, 1.0), "nothing was there, and nothing found"
    assert found == metrics.mask_overlap(predicted & kept, truth & kept)


def test_images_add_up() -> None:
    first = metrics.mask_overlap(np.array([[True, True]]), np.array([[True, False]]))
    second = metrics.mask_overlap(np.array([[False, False]]), np.array([[False, True]]))
    assert (first + second).iou == 1 / 3 and (first + second).dice == 0.5


def outline(mask: np.ndarray, ignore: np.ndarray) -> list[tuple[int, int]]:
    """Pixel by pixel."""
    height, width = mask.shape
    found = []
    for y, x in zip(*np.nonzero(mask & ~ignore), strict=True):
        near = [(y + dy, x + dx) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        near = [(i, j) for i, j in near if 0 <= i < height and 0 <= j < width]
        if any(not mask[at] and not ignore[at] for at in near):
            found.append((y, x))
    return found


def by_hand(predicted: np.ndarray, truth: np.ndarray, ignore: np.ndarray, tolerance: float) -> float:
    first, second = outline(predicted, ignore), outline(truth, ignore)
    if not first or not second:
        return float(not first and not second)
    reach = tolerance * float(np.hypot(*truth.shape))

    def share(of: list, to: list) -> float:
        return np.mean([min(np.hypot(y - i, x - j) for i, j in to) < reach for y, x in of])

    precision, recall = share(first, second), share(second, first)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=60, deadline=None)
@given(masks, masks, masks, st.floats(0.01, 0.5))
def test_boundary_f1_by_hand(predicted, truth, ignore, tolerance):
    found = metrics.boundary_f1(predicted, truth, ignore, tolerance)
    assert found == pytest.approx(by_hand(predicted, truth, ignore, tolerance))


def test_boundary_f1_on_real_sizes_is_scipy_s() -> None:
    y, x = np.mgrid[:300, :400]
    truth, predicted = np.hypot(y - 150, x - 200) < 80, np.hypot(y - 152, x - 203) < 78
    reach = 0.0075 * 500
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (predicted, truth)]
    far = [ndimage.distance_transform_edt(~edge) for edge in edges]
    precision, recall = np.mean(far[1][edges[0]] < reach), np.mean(far[0][edges[1]] < reach)
    assert 0.1 < precision < 0.95
    assert metrics.boundary_f1(predicted, truth) == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_shift_of_a_pixel_costs_little_at_the_outline_and_one_of_ten_all() -> None:
    truth = np.zeros((200, 200), bool)
    truth[50:150, 50:150] = True
    assert metrics.boundary_f1(truth, truth) == 1.0
    assert metrics.boundary_f1(np.roll(truth, 1, axis=1), truth) == 1.0
    assert metrics.boundary_f1(np.roll(truth, 10, axis=(0, 1)), truth) < 0.1
    assert metrics.boundary_f1(np.zeros_like(truth), truth) == 0.0
    assert metrics.boundary_f1(np.ones_like(truth), np.ones_like(truth)) == 1.0, "the image's edge is no outline"


@settings(max_examples=60, deadline=None)
@given(labels, labels, masks)
def test_class_iou_is_scikit_learn_s(predicted, truth, ignore):
    truth = np.where(ignore & (truth == 1), 255, truth)
    overlaps = metrics.class_overlaps(predicted, truth, 4, ignore & (truth != 255))
    kept = ~ignore
    found = metrics.class_iou(overlaps)
    assume(kept.any())
    wanted = jaccard_score(truth[kept], predicted[kept], labels=range(4), average=None, zero_division=0.0)
    there = np.isin(range(4), np.concatenate([truth[kept], predicted[kept]]))
    assert found[there] == pytest.approx(wanted[there]) and np.isnan(found[~there]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mask_overlap(np.ones((2, 2)), np.ones((2, 2), bool)), "float64 .2, 2.*expected bool"),
        (lambda: metrics.mask_overlap(np.ones((2, 3), bool), np.ones((2, 2), bool)), "same .H, W."),
        (lambda: metrics.boundary_f1(np.ones((2, 2), bool), np.ones((2, 2), bool), None, 0), "tolerance is 0"),
        (lambda: metrics.class_overlaps(np.full((2, 2), 7), np.zeros((2, 2)), 3), "reach from 7 to 7; valid: 0 to 2"),
        (lambda: metrics.class_overlaps(np.zeros((2, 3)), np.zeros((2, 2)), 3), "same .H, W."),
        (lambda: metrics.class_iou(np.zeros((2, 2))), "expected .K, 3."),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
