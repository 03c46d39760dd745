"""Outcomes kept in a file pair as the evaluations they are of."""

import numpy as np
import pytest

from handlens import metrics
from handlens.errors import DataError, InputError
from handlens_export.gate import judge
from handlens_export.sweep import outcomes
from handlens_train.evaluation import Evaluation, right_or_wrong


def of_people(seed: int, share: float) -> Evaluation:
    """300 items of 60 people, named by objects as some loaders have them."""
    right = np.random.default_rng(seed).random(300) < share
    groups = np.array([f"person {index % 60}" for index in range(300)], dtype=object)
    found = right_or_wrong("drawn", "val", right, "engine 1")
    return Evaluation(**{name: getattr(found, name) for name in found.__slots__} | {"groups": groups})


def of_images(seed: int) -> Evaluation:
    """A statistic over 80 images that is no mean of items: a ratio of sums."""
    random = np.random.default_rng(seed)
    above, below = random.random(80), 1 + random.random(80)

    def statistic(counts: np.ndarray) -> float:
        return float((counts * above).sum() / (counts * below).sum())

    return Evaluation(
        dataset="drawn", split="val", protocol="p", n=80, primary="iou",
        metrics={"iou": metrics.bootstrap_statistic(statistic, 80)}, outcomes=np.empty(0), groups=np.arange(80),
        statistic=statistic,
    )  # fmt: skip


@pytest.mark.parametrize("pair", [(of_people(1, 0.9), of_people(2, 0.8)), (of_images(3), of_images(4))])
def test_a_kept_reference_judges_as_the_evaluation_itself(pair: tuple[Evaluation, Evaluation]) -> None:
    reference, candidate = pair
    kept = outcomes.read(outcomes.kept(reference))
    assert judge("a", candidate, kept, 1.0) == judge("a", candidate, reference, 1.0)
    again = outcomes.read(outcomes.kept(candidate))
    assert judge("a", again, kept, 1.0) == judge("a", candidate, reference, 1.0)


def test_other_items_do_not_pair() -> None:
    kept = outcomes.read(outcomes.kept(of_people(1, 0.9)))
    fewer = right_or_wrong("drawn", "val", np.ones(200), "engine 1")
    with pytest.raises(InputError, match="different items"):
        judge("a", fewer, kept, 1.0)


def test_a_kept_statistic_knows_no_other_draw() -> None:
    kept = outcomes.read(outcomes.kept(of_images(3)))
    assert kept.statistic is not None
    with pytest.raises(InputError, match="own draws alone"):
        kept.statistic(np.full(80, 2.0))


def test_a_damaged_file_is_said_to_be() -> None:
    with pytest.raises(DataError, match="damaged"):
        outcomes.read(outcomes.kept(of_images(3))[:200])
