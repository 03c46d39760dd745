"""Metrics against second implementations: brute force and scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handlens.errors import InputError, ProbeWithoutMatch
from handlens.metrics import (
    accuracy,
    bootstrap,
    cmc,
    f1,
    mean_average_precision,
    paired_bootstrap,
    rank,
    roc_auc,
)


def brute_force(similarity, probe_ids, gallery_ids, probe_cameras, gallery_cameras):
    """The protocol in plain loops: (first correct rank, average precision) a probe."""
    results = []
    for p, identity in enumerate(probe_ids):
        items = []
        for g, other in enumerate(gallery_ids):
            if other == -1 or (other == identity and gallery_cameras[g] == probe_cameras[p]):
                continue
            items.append((-similarity[p][g], other == identity))
        found, total, first = 0, 0.0, None
        for position, (_, correct) in enumerate(sorted(items), start=1):
            if correct:
                found += 1
                total += found / position
                first = position - 1 if first is None else first
        if first is None:
            return None
        results.append((first, total / found))
    return results


@st.composite
def protocols(draw):
    probes, items = draw(st.integers(1, 6)), draw(st.integers(1, 25))
    # Few distinct scores on purpose: ties are where implementations differ.
    score = st.integers(-3, 3).map(float)
    return (
        draw(st.lists(st.lists(score, min_size=items, max_size=items), min_size=probes, max_size=probes)),
        draw(st.lists(st.integers(1, 3), min_size=probes, max_size=probes)),
        draw(st.lists(st.integers(-1, 3), min_size=items, max_size=items)),
        draw(st.lists(st.integers(1, 3), min_size=probes, max_size=probes)),
        draw(st.lists(st.integers(1, 3), min_size=items, max_size=items)),
    )


@settings(max_examples=150, deadline=None)
@given(protocols())
def test_ranking_agrees_with_brute_force(protocol):
    expected = brute_force(*protocol)
    if expected is None:
        with pytest.raises(ProbeWithoutMatch):
            rank(*protocol)
        return
    ranking = rank(*protocol)
    assert ranking.first_match.tolist() == [first for first, _ in expected]
    assert np.allclose(ranking.average_precision, [precision for _, precision in expected])
    assert mean_average_precision(ranking) == pytest.approx(np.mean([precision for _, precision in expected]))
    curve = cmc(ranking, 5)
    assert curve.tolist() == pytest.approx([np.mean([first < k for first, _ in expected]) for k in range(1, 6)])
    assert ranking.hits(3).mean() == pytest.approx(curve[2])


def test_average_precision_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(3)
    similarity = generator.normal(size=(40, 200))
    probe_ids, gallery_ids = generator.integers(1, 9, 40), generator.integers(0, 9, 200)
    ranking = rank(similarity, probe_ids, gallery_ids)
    expected = [
        sklearn.average_precision_score(gallery_ids == who, row) for who, row in zip(probe_ids, similarity, strict=True)
    ]
    assert np.allclose(ranking.average_precision, expected)


def test_the_same_camera_and_junk_are_left_out_and_distractors_stay():
    # Sorted by similarity: own camera, junk, distractor, match.
    similarity, gallery_ids, cameras = [[0.9, 0.8, 0.7, 0.6]], [7, -1, 0, 7], [1, 2, 2, 2]
    ranking = rank(similarity, [7], gallery_ids, [1], cameras)
    assert ranking.first_match.tolist() == [1] and ranking.average_precision.tolist() == [0.5]
    assert rank(similarity, [7], gallery_ids).first_match.tolist() == [0]


def test_a_model_that_answers_the_same_for_everybody_scores_nothing():
    ranking = rank(np.ones((3, 3)), [1, 2, 3], [1, 2, 3])
    assert cmc(ranking, 3).tolist() == [0.0, 0.0, 1.0]


def test_probes_without_a_match_are_named():
    with pytest.raises(ProbeWithoutMatch, match=r"2 of 3 probes .*identity 8, 9\); .*add it to the gallery"):
        rank(np.zeros((3, 2)), [1, 9, 8], [1, 2])
    with pytest.raises(ProbeWithoutMatch, match="from another camera"):
        rank([[1.0]], [1], [1], [2], [2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]], [1], [1]), "expected .* = .1, 1."),
        (([[np.nan]], [1], [1]), "probe 0 is not finite"),
        (([[1.0]], [1.5], [1]), "list of integers"),
        (([[1.0]], [1], [1], [1]), "both or neither"),
        (([[1.0]], [1], [1], [1], [1, 2]), "one each"),
    ],
)
def test_bad_rankings_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        rank(*arguments)


def test_an_empty_ranking_has_no_figures():
    empty = rank(np.zeros((0, 2)), [], [1, 2])
    for figure in (lambda: cmc(empty, 5), lambda: mean_average_precision(empty)):
        with pytest.raises(InputError, match="no probes"):
            figure()
    with pytest.raises(InputError, match="max_rank is 0"):
        cmc(rank([[1.0]], [1], [1]), 0)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(11)
    covered = 0
    for trial in range(250):
        interval = bootstrap(generator.random(150) < 0.7, resamples=300, seed=trial)
        covered += interval.low <= 0.7 <= interval.high
    # Binomial(250, 0.95) is 0.95 +- 0.027 in 95 of 100 cases; percentile intervals run slightly short.
    assert 0.90 <= covered / 250 <= 0.985


def test_values_that_move_in_groups_widen_the_interval():
    generator = np.random.default_rng(12)
    groups = np.repeat(np.arange(40), 10)
    values = (generator.random(40) < 0.5).repeat(10)
    single, grouped = bootstrap(values), bootstrap(values, groups)
    assert single.value == grouped.value == values.mean()
    # Ten equal values a group tell as much as one: the interval widens by the square root of 10.
    assert 2.5 < (grouped.high - grouped.low) / (single.high - single.low) < 4.0
    few = bootstrap(generator.permutation(40)[groups] < 20, groups)
    assert few.high - few.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 40), rel=0.15)


def test_groups_of_unequal_size_weigh_by_their_size():
    interval = bootstrap([1, 1, 1, 0], ["a", "a", "a", "b"], resamples=4000)
    assert interval.value == 0.75
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_the_seed_decides_and_the_level_widens():
    values = np.random.default_rng(13).random(60)
    assert bootstrap(values, seed=5) == bootstrap(values, seed=5)
    assert bootstrap(values, seed=5) != bootstrap(values, seed=6)
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide.low < narrow.low < values.mean() < narrow.high < wide.high


def test_pairing_sees_a_difference_that_two_intervals_hide():
    generator = np.random.default_rng(14)
    parent = generator.random(400)
    child = parent - 0.01 + generator.normal(0, 0.005, 400)
    difference = paired_bootstrap(child, parent)
    assert difference.value == pytest.approx(-0.01, abs=0.001) and difference.high < 0
    assert bootstrap(child).high > bootstrap(parent).low
    assert paired_bootstrap(parent, parent).high == 0
    with pytest.raises(InputError, match="same items"):
        paired_bootstrap(parent, child[:-1])


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, "non-empty"),
        ([1.0, np.nan], {}, "finite"),
        ([[1.0]], {}, "shape"),
        ([1.0], {"groups": [1, 2]}, "one label a value"),
        ([1.0], {"resamples": 0}, "resamples is 0"),
        ([1.0], {"level": 1.0}, "level is 1.0"),
    ],
)
def test_bad_bootstraps_are_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap(values, **options)


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(labels)
def test_accuracy_and_f1_agree_with_scikit_learn(pairs):
    sklearn = pytest.importorskip("sklearn.metrics")
    predicted, actual = map(list, zip(*pairs, strict=True))
    assert accuracy(predicted, actual) == pytest.approx(sklearn.accuracy_score(actual, predicted))
    expected = sklearn.f1_score(actual, predicted, labels=[0, 1, 2, 3], average=None, zero_division=0)
    assert f1(predicted, actual, [0, 1, 2, 3]) == pytest.approx(expected)
    assert f1(predicted, actual).mean() == pytest.approx(
        sklearn.f1_score(actual, predicted, average="macro", zero_division=0)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40))
def test_roc_auc_agrees_with_scikit_learn(items):
    sklearn = pytest.importorskip("sklearn.metrics")
    scores, positive = map(list, zip(*items, strict=True))
    assume(any(positive) and not all(positive))
    assert roc_auc(scores, positive) == pytest.approx(sklearn.roc_auc_score(positive, scores))


def test_classification_without_both_classes_or_with_unequal_lists_is_refused():
    with pytest.raises(InputError, match="2 positive and 0 negative"):
        roc_auc([1.0, 2.0], [True, True])
    for figure in (accuracy, f1):
        with pytest.raises(InputError, match="equal non-empty"):
            figure([1], [1, 2])
