import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlens import metrics
from handlens.errors import InputError


def by_hand(confidence: list[float], right: list[int]) -> float:
    """The definition, bin by bin: another way round than the implementation's."""
    total = 0.0
    for low in range(10):
        members = [i for i, value in enumerate(confidence) if min(int((value - 0.5) * 20), 9) == low]
        if members:
            gap = sum(right[i] for i in members) / len(members) - sum(confidence[i] for i in members) / len(members)
            total += len(members) / len(confidence) * abs(gap)
    return total


@given(st.lists(st.tuples(st.floats(0.5, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_error_is_its_definition(items: list[tuple[float, int]]) -> None:
    confidence, right = [value for value, _ in items], [hit for _, hit in items]
    assert metrics.calibration_error(confidence, right) == pytest.approx(by_hand(confidence, right), abs=1e-12)
    rows = metrics.reliability(confidence, right)
    assert sum(items for *_, items in rows) == len(right)
    assert [mean for mean, *_ in rows] == sorted(mean for mean, *_ in rows)


def test_a_confidence_that_holds_has_no_error_and_a_boast_has() -> None:
    right = np.repeat([1, 0], [80, 20])
    assert metrics.calibration_error(np.full(100, 0.8), right) == pytest.approx(0)
    assert metrics.calibration_error(np.full(100, 0.99), right) == pytest.approx(0.19)
    assert metrics.reliability(np.full(100, 0.99), right) == ((pytest.approx(0.99), 0.8, 100),)


def test_counts_weigh_like_repeated_items() -> None:
    rng = np.random.default_rng(0)
    confidence, right, counts = rng.uniform(0.5, 1, 50), rng.integers(0, 2, 50), rng.integers(0, 4, 50)
    repeated = metrics.calibration_error(np.repeat(confidence, counts), np.repeat(right, counts))
    assert metrics.calibration_error(confidence, right, counts) == pytest.approx(repeated)
    assert np.isnan(metrics.calibration_error(confidence, right, np.zeros(50)))


@pytest.mark.parametrize(
    ("confidence", "right", "words"),
    [([], [], "non-empty"), ([0.9], [1, 0], "two equal"), ([0.4], [1], "0.5 to 1"), ([np.nan], [1], "0.5 to 1")],
)
def test_nonsense_is_refused(confidence: list[float], right: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        metrics.calibration_error(confidence, right)
