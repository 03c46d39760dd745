"""The table of titles that rides in a recommender's artifact: names, genres, and who in which cluster liked them."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens import _codec
from handlens.errors import ManifestInvalid

EXTRA = "titles.json"
SCHEMA = 1
MAX_CELLS = 2**24  # clusters times titles
MAX_GENRES = 62  # a title's genres are the bits of one whole number that any JSON reader keeps
_KEYS = ("schema", "genres", "movies", "titles", "members", "users", "liked")


@dataclass(frozen=True, slots=True, eq=False)
class TitleTable:
    """Titles and what each cluster of people thinks of them.

    Attributes:
        genres: (G,) names.
        movies: (M,) int64 ids, rising.
        titles: (M,) names.
        member: (M, G) bool, whether a title belongs to a genre.
        users: (K,) int64, people a cluster.
        liked: (K, M) int64, ratings above 4 stars by the people of a cluster.
    """

    genres: tuple[str, ...]
    movies: NDArray[np.int64]
    titles: tuple[str, ...]
    member: NDArray[np.bool_]
    users: NDArray[np.int64]
    liked: NDArray[np.int64]

    def to_json(self) -> bytes:
        """Compact JSON; a cluster's counts as index, count, index, count, ..., those above 0."""
        bits = np.int64(1) << np.arange(len(self.genres), dtype=np.int64)
        table = {
            "schema": SCHEMA,
            "genres": self.genres,
            "movies": self.movies.tolist(),
            "titles": self.titles,
            "members": (self.member @ bits).tolist(),
            "users": self.users.tolist(),
            "liked": [np.stack([(at := np.flatnonzero(row)), row[at]], axis=1).ravel().tolist() for row in self.liked],
        }
        return json.dumps(table, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def places(self, movies: ArrayLike) -> NDArray[np.int64]:
        """Where ids stand in the table, int64 (N,); -1 for those that do not."""
        wanted = np.asarray(movies, np.int64)
        found = np.minimum(np.searchsorted(self.movies, wanted), max(len(self.movies) - 1, 0))
        known = self.movies[found] == wanted if len(self.movies) else np.zeros(wanted.shape, bool)
        return np.where(known, found, -1).astype(np.int64)


def parse(content: bytes) -> TitleTable:
    """Reads what `to_json` wrote.

    Raises:
        ManifestInvalid: it is damaged, or breaks a rule; the message names the part.
    """
    try:
        table = _codec.parse_json(content.decode("utf-8"), EXTRA)
    except UnicodeDecodeError:
        raise ManifestInvalid(f"{EXTRA} is no UTF-8 text") from None
    if not isinstance(table, dict) or table.keys() != set(_KEYS) or table["schema"] != SCHEMA:
        raise ManifestInvalid(f"{EXTRA} is no table of titles of schema {SCHEMA}; expected the keys {', '.join(_KEYS)}")
    genres, titles = _names(table["genres"], "genres"), _names(table["titles"], "titles")
    movies, members = _wholes(table["movies"], "movies"), _wholes(table["members"], "members")
    users = _wholes(table["users"], "users")
    if not 1 <= len(genres) <= MAX_GENRES or not len(titles) == len(movies) == len(members) > 0:
        raise ManifestInvalid(
            f"{EXTRA} has {len(genres)} genres, {len(movies)} movies, {len(titles)} titles and {len(members)} members; "
            f"expected 1 to {MAX_GENRES} genres, and as many titles and members as movies"
        )
    if (np.diff(movies) <= 0).any() or (members >= 1 << len(genres)).any():
        raise ManifestInvalid(f"{EXTRA}: the movies must rise, and members name only the {len(genres)} genres")
    member = (members[:, None] >> np.arange(len(genres))) & 1 == 1
    if not isinstance(table["liked"], list) or len(table["liked"]) != len(users) or not len(users):
        raise ManifestInvalid(f"{EXTRA}: liked has not one list for each of the {len(users)} clusters of users")
    if len(users) * len(movies) > MAX_CELLS:
        raise ManifestInvalid(
            f"{EXTRA} has {len(users)} clusters of {len(movies)} titles; at most {MAX_CELLS} together"
        )
    liked = np.stack([_counts(row, len(movies)) for row in table["liked"]])
    return TitleTable(genres, movies, titles, member, users, liked)


def best(scores: NDArray[Any], overall: NDArray[Any], seen: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """The `n` titles of the highest score that somebody liked and the person has not seen, at most.

    Equal scores are told apart by how many people like a title at all, then by the lower id.

    Args:
        scores: (M,) of each title.
        overall: (M,) people that like it.
        seen: (M,) titles to leave out.
        n: how many.

    Returns:
        Indices, int64, the best first.
    """
    order = np.lexsort((-overall, -scores))  # stable, so the lower index, which is the lower id, stays in front
    chosen: NDArray[np.int64] = order[~seen[order] & (overall[order] > 0)][:n]
    return chosen


def _names(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ManifestInvalid(f"{EXTRA}: {what} is no list")
    names = tuple(_codec.coerce(str, item, f"{EXTRA}: {what}[{index}]") for index, item in enumerate(value))
    if what == "genres" and len(set(names)) != len(names):
        raise ManifestInvalid(f"{EXTRA}: {what} repeats a name")
    return names


def _wholes(value: object, what: str) -> NDArray[np.int64]:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item <= 2**62 for item in value):
        raise ManifestInvalid(f"{EXTRA}: {what} is no list of whole numbers of 0 or more")
    return np.array(value, np.int64)


def _counts(value: object, movies: int) -> NDArray[np.int64]:
    pairs = _wholes(value, "liked")
    if len(pairs) % 2:
        raise ManifestInvalid(f"{EXTRA}: liked has an index without a count")
    index, count = pairs.reshape(-1, 2).T
    if (index >= movies).any() or (np.diff(index) <= 0).any() or (count > 2**31).any():
        raise ManifestInvalid(f"{EXTRA}: liked names titles out of order, or beyond the {movies} of the table")
    row = np.zeros(movies, np.int64)
    row[index] = count
    return row
