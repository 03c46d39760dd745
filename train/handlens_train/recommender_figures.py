"""What a recommender is measured on: liked titles that were held out, against simply recommending what is popular."""

from collections.abc import Mapping, Sequence

import numpy as np

from handlens import metrics
from handlens._titles import best
from handlens.errors import DataError, OptionError
from handlens.metrics import Interval
from handlens.recommend import LIKED_ABOVE, ClusterRecommender
from handlens_data.datasets.movielens import MovieLens, Ratings
from handlens_train.evaluation import Evaluation, Item, breakdown

K = 10
KNOWN = {"val": ("train",), "test": ("train", "val")}
# Of a user, known ratings: bands of the breakdown.
_BANDS = (20, 50, 100, 200)


def evaluation(model: ClusterRecommender, data: MovieLens, split: str) -> Evaluation:
    """Hit rate and NDCG at 10 over the users with a liked title among their held-out ratings.

    A user's known ratings (for the test those of validation, too) make the profile; their titles are not recommended.
    Held out are those of `split`; the ones above 4 stars are liked. "Popularity" recommends to everybody the unseen
    titles that most people of the training part like.

    Raises:
        OptionError: there is no such split.
        DataError: no user has a liked title held out.
    """
    if split not in KNOWN:
        raise OptionError(f"unknown split {split!r}; valid: {', '.join(KNOWN)}.")
    known, held = data.part(*KNOWN[split]).by_user(), data.part(split).by_user()
    liked = {user: set(_ids(data, own, own.values > LIKED_ABOVE)) for user, own in held.items()}
    users = [user for user in known if liked.get(user)]
    if not users:
        raise DataError(f"no user of {data.root} has a rating above {LIKED_ABOVE:g} in {split}: nothing to measure by.")
    popular = _popularity(data)
    given, plain, clusters = [], [], []
    for user in users:
        ratings = _mapping(data, known[user])
        found = model.recommend(ratings, K)
        given.append([one.movie for one in found])
        clusters.append(found[0].cluster if found else 0)
        seen = np.zeros(len(data.movies.ids), bool)
        seen[known[user].movies] = True
        plain.append(data.movies.ids[best(popular, popular, seen, K)].tolist())
    wanted = [liked[user] for user in users]
    hits, gains = metrics.hits_at(given, wanted, K), metrics.ndcg_at(given, wanted, K)
    base_hits, base_gains = metrics.hits_at(plain, wanted, K), metrics.ndcg_at(plain, wanted, K)
    figures: dict[str, Interval] = {
        f"hit_rate{K}": metrics.bootstrap(hits),
        f"ndcg{K}": metrics.bootstrap(gains),
        f"popularity_hit_rate{K}": metrics.bootstrap(base_hits),
        f"popularity_ndcg{K}": metrics.bootstrap(base_gains),
        f"hit_rate{K}_gain": metrics.paired_bootstrap(hits, base_hits),
        f"ndcg{K}_gain": metrics.paired_bootstrap(gains, base_gains),
    }
    sizes = [_band(len(known[user])) for user in users]
    return Evaluation(
        dataset=data.name,
        split=split,
        protocol=(
            f"held-out ratings above {LIKED_ABOVE:g} among the first {K} unseen titles, {len(users)} users; gain: over "
            "popularity, paired by user"
        ),
        n=len(users),
        primary=f"hit_rate{K}",
        metrics=figures,
        outcomes=hits,
        groups=np.array(users, np.int64),
        engine=model.engine,
        breakdowns=(
            breakdown("cluster", [f"{cluster:02}" for cluster in clusters], hits),
            breakdown("known ratings", sizes, hits, order=[_label(index) for index in range(len(_BANDS))]),
        ),
        items=tuple(
            Item(f"user {user}", f"titles {', '.join(map(str, titles))}", hit)
            for user, titles, hit in zip(users, given, hits.tolist(), strict=True)
        ),
        counts={"users": len(known), "users without a liked title held out": len(known) - len(users)},
    )


def _popularity(data: MovieLens) -> np.ndarray:
    """(M,) people of the training part that rate a title above 4."""
    train = data.part("train")
    return np.bincount(train.movies[train.values > LIKED_ABOVE], minlength=len(data.movies.ids))


def _mapping(data: MovieLens, ratings: Ratings) -> Mapping[int, float]:
    return dict(zip(data.movies.ids[ratings.movies].tolist(), ratings.values.tolist(), strict=True))


def _ids(data: MovieLens, ratings: Ratings, chosen: np.ndarray) -> Sequence[int]:
    return data.movies.ids[ratings.movies[chosen]].tolist()


def _band(count: int) -> str:
    return _label(max(int(np.searchsorted(_BANDS, count, side="right")) - 1, 0))


def _label(index: int) -> str:
    if index == len(_BANDS) - 1:
        return f"{_BANDS[index]} and more"
    return f"{'under ' if index == 0 else f'{_BANDS[index]} to under '}{_BANDS[index + 1]}"
