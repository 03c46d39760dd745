"""Ratings in a CSV file, as MovieLens writes them: userId, movieId, rating, timestamp; the outer two may be missing."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handlens.errors import DataError

LOWEST, HIGHEST = 0.5, 5.0
_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class RatingRows:
    """The rows of a file, in its order.

    Attributes:
        users: (N,) int64 ids; all 0 where the file names no user.
        movies: (N,) int64 ids.
        values: (N,) float64, 0.5 to 5 stars.
        times: (N,) int64, seconds since 1970; all 0 where the file has none.
    """

    users: NDArray[np.int64]
    movies: NDArray[np.int64]
    values: NDArray[np.float64]
    times: NDArray[np.int64]


def read_ratings(path: Path) -> RatingRows:
    """Reads a file of ratings.

    Raises:
        DataError: it cannot be read, lacks a column, has no row, or a row is damaged, out of range or repeats the
            rating of a title by the same user; the message names the line.
    """
    columns = ("userId", "movieId", "rating", "timestamp")
    users, movies, values, times = [], [], [], []
    seen: set[tuple[int, int]] = set()
    for line, row in read_rows(path, columns, required=("movieId", "rating")):
        user, movie, time = (whole(row.get(name, "0"), path, line, name) for name in ("userId", "movieId", "timestamp"))
        text = row["rating"]
        value = float(text) if _NUMBER.fullmatch(text) else -1.0
        if not LOWEST <= value <= HIGHEST:
            raise DataError(f"{path}, line {line}: rating is {text[:40]!r}; valid: {LOWEST} to {HIGHEST:g} stars")
        if (user, movie) in seen:
            raise DataError(f"{path}, line {line}: user {user} rates movie {movie} a second time; keep one of the two")
        seen.add((user, movie))
        users.append(user)
        movies.append(movie)
        values.append(value)
        times.append(time)
    if not users:
        raise DataError(f"{path} holds no rating; expected rows of {','.join(columns)}")
    return RatingRows(
        np.array(users, np.int64), np.array(movies, np.int64), np.array(values, np.float64), np.array(times, np.int64)
    )


def read_rows(path: Path, columns: Sequence[str], required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, cells by column, without spaces around them) of a CSV file with a header.

    Quotes and the count of cells are strict.

    Args:
        path: of the file, UTF-8.
        columns: that are read; others are ignored.
        required: of these, the ones that must be there.

    Raises:
        DataError: no such file, no UTF-8, a column is missing, or a row is damaged; the message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            missing = [name for name in required if name not in header]
            if missing or len(set(header)) != len(header):
                raise DataError(
                    f"{path} begins with {','.join(header)[:80]!r}; expected the columns {','.join(columns)}"
                    + (f", of which {', '.join(missing)} is missing" if missing else ", each once")
                )
            for row in rows:
                if not row:
                    continue  # an empty line
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {rows.line_num}: {len(row)} cells; its header has {len(header)}. Is the file "
                        "cut short?"
                    )
                cells = zip(header, row, strict=True)
                yield rows.line_num, {name: cell.strip() for name, cell in cells if name in columns}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text (byte {error.start}); copy it again") from None
    except csv.Error as error:
        raise DataError(f"{path} is damaged: {error}; copy it again") from None


def whole(text: str, path: Path, line: int, name: str) -> int:
    """A whole number of a cell, 0 or more.

    Raises:
        DataError: it is none.
    """
    if not _WHOLE.fullmatch(text):
        raise DataError(f"{path}, line {line}: {name} is {text[:40]!r}; expected a whole number")
    return int(text)
