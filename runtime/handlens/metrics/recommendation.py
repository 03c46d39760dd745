"""Recommendation: was something among the first k that the person liked, and how far up did it stand?"""

from collections.abc import Collection, Sequence

import numpy as np

from handlens.errors import InputError
from handlens.metrics._arrays import Floats


def hits_at(recommended: Sequence[Sequence[int]], relevant: Sequence[Collection[int]], k: int = 10) -> Floats:
    """Returns (N,) float64: 1.0 for a person with a relevant item among the first `k` recommended, else 0.0.

    Its mean is the hit rate at k.

    Args:
        recommended: items of each person, the best first; fewer than `k` are possible.
        relevant: items of each person that were held out, at least one.
        k: 1 or more.

    Raises:
        InputError: the lists differ in length, an item is recommended twice, or a person has nothing relevant.
    """
    return np.asarray((_gains(recommended, relevant, k) > 0).any(axis=1), np.float64)


def ndcg_at(recommended: Sequence[Sequence[int]], relevant: Sequence[Collection[int]], k: int = 10) -> Floats:
    """Returns (N,) float64, 0..1: the normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), binary.

    A relevant item at place i (from 1) gains 1 / log2(i + 1), over what the best possible order of so many relevant
    items would gain within `k`.

    Args:
        recommended: as for `hits_at`.
        relevant: as for `hits_at`.
        k: as for `hits_at`.

    Raises:
        InputError: as `hits_at`.
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2)) if k >= 1 else np.zeros(0)
    gained = _gains(recommended, relevant, k) @ discounts
    ideal = np.cumsum(discounts)[[min(len(set(items)), k) - 1 for items in relevant]]
    return np.asarray(gained / ideal, np.float64)


def _gains(recommended: Sequence[Sequence[int]], relevant: Sequence[Collection[int]], k: int) -> Floats:
    """(N, k) float64: 1.0 where a relevant item stands."""
    if k < 1 or len(recommended) != len(relevant) or not len(relevant):
        raise InputError(
            f"k is {k}, with {len(recommended)} lists of recommended and {len(relevant)} of relevant items; valid: k "
            "of 1 or more, and one list of each for a person"
        )
    gains = np.zeros((len(recommended), k))
    for row, (given, wanted) in enumerate(zip(recommended, relevant, strict=True)):
        first, liked = list(given)[:k], set(wanted)
        if not liked or len(set(first)) != len(first):
            raise InputError(
                f"person {row} has {len(liked)} relevant items and recommended {first[:10]}; expected at least one "
                "relevant item, and no item twice"
            )
        gains[row, : len(first)] = [item in liked for item in first]
    return gains
