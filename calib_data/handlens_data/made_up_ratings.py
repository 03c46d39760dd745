"""Ratings that nobody gave, in MovieLens's layout: to try the recommender without data, and for its tests.

People of a few tastes are drawn: each taste prefers some genres. A title has one to three genres, and is more or less
famous. A person rates titles drawn by fame and taste; the stars follow from the taste, the person's mood and chance.

`python -m handlens_data.made_up_ratings DIR` writes ratings.csv, movies.csv and made-up.txt.
"""

import sys
from pathlib import Path

import numpy as np

from handlens.errors import HandlensError, InputError, OptionError
from handlens.files import write_text
from handlens_data.datasets.movielens import GENRES, MADE_UP

_FIRST = "Silent Broken Golden Distant Hollow Crimson Little Northern Secret Burning Paper Second Winter Glass".split()
_SECOND = (
    "Harbour Garden Letter Station Summer Machine Voyage Orchard Empire Mirror Detective River Parade Signal".split()
)
# Genres of a taste, as indices into GENRES: adventures; laughter; shadows; matters of the heart.
_TASTES = ((0, 1, 15, 17), (2, 3, 4, 12), (5, 10, 13, 16), (6, 7, 14, 18))


def draw(users: int = 160, titles: int = 240, seed: int = 0) -> tuple[str, str]:
    """The text of (ratings.csv, movies.csv); the same arguments give the same text.

    Args:
        users: people, 1 to 100,000; each rates 20 to 80 titles.
        titles: 100 to 10,000.
        seed: of the draw, 0 or more.

    Raises:
        OptionError: an argument is out of range.
    """
    for what, value, low, high in (
        ("users", users, 1, 100_000),
        ("titles", titles, 100, 10_000),
        ("seed", seed, 0, 2**32),
    ):
        if not low <= value <= high:
            raise OptionError(f"{what} is {value}; valid: {low} to {high}")
    rng = np.random.default_rng(seed)
    member = np.zeros((titles, len(GENRES)), bool)
    for row in member:
        row[rng.choice(len(GENRES), rng.integers(1, 4), replace=False)] = True
    fame, quality = rng.gamma(0.6, 1.0, titles) + 0.02, rng.normal(0.0, 0.35, titles)
    movies = ["movieId,title,genres"]
    for index, row in enumerate(member):
        name = f"{_FIRST[index % len(_FIRST)]} {_SECOND[index // len(_FIRST) % len(_SECOND)]}"
        genres = "|".join(name for name, has in zip(GENRES, row, strict=True) if has)
        movies.append(f"{index + 1},The {name} ({1950 + index % 70}),{genres}")
    ratings = ["userId,movieId,rating,timestamp"]
    for user in range(1, users + 1):
        liking = rng.normal(0.0, 0.2, len(GENRES)) - 0.25
        liking[list(_TASTES[rng.integers(len(_TASTES))])] += 1.1
        match = member @ liking / member.sum(axis=1)
        chances = fame * np.exp(1.5 * match)
        count = min(int(rng.integers(20, 81)), titles // 2)
        seen = rng.choice(titles, count, replace=False, p=chances / chances.sum())
        stars = 3.3 + rng.normal(0.0, 0.3) + 0.9 * match[seen] + quality[seen] + rng.normal(0.0, 0.5, count)
        times = 1_000_000_000 + rng.integers(0, 10**8, count)
        for movie, value, time in zip(np.sort(seen), stars, times, strict=True):
            ratings.append(f"{user},{movie + 1},{np.clip(round(value * 2) / 2, 0.5, 5.0):.1f},{time}")
    return "\n".join(ratings) + "\n", "\n".join(movies) + "\n"


def write(folder: Path, users: int = 160, titles: int = 240, seed: int = 0) -> None:
    """Writes the files to `folder`, which is made when missing; for the arguments see `draw`.

    Raises:
        InputError: `folder` is a file.
        OptionError: an argument is out of range.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder, which is made when missing.")
    ratings, movies = draw(users, titles, seed)
    write_text(folder / "ratings.csv", ratings)
    write_text(folder / "movies.csv", movies)
    write_text(folder / MADE_UP, "Nobody gave these ratings: python -m handlens_data.made_up_ratings drew them.\n")


def main(arguments: list[str]) -> int:
    """The command; returns its exit status."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m handlens_data.made_up_ratings DIR", file=sys.stderr)
        return 2
    try:
        write(Path(arguments[0]))
    except HandlensError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"made-up ratings in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
