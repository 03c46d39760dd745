"""What the recommender makes of ratings: profiles of people, and the table of what each cluster likes."""

from dataclasses import dataclass

import numpy as np

from handlens._profile import profile
from handlens._titles import TitleTable
from handlens.errors import DataError
from handlens.recommend import LIKED_ABOVE
from handlens_data.datasets.movielens import GENRES, MovieLens, Movies, Ratings

EXTRA_BYTES = 2**20  # what an artifact takes as one extra


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """users: (N,) int64 ids, rising. values: (N, 19) float64, the mean rating of each genre, in stars."""

    users: np.ndarray
    values: np.ndarray


def profiles(ratings: Ratings, movies: Movies) -> Profiles:
    """The profile of every user that has a rating."""
    found = {user: profile(own.values, movies.member[own.movies]) for user, own in ratings.by_user().items()}
    return Profiles(np.array(list(found), np.int64), np.stack(list(found.values())))


def table(data: MovieLens, ratings: Ratings, users: np.ndarray, clusters: np.ndarray, count: int) -> TitleTable:
    """The titles, and the ratings above 4 of each cluster's people.

    Args:
        data: for the titles, all of them: somebody may have rated one that this part does not know.
        ratings: to count, those of the training part.
        users: (N,) ids, rising.
        clusters: (N,) of each, 0 to count - 1.
        count: of clusters.

    Raises:
        DataError: the table is larger than an artifact takes.
    """
    movies = data.movies
    liked = np.zeros((count, len(movies.ids)), np.int64)
    chosen = ratings.values > LIKED_ABOVE
    np.add.at(liked, (clusters[np.searchsorted(users, ratings.users[chosen])], ratings.movies[chosen]), 1)
    made = TitleTable(
        genres=tuple(GENRES),
        movies=movies.ids,
        titles=movies.titles,
        member=movies.member,
        users=np.bincount(clusters, minlength=count).astype(np.int64),
        liked=liked,
    )
    if len(made.to_json()) > EXTRA_BYTES:
        raise DataError(
            f"{data.root}: the table of {len(movies.ids):,} titles takes {len(made.to_json()):,} bytes; an artifact "
            f"takes {EXTRA_BYTES:,}. Leave titles with few ratings out of both files; latest-small fits."
        )
    return made
