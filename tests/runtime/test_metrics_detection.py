"""Detection metrics against brute force and scikit-learn."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import metrics
from handlens.errors import InputError

SIDE = st.integers(0, 6).map(float)


@st.composite
def box(draw: st.DrawFn) -> list[float]:
    x, y, w, h = draw(SIDE), draw(SIDE), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    return [x, y, x + w, y + h]


@st.composite
def image(draw: st.DrawFn) -> tuple[list[list[float]], list[float], list[list[float]]]:
    """(boxes, scores, truths): integer corners, so that pixels can be counted, and few distinct scores."""
    boxes = draw(st.lists(box(), max_size=5))
    scores = draw(st.lists(st.integers(1, 4).map(float), min_size=len(boxes), max_size=len(boxes)))
    return boxes, scores, draw(st.lists(box(), max_size=4))


def pixels(of: list[float]) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = map(int, of)
    return set(itertools.product(range(x1, x2), range(y1, y2)))


def counted_iou(a: list[float], b: list[float]) -> float:
    return len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))


def by_hand(images, low: float, high: float) -> tuple[list[tuple[float, bool]], int]:
    """COCO's matching in plain loops: (score, right) of what counts, and how many truths count."""
    kept, truths = [], 0
    for boxes, scores, true in images:
        counts = [low <= t[3] - t[1] < high for t in true]
        truths += sum(counts)
        taken: set[int] = set()
        for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
            best = None
            for wanted in (True, False):
                free = [t for t in range(len(true)) if t not in taken and counts[t] is wanted]
                free = [t for t in free if counted_iou(boxes[i], true[t]) >= 0.5]
                if free:
                    best = max(free, key=lambda t: (counted_iou(boxes[i], true[t]), -t))
                    break
            if best is not None:
                taken.add(best)
                if counts[best]:
                    kept.append((scores[i], True))
            elif low <= boxes[i][3] - boxes[i][1] < high:
                kept.append((scores[i], False))
    return kept, truths


def area(kept: list[tuple[float, bool]], truths: int) -> float:
    """Average precision from its definition: over every threshold, the best precision at that recall or more."""
    points = []
    for threshold in sorted({score for score, _ in kept}, reverse=True):
        chosen = [right for score, right in kept if score >= threshold]
        points.append((sum(chosen) / truths, sum(chosen) / len(chosen)))
    total, before = 0.0, 0.0
    for recall, _ in points:
        total += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return total


def split(images):
    return [(boxes, scores) for boxes, scores, _ in images], [true for _, _, true in images]


@settings(max_examples=80, deadline=None)
@given(st.lists(box(), max_size=4), st.lists(box(), max_size=4))
def test_overlap_agrees_with_counted_pixels(first: list[list[float]], second: list[list[float]]) -> None:
    found = metrics.iou(first, second)
    assert found.shape == (len(first), len(second))
    for i, j in itertools.product(range(len(first)), range(len(second))):
        assert found[i, j] == pytest.approx(counted_iou(first[i], second[j]))


@settings(max_examples=200, deadline=None)
@given(st.lists(image(), min_size=1, max_size=4), st.sampled_from([(0.0, np.inf), (3.0, np.inf), (2.0, 5.0)]))
def test_matching_and_average_precision_agree_with_brute_force(images, band: tuple[float, float]) -> None:
    kept, truths = by_hand(images, *band)
    matches = metrics.match_detections(*split(images), min_height=band[0], max_height=band[1])
    assert sorted(zip(matches.scores.tolist(), matches.right.tolist(), strict=True)) == sorted(kept)
    assert matches.truths.sum() == truths
    if not truths:
        assert np.isnan(metrics.average_precision(matches)) and np.isnan(metrics.detection_recall(matches))
        return
    assert metrics.average_precision(matches) == pytest.approx(area(kept, truths))
    expected = sum(right for score, right in kept if score >= 2) / truths
    assert metrics.detection_recall(matches, 2.0) == pytest.approx(expected)
    assert metrics.false_positives(matches, 2.0).sum() == sum(not right for score, right in kept if score >= 2)


@settings(max_examples=80, deadline=None)
@given(st.lists(image(), min_size=1, max_size=4), st.integers(0, 99))
def test_an_image_drawn_twice_counts_as_two_images(images, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 3, len(images))
    matches = metrics.match_detections(*split(images))
    repeated = [item for item, often in zip(images, counts, strict=True) for _ in range(often)]
    plain = metrics.match_detections(*split(repeated))
    got, expected = metrics.average_precision(matches, counts), metrics.average_precision(plain)
    assert got == pytest.approx(expected, nan_ok=True)
    assert metrics.detection_recall(matches, 2.0, counts) == pytest.approx(
        metrics.detection_recall(plain, 2.0), nan_ok=True
    )


def test_average_precision_agrees_with_scikit_learn_before_interpolation() -> None:
    """Where precision only falls with recall the envelope changes nothing, and every truth has a detection."""
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(5)
    spots = np.arange(0, 4000, 20.0)
    truths = np.stack([spots, spots * 0, spots + 10, spots * 0 + 10], axis=1)
    wrong = truths + [0, 50, 0, 50]
    scores = np.concatenate([generator.normal(2, 1, len(truths)), generator.normal(0, 1, len(wrong))])
    matches = metrics.match_detections([(np.concatenate([truths, wrong]), scores)], [truths])
    labels = np.arange(len(scores)) < len(truths)
    precision, recall, _ = metrics.precision_recall(matches)
    assert np.sum(np.diff(recall, prepend=0) * precision) == pytest.approx(
        sklearn.average_precision_score(labels, scores)
    )
    assert metrics.average_precision(matches) >= sklearn.average_precision_score(labels, scores)


def test_small_truths_neither_reward_nor_punish() -> None:
    truths = [[[0, 0, 30, 30], [50, 0, 58, 8]]]
    found = [([[0, 0, 30, 30], [50, 0, 58, 8], [80, 0, 88, 8], [80, 40, 110, 70]], [0.9, 0.8, 0.7, 0.6])]
    matches = metrics.match_detections(found, truths, min_height=20)
    assert matches.scores.tolist() == [0.9, 0.6] and matches.right.tolist() == [True, False]
    assert metrics.average_precision(matches) == 1.0 and metrics.false_positives(matches).tolist() == [1]
    marked = metrics.match_detections(found, truths, ignore=[[False, True]])
    assert marked.scores.tolist() == [0.9, 0.7, 0.6] and marked.truths.tolist() == [1]


def test_a_second_detection_of_one_face_is_wrong() -> None:
    found = [([[0, 0, 10, 10], [1, 0, 11, 10]], [0.5, 0.9])]
    matches = metrics.match_detections(found, [[[0, 0, 10, 10]]])
    assert matches.right.tolist() == [True, False] and matches.scores.tolist() == [0.9, 0.5]
    assert metrics.mean_iou(matches) == pytest.approx(90 / 110)
    assert np.isnan(metrics.mean_iou(matches, 0.95))


def test_the_highest_scored_box_is_the_one_measured() -> None:
    found = [([[0, 0, 10, 10], [5, 5, 15, 15]], [0.2, 0.9]), ([], []), ([[0, 0, 1, 1]], [1.0])]
    values = metrics.top_box_iou(found, [[[5, 5, 15, 15]], [[0, 0, 4, 4]], []])
    assert values.tolist() == [1.0, 0.0]


def test_nothing_found_scores_nothing_and_the_interval_holds_the_value() -> None:
    nothing = metrics.match_detections([([], [])], [[[0, 0, 9, 9]]])
    assert metrics.average_precision(nothing) == 0.0
    generator = np.random.default_rng(2)
    found, truths = [], []
    for _ in range(60):
        hit = generator.random() < 0.7
        found.append(([[0, 0, 10, 10] if hit else [20, 20, 30, 30]], [generator.random()]))
        truths.append([[0, 0, 10, 10]])
    interval = metrics.average_precision_interval(metrics.match_detections(found, truths), resamples=300)
    assert 0 < interval.low < interval.value < interval.high < 1


@pytest.mark.parametrize(
    ("found", "truths", "message"),
    [
        ([([[0, 0, 1, 1]], [0.5])], [], "as many of each"),
        ([([[0, 0, 1]], [0.5])], [[]], "expected .N, 4."),
        ([([[0, 0, 1, 1]], [0.5, 0.6])], [[]], "one finite each"),
    ],
)
def test_bad_detections_are_refused(found, truths, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics.match_detections(found, truths)
