"""The gate: pairs item by item, states its interval, and lets nothing through that lost too much."""

from dataclasses import replace

import numpy as np
import pytest

from handlens import metrics
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


def detection(scale: float, seed: int = 0) -> Evaluation:
    """A metric that is no mean of outcomes: average precision over 80 images, worse for larger `scale`."""
    generator = np.random.default_rng(seed)
    right, noise = generator.random(80), generator.normal(0, 0.2, 80)
    found, truths = [], []
    for image in range(80):
        hit = right[image] > scale
        found.append(([[0, 0, 30, 30] if hit else [60, 60, 90, 90]], [float(right[image] + noise[image])]))
        truths.append([[0, 0, 30, 30]])
    matches = metrics.match_detections(found, truths)
    interval = metrics.average_precision_interval(matches, 100)
    return Evaluation(
        dataset="toy",
        split="val",
        protocol="toy",
        n=80,
        primary="ap",
        metrics={"ap": interval},
        outcomes=np.empty(0),
        groups=np.arange(80),
        statistic=lambda counts: metrics.average_precision(matches, counts),
    )


def test_a_metric_that_is_no_mean_is_resampled_on_both_sides_alike() -> None:
    full, worse = detection(0.2), detection(0.3)
    verdict = judge("net", worse, full, max_drop=1.0)
    expected = 100 * (full.metrics["ap"].value - worse.metrics["ap"].value)
    assert verdict.drop.value == pytest.approx(expected) and not verdict.passed
    assert verdict.drop.low < verdict.drop.value < verdict.drop.high
    separate = 100 * (full.metrics["ap"].high - worse.metrics["ap"].low)
    assert verdict.drop.high < separate, "pairing must be surer than two separate intervals"
    same = judge("net", full, full, max_drop=0.0)
    assert same.passed and (same.drop.low, same.drop.high) == (0, 0)
    plain = evaluation(np.ones(80))
    with pytest.raises(InputError, match="different items"):
        judge("net", replace(plain, primary="ap", groups=full.groups), full, max_drop=1.0)
