"""The gate: pairs item by item, states its interval, and lets nothing through that lost too much."""

import numpy as np
import pytest

from handlens.errors import GateFailed, InputError
from handlens.metrics import Interval
from handlens_export.door import Outcome
from handlens_export.gate import judge
from handlens_train.evaluation import Evaluation


def evaluation(outcomes: np.ndarray, split: str = "val") -> Evaluation:
    value = float(outcomes.mean())
    return Evaluation(
        dataset="toy",
        split=split,
        protocol="toy",
        n=len(outcomes),
        primary="rank1",
        metrics={"rank1": Interval(value, value, value)},
        outcomes=outcomes,
        groups=np.arange(len(outcomes)) // 2,
    )


def test_a_loss_beyond_the_limit_fails_with_its_interval() -> None:
    full, worse = np.ones(200), np.ones(200)
    worse[:6] = 0
    verdict = judge("net-int8.tflite", evaluation(worse), evaluation(full), max_drop=1.0)
    assert not verdict.passed and verdict.drop.value == pytest.approx(3.0)
    assert verdict.drop.low < 3.0 < verdict.drop.high
    with pytest.raises(GateFailed, match=r"net-int8\.tflite loses 3\.00 points of rank1 on val") as caught:
        Outcome((), (verdict,)).require()
    assert caught.value.exit_code == 3 and "allowed: 1.00" in str(caught.value)


def test_a_loss_at_the_limit_and_a_gain_pass() -> None:
    reference, candidate = np.ones(200), np.ones(200)
    candidate[:2] = 0
    assert judge("a", evaluation(candidate), evaluation(reference), max_drop=1.0).passed
    gain = judge("a", evaluation(reference), evaluation(candidate), max_drop=0.0)
    assert gain.passed and "gains 1.00 points" in gain.sentence()


def test_changes_that_cancel_show_in_the_interval() -> None:
    a, b = np.ones(100), np.ones(100)
    a[:10] = 0
    b[-10:] = 0
    drop = judge("a", evaluation(b), evaluation(a), max_drop=1.0).drop
    assert drop.value == pytest.approx(0) and drop.low < -2 and drop.high > 2


def test_what_rides_along_is_the_change_as_a_fraction() -> None:
    full, worse = np.ones(200), np.ones(200)
    worse[:6] = 0
    facts = judge("a", evaluation(worse), evaluation(full), max_drop=5.0).to_dict("toy")
    assert facts["value"] == -0.03 and facts["low"] < -0.03 < facts["high"] <= 0
    assert (facts["dataset"], facts["split"], facts["metric"]) == ("toy", "val", "rank1")


def test_figures_of_other_items_are_not_paired() -> None:
    with pytest.raises(InputError, match="different items"):
        judge("a", evaluation(np.ones(10)), evaluation(np.ones(12)), max_drop=1.0)
    with pytest.raises(InputError, match="different items"):
        judge("a", evaluation(np.ones(10)), evaluation(np.ones(10), split="test"), max_drop=1.0)
