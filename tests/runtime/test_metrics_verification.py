"""Verification metrics against brute force and scikit-learn, and intervals over people against plain resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import metrics
from handlens.errors import InputError

# Few distinct scores on purpose: ties are where implementations differ.
SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=25)
TARGETS = (1e-1, 1e-2, 1e-3)


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[list[float], list[int], list[int]]:
    """(scores, first person, second person) with at least one pair of each kind."""
    n = draw(st.integers(0, 30))
    person = st.integers(0, 4)
    first = [1, 1, *draw(st.lists(person, min_size=n, max_size=n))]
    second = [1, 2, *draw(st.lists(person, min_size=n, max_size=n))]
    scores = draw(st.lists(st.integers(-3, 3).map(float), min_size=n + 2, max_size=n + 2))
    return scores, first, second


def by_hand(genuine: list[float], impostor: list[float], target: float) -> tuple[float, float]:
    """(FMR, FNMR) at the lowest threshold, of all scores and one above them, whose FMR is within the target."""
    for threshold in sorted([*genuine, *impostor, max([*genuine, *impostor]) + 1]):
        fmr = sum(score >= threshold for score in impostor) / len(impostor)
        if fmr <= target + 1e-12:
            return fmr, sum(score < threshold for score in genuine) / len(genuine)
    raise AssertionError


@settings(max_examples=150, deadline=None)
@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0]))
def test_fnmr_at_fmr_agrees_with_brute_force(genuine: list[float], impostor: list[float], target: float) -> None:
    fmr, fnmr = by_hand(genuine, impostor, target)
    threshold = metrics.threshold_at_fmr(impostor, target)
    assert metrics.false_match_rate(impostor, threshold) == pytest.approx(fmr)
    found = metrics.fnmr_at_fmr(genuine, impostor, target)
    # With a target that every impostor may meet, the lowest impostor is the threshold; brute force may go below it.
    assert found == pytest.approx(fnmr) or (target == 1.0 and found >= fnmr)
    assert metrics.tar_at_fmr(genuine, impostor, target) == pytest.approx(1 - found)


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES)
def test_the_curve_agrees_with_scikit_learn(genuine: list[float], impostor: list[float]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, scores = [1] * len(genuine) + [0] * len(impostor), [*genuine, *impostor]
    fmr, tar, thresholds = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    curve = metrics.det(genuine, impostor)
    assert curve.fmr == pytest.approx(fmr) and curve.tar == pytest.approx(tar)
    assert curve.thresholds == pytest.approx(thresholds)
    assert np.trapezoid(curve.tar, curve.fmr) == pytest.approx(metrics.roc_auc(scores, np.array(labels) == 1))


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES)
def test_the_best_threshold_is_beaten_by_none(genuine: list[float], impostor: list[float]) -> None:
    best = metrics.verification_accuracy(genuine, impostor, metrics.best_threshold(genuine, impostor))
    for threshold in [-9.0, *genuine, *impostor, 9.0]:
        right = sum(s >= threshold for s in genuine) + sum(s < threshold for s in impostor)
        assert metrics.verification_accuracy(genuine, impostor, threshold) == right / (len(genuine) + len(impostor))
        assert best >= right / (len(genuine) + len(impostor))


def test_the_equal_error_rate_of_two_normals_is_the_known_one() -> None:
    generator = np.random.default_rng(1)
    genuine, impostor = generator.normal(2, 1, 20_000), generator.normal(0, 1, 30_000)
    assert metrics.eer(genuine, impostor) == pytest.approx(0.1587, abs=0.004)  # Phi(-1)
    assert metrics.eer([1.0, 2.0], [-1.0, 0.0]) == 0.0 and metrics.eer([0.0], [0.0]) == 0.5


def test_a_rate_needs_three_comparisons_an_error() -> None:
    assert metrics.supported_rates(3000, (1e-1, 1e-2, 1e-3, 1e-4)) == (1e-1, 1e-2, 1e-3)
    assert metrics.supports(30, 0.1) and not metrics.supports(29, 0.1) and not metrics.supports(100, 0.0)


@settings(max_examples=100, deadline=None)
@given(comparisons(), st.integers(0, 50), st.sampled_from([0.1, 0.3, 0.6]))
def test_a_resample_weighs_pairs_by_the_people_drawn(
    pairs: tuple[list[float], list[int], list[int]], seed: int, target: float
) -> None:
    """A pair of two people stands there as often as the product says; then the plain functions must agree."""
    scores, first, second = pairs
    made = metrics.score_pairs(scores, first, second)
    counts = np.random.default_rng(seed).integers(0, 4, made.people)
    often = dict(zip(sorted({*first, *second}), counts.tolist(), strict=True))
    genuine, impostor = [], []
    for score, a, b in zip(scores, first, second, strict=True):
        (genuine if a == b else impostor).extend([score] * (often[a] if a == b else often[a] * often[b]))
    tar = metrics.tar_statistic(made, target)(counts.astype(float))
    right = metrics.accuracy_statistic(made, 0.5)(counts.astype(float))
    if not genuine or not impostor:
        assert np.isnan(right)
        return
    assert tar == pytest.approx(1 - by_hand(genuine, impostor, target)[1])
    assert right == pytest.approx(metrics.verification_accuracy(genuine, impostor, 0.5))


def embeddings(people: int = 60, images: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(people, 16))
    vectors = centres.repeat(images, 0) + 0.8 * generator.normal(size=(people * images, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.arange(people).repeat(images)


def test_figures_with_intervals_are_the_plain_ones_and_lie_within() -> None:
    pairs = metrics.all_pairs(*embeddings())
    assert len(pairs.genuine) == 60 * 6 and len(pairs.impostor) == 240 * 239 // 2 - 360
    threshold = metrics.best_threshold(pairs.genuine, pairs.impostor)
    found = metrics.verification_intervals(pairs, TARGETS, threshold, resamples=200)
    assert found.eer.value == pytest.approx(metrics.eer(pairs.genuine, pairs.impostor))
    for target in TARGETS:
        interval = found.fnmr[target]
        assert interval.value == pytest.approx(metrics.fnmr_at_fmr(pairs.genuine, pairs.impostor, target))
        assert interval.low <= interval.value <= interval.high and interval.high > interval.low
    assert found.accuracy is not None and found.fmr_at_threshold is not None and found.fnmr_at_threshold is not None
    expected = metrics.verification_accuracy(pairs.genuine, pairs.impostor, threshold)
    assert found.accuracy.value == pytest.approx(expected)
    assert found.fmr_at_threshold.value == pytest.approx(metrics.false_match_rate(pairs.impostor, threshold))
    assert found.fnmr_at_threshold.value == pytest.approx(metrics.false_non_match_rate(pairs.genuine, threshold))


def test_no_error_seen_is_no_certainty() -> None:
    people = np.arange(30)
    first, second = (
        np.concatenate([people, people, people]),
        np.concatenate([people, (people + 1) % 30, (people + 2) % 30]),
    )
    pairs = metrics.score_pairs([0.9] * 30 + [0.1] * 60, first, second)
    found = metrics.verification_intervals(pairs, (0.1,), 0.5, resamples=50)
    assert found.fmr_at_threshold is not None and found.fnmr_at_threshold is not None
    assert found.fnmr[0.1] == metrics.Interval(0.0, 0.0, 0.1) and found.fnmr_at_threshold.high == 0.1
    assert found.fmr_at_threshold == metrics.Interval(0.0, 0.0, 0.05)


def test_drawing_people_widens_what_drawing_pairs_hides() -> None:
    pairs = metrics.all_pairs(*embeddings(40, 8))
    threshold = metrics.best_threshold(pairs.genuine, pairs.impostor)
    over_people = metrics.verification_intervals(pairs, (), threshold, resamples=300).fnmr_at_threshold
    over_pairs = metrics.bootstrap(pairs.genuine < threshold, resamples=300)
    assert over_people is not None
    assert over_people.high - over_people.low > 1.5 * (over_pairs.high - over_pairs.low)


def test_thresholds_come_only_for_rates_that_the_comparisons_carry() -> None:
    pairs = metrics.all_pairs(*embeddings(20, 3))
    assert len(pairs.impostor) == 1710
    found = metrics.choose_thresholds(pairs, resamples=200)
    assert [t.target_fmr for t in found] == [1e-1, 1e-2]
    for threshold in found:
        fmr = metrics.false_match_rate(pairs.impostor, threshold.value)
        assert fmr <= threshold.target_fmr and threshold.comparisons == 1710
        assert threshold.low <= fmr <= threshold.high
    few = metrics.score_pairs([0.9, 0.1], [1, 1], [1, 2])
    assert metrics.choose_thresholds(few) == ()


def test_the_curve_for_a_report_falls_and_lies_in_its_band() -> None:
    pairs = metrics.all_pairs(*embeddings())
    curves = metrics.det_points(pairs, points=20, resamples=100)
    assert set(curves) == {"det", "det-low", "det-high"} and all(len(points) == 20 for points in curves.values())
    rates, values = zip(*curves["det"], strict=True)
    assert rates[0] == pytest.approx(1 / len(pairs.impostor)) and rates[-1] == pytest.approx(0.5)
    assert list(values) == sorted(values, reverse=True)
    for (_, low), (_, value), (_, high) in zip(curves["det-low"], curves["det"], curves["det-high"], strict=True):
        assert low - 0.02 <= value <= high + 0.02


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.det([], [1.0]), "genuine scores have shape .0,."),
        (lambda: metrics.eer([1.0], [np.nan]), "finite"),
        (lambda: metrics.threshold_at_fmr([1.0], 1.5), "valid: 0 to 1"),
        (lambda: metrics.score_pairs([1.0], [1, 2], [1]), "expected equal lists"),
        (lambda: metrics.score_pairs([1.0, 2.0], [1, 2], [1, 2]), "0 impostor pairs"),
        (lambda: metrics.all_pairs(np.zeros((3, 4)), [1, 2]), "expected .N, D."),
    ],
)
def test_what_cannot_be_compared_is_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_a_statistic_is_resampled_and_paired_on_the_same_draw() -> None:
    values = np.random.default_rng(3).random(80)

    def mean(counts: np.ndarray) -> float:
        return float(counts @ values / counts.sum())

    plain, general = metrics.bootstrap(values, resamples=2000), metrics.bootstrap_statistic(mean, 80, 2000)
    assert general.value == pytest.approx(plain.value)
    assert general.high - general.low == pytest.approx(plain.high - plain.low, rel=0.1)
    shifted = metrics.paired_bootstrap_statistic(mean, lambda counts: mean(counts) - 0.01, 80, 200)
    assert (shifted.low, shifted.high) == (pytest.approx(0.01), pytest.approx(0.01))
    with pytest.raises(InputError, match="0 groups"):
        metrics.bootstrap_statistic(mean, 0)
    with pytest.raises(InputError, match="has no interval"):
        metrics.bootstrap_statistic(lambda counts: float("nan"), 5)
