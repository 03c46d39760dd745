"""MovieLens latest-small (Harper and Konstan, ACM TiiS 2015): people's ratings of movies, free for research.

Layouts read: the unpacked zip (`ml-latest-small/`, also `movielens/`), or the folder itself, with `ratings.csv`
(userId, movieId, rating, timestamp) and `movies.csv` (movieId, title, genres separated by "|"). `links.csv` and
`tags.csv` may lie beside them; they are not read. Larger releases of the same layout are read, too.

Counts: 100,836 ratings of 9,724 titles (9,742 are listed) by 610 users, at least 20 each, 0.5 to 5 stars in halves; 19
genres; 34 titles have none. GroupLens numbers the users 1 to 610; here is a copy that begins at 1001.

Each rating belongs to one part, by the SHA-256 of "movieId,timestamp" modulo 10: 0 and 1 are the test (20,154 ratings),
2 the validation (10,168), the rest is for training (70,514). So the users are the same in all parts, nobody chose the
parts, whether a rating is high does not matter, and copies of the file that number the users otherwise are split alike.
Anything that is fitted (a mixture, a table of counts) may see the training part alone.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens._ratings_csv import RatingRows, read_ratings, read_rows, whole
from handlens.errors import DataError, OptionError, UnknownLayout

LICENCE = "research use; no redistribution without permission (MovieLens, GroupLens)"
GENRES = (
    "Action Adventure Animation Children Comedy Crime Documentary Drama Fantasy Film-Noir Horror IMAX Musical Mystery "
    "Romance Sci-Fi Thriller War Western"
).split()
NO_GENRE = "(no genres listed)"
FOLDERS = ("ml-latest-small", "movielens")
PARTS = {"train": range(3, 10), "val": range(2, 3), "test": range(2)}
MADE_UP = "made-up.txt"  # lies beside ratings that nobody gave


@dataclass(frozen=True, slots=True, eq=False)
class Movies:
    """Every title, by rising id.

    ids: (M,) int64. titles: (M,) names with the year. member: (M, 19) bool, by `GENRES`.
    """

    ids: np.ndarray
    titles: tuple[str, ...]
    member: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Ratings of a part, in the order of the file.

    users: (N,) int64 ids. movies: (N,) int64 indices into the `Movies`. values: (N,) float64, 0.5 to 5 stars.
    """

    users: np.ndarray
    movies: np.ndarray
    values: np.ndarray

    def by_user(self) -> dict[int, "Ratings"]:
        """The ratings of each user that has some, by rising id."""
        order = np.argsort(self.users, kind="stable")
        users, starts = np.unique(self.users[order], return_index=True)
        parts = np.split(order, starts[1:]) if len(order) else []
        return {
            int(user): Ratings(self.users[part], self.movies[part], self.values[part])
            for user, part in zip(users, parts, strict=True)
        }

    def sha256(self) -> str:
        """Hash over every rating, in order; users by their place among all, so that their numbering does not matter."""
        digest = hashlib.sha256()
        for column in (np.unique(self.users, return_inverse=True)[1], self.movies, np.round(self.values * 2)):
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True, eq=False)
class MovieLens:
    """One folder. `name` and `licence` are those of the data, `parts` (N,) the part number 0 to 9 of each rating."""

    root: Path
    name: str
    licence: str
    movies: Movies
    ratings: Ratings
    parts: np.ndarray

    def part(self, *names: str) -> Ratings:
        """The ratings of some parts together: ("train", "val") are those known when the test is taken.

        Raises:
            OptionError: there is no such part.
            DataError: they are empty: the folder has too few ratings.
        """
        for name in names:
            if name not in PARTS:
                raise OptionError(f"{self.name} has no part {name!r}; valid: {', '.join(PARTS)}.")
        chosen = np.isin(self.parts, [number for name in names for number in PARTS[name]])
        if not chosen.any():
            raise DataError(f"{self.root} has too few ratings: none is in {' or '.join(names)}. Bring more.")
        ratings = self.ratings
        return Ratings(ratings.users[chosen], ratings.movies[chosen], ratings.values[chosen])


def load(root: Path) -> MovieLens:
    """Read any of the layouts under `root`.

    Raises:
        UnknownLayout: ratings.csv or movies.csv is not there.
        DataError: a file is damaged, a genre unknown, a rating out of range or of a movie that is not listed; the
            message names file and line.
    """
    base = _base(root)
    movies = _movies(base / "movies.csv")
    rows = read_ratings(base / "ratings.csv")
    places = np.minimum(np.searchsorted(movies.ids, rows.movies), len(movies.ids) - 1)
    strange = np.flatnonzero(movies.ids[places] != rows.movies)
    if len(strange):
        raise DataError(
            f"{base / 'ratings.csv'} rates movie {rows.movies[strange[0]]}, which movies.csv does not list "
            f"({len(strange)} such ratings). Both files must be of one release."
        )
    made_up = (base / MADE_UP).is_file()
    return MovieLens(
        root=base,
        name="made-up-ratings" if made_up else "movielens",
        licence="none needed: nobody gave these ratings" if made_up else LICENCE,
        movies=movies,
        ratings=Ratings(rows.users, places, rows.values),
        parts=_parts(rows),
    )


def _parts(rows: RatingRows) -> np.ndarray:
    keys = zip(rows.movies.tolist(), rows.times.tolist(), strict=True)
    return np.array([int(hashlib.sha256(f"{m},{t}".encode()).hexdigest(), 16) % 10 for m, t in keys], np.int64)


def _base(root: Path) -> Path:
    wanted = ("ratings.csv", "movies.csv")
    for base in (root, *(root / name for name in FOLDERS)):
        missing = [name for name in wanted if not (base / name).is_file()]
        if len(missing) == 1:
            raise UnknownLayout(f"{base} has no {missing[0]}; unpack the whole of ml-latest-small.zip there.")
        if not missing:
            return base
    raise UnknownLayout(
        f"{root} holds no MovieLens: expected ratings.csv and movies.csv in it, or in {' or '.join(FOLDERS)}. "
        "Point --data at the unpacked ml-latest-small, or at the folder that holds it."
    )


def _movies(path: Path) -> Movies:
    found: dict[int, tuple[str, list[str]]] = {}
    for line, row in read_rows(path, ("movieId", "title", "genres"), required=("movieId", "title", "genres")):
        movie, genres = whole(row["movieId"], path, line, "movieId"), row["genres"].split("|")
        if movie in found:
            raise DataError(f"{path}, line {line}: movie {movie} is listed a second time")
        if not row["title"].strip() or not row["title"].isprintable():
            raise DataError(f"{path}, line {line}: movie {movie} has the title {ascii(row['title'])[:80]}")
        unknown = [genre for genre in genres if genre not in GENRES] if genres != [NO_GENRE] else []
        if unknown:
            raise DataError(
                f"{path}, line {line}: genre {ascii(unknown[0])[:80]} is unknown; valid: {', '.join(GENRES)}, "
                f"separated by |, or {NO_GENRE}"
            )
        found[movie] = row["title"], genres
    if not found:
        raise DataError(f"{path} lists no movie.")
    ids = sorted(found)
    member = np.array([[genre in found[movie][1] for genre in GENRES] for movie in ids])
    return Movies(np.array(ids, np.int64), tuple(found[movie][0] for movie in ids), member)
