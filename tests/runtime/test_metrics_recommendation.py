"""Hit rate and NDCG against second implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import metrics
from handlens.errors import InputError

sklearn_metrics = pytest.importorskip("sklearn.metrics")

ITEMS = st.integers(0, 30)
PERSON = st.tuples(st.lists(ITEMS, unique=True, max_size=15), st.sets(ITEMS, min_size=1, max_size=15))


@settings(deadline=None)
@given(people=st.lists(PERSON, min_size=1, max_size=6), k=st.integers(1, 12))
def test_hits_are_those_of_set_arithmetic(people: list[tuple[list[int], set[int]]], k: int) -> None:
    given_, wanted = [p[0] for p in people], [p[1] for p in people]
    expected = [float(bool(set(items[:k]) & liked)) for items, liked in people]
    assert metrics.hits_at(given_, wanted, k).tolist() == expected


@settings(deadline=None)
@given(people=st.lists(PERSON, min_size=1, max_size=4), k=st.integers(1, 12))
def test_ndcg_is_scikit_learn_s(people: list[tuple[list[int], set[int]]], k: int) -> None:
    found = metrics.ndcg_at([p[0] for p in people], [p[1] for p in people], k)
    for value, (items, liked) in zip(found, people, strict=True):
        # What was not recommended stands below, and gains nothing: only the first len(items) places count.
        truth = np.array([[item in liked for item in range(31)]], float)
        scores = np.array([[-items.index(item) if item in items else -1000 - item for item in range(31)]], float)
        places = min(k, len(items))
        if not places:
            assert value == 0
            continue
        ideal = sum(1 / np.log2(place + 1) for place in range(1, min(k, len(liked)) + 1))
        shorter = sum(1 / np.log2(place + 1) for place in range(1, min(places, len(liked)) + 1))
        assert value == pytest.approx(sklearn_metrics.ndcg_score(truth, scores, k=places) * shorter / ideal)


def test_order_counts_for_ndcg_and_not_for_hits() -> None:
    first, last = [[7, 1, 2]], [[1, 2, 7]]
    assert metrics.hits_at(first, [{7}], 3) == metrics.hits_at(last, [{7}], 3) == 1
    assert metrics.ndcg_at(first, [{7}], 3) == 1 and metrics.ndcg_at(last, [{7}], 3) == pytest.approx(0.5)
    assert metrics.hits_at(last, [{7}], 2) == metrics.ndcg_at(last, [{7}], 2) == 0


@pytest.mark.parametrize(
    ("given_", "wanted", "k"),
    [([], [], 10), ([[1]], [{1}, {2}], 10), ([[1]], [{1}], 0), ([[1]], [set()], 10), ([[1, 1]], [{1}], 10)],
)
def test_what_cannot_be_measured_is_refused(given_: list, wanted: list, k: int) -> None:
    for metric in (metrics.hits_at, metrics.ndcg_at):
        with pytest.raises(InputError, match="relevant items"):
            metric(given_, wanted, k)
