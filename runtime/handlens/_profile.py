"""What a person's ratings say by genre: the numbers that the recommender reads, and which genres are favourites."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def profile(values: NDArray[np.float64], member: NDArray[np.bool_]) -> Floats:
    """The mean rating of each genre; a genre without a rating gets the mean of all the person's ratings.

    Args:
        values: (N,) stars, N at least 1.
        member: (N, G) whether a rated title belongs to a genre; it may belong to several, or to none.

    Returns:
        (G,) float64 stars.
    """
    counts = member.sum(axis=0)
    sums = values @ member
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
    return means


def favourites(liked: NDArray[np.float64], everyone: NDArray[np.float64], prior: float) -> Floats:
    """How much more a person likes titles of a genre than everyone does: 1 as much, 2 twice as often.

    The share of the genre among the liked titles over its share among everyone's, both counted once a genre. A person
    with few liked titles is drawn towards 1: it is as if `prior` liked titles more were spread as everyone's are.

    Args:
        liked: (G,) the person's liked titles by genre.
        everyone: (G,) the same over everyone.
        prior: liked titles, above 0.

    Returns:
        (G,) float64 above 0; 1 for a genre that nobody likes.
    """
    shares = everyone / max(float(everyone.sum()), 1.0)
    mine = (liked + prior * shares) / (float(liked.sum()) + prior)
    lift: Floats = np.where(shares > 0, mine / np.where(shares > 0, shares, 1.0), 1.0)
    return lift
