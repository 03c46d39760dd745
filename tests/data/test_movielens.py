"""MovieLens's layout: read, split, and every damage named; and the ratings that nobody gave."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlens._ratings_csv import read_ratings
from handlens.errors import DataError, HandlensError, InputError, OptionError, UnknownLayout
from handlens_data import made_up_ratings
from handlens_data.datasets import movielens

MOVIES = """movieId,title,genres
1,Toy Story (1995),Animation|Comedy
3,"Postino, Il (1994)",(no genres listed)
2,X (1999),War
"""
RATINGS = "userId,movieId,rating,timestamp\r\n1004,1,4.5,10\r\n1004,3,3.0,11 \r\n1001,2,0.5,12\r\n"


def folder(root: Path, ratings: str = RATINGS, movies: str = MOVIES) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "ratings.csv").write_text(ratings, newline="")
    (root / "movies.csv").write_text(movies, newline="")
    return root


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    made_up_ratings.write(root, users=40, seed=1)
    return root


@pytest.mark.parametrize("inside", ["", "ml-latest-small", "movielens"])
def test_the_layouts_are_read(tmp_path: Path, inside: str) -> None:
    folder(tmp_path / inside)
    (tmp_path / inside / "links.csv").write_text("not looked at")
    found = movielens.load(tmp_path)
    assert found.movies.ids.tolist() == [1, 2, 3]
    assert found.movies.titles == ("Toy Story (1995)", "X (1999)", "Postino, Il (1994)")
    named = [[movielens.GENRES[index] for index in np.flatnonzero(row)] for row in found.movies.member]
    assert named == [["Animation", "Comedy"], ["War"], []]
    assert found.ratings.users.tolist() == [1004, 1004, 1001]
    assert found.ratings.movies.tolist() == [0, 2, 1] and found.ratings.values.tolist() == [4.5, 3.0, 0.5]
    assert (found.name, "research" in found.licence) == ("movielens", True)
    assert {user: own.values.tolist() for user, own in found.ratings.by_user().items()} == {
        1001: [0.5],
        1004: [4.5, 3.0],
    }


def test_parts_share_no_rating_and_leave_none_out(drawn: Path) -> None:
    found = movielens.load(drawn)
    parts = {name: found.part(name) for name in movielens.PARTS}
    pairs = [set(zip(part.users.tolist(), part.movies.tolist(), strict=True)) for part in parts.values()]
    assert sum(map(len, pairs)) == len(found.ratings) == len(set.union(*pairs))
    assert len(found.part("train", "val")) == len(parts["train"]) + len(parts["val"])
    shares = [len(part) / len(found.ratings) for part in parts.values()]
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.04)
    with pytest.raises(OptionError, match="no part 'dev'; valid: train, val, test"):
        found.part("dev")


def test_another_numbering_of_users_changes_neither_parts_nor_hash(drawn: Path, tmp_path: Path) -> None:
    lines = (drawn / "ratings.csv").read_text().splitlines()
    moved = [lines[0], *(f"{int(line.split(',')[0]) + 1000},{line.partition(',')[2]}" for line in lines[1:])]
    copy = movielens.load(folder(tmp_path, "\n".join(moved), (drawn / "movies.csv").read_text()))
    found = movielens.load(drawn)
    np.testing.assert_array_equal(copy.parts, found.parts)
    assert copy.part("train").sha256() == found.part("train").sha256() != found.part("test").sha256()


@pytest.mark.parametrize(
    ("ratings", "movies", "says"),
    [
        (RATINGS + "1,9,3.0,1\n", MOVIES, "rates movie 9, which movies.csv does not list"),
        (RATINGS + "1,1,5.5,1\n", MOVIES, r"line 5: rating is '5.5'; valid: 0.5 to 5 stars"),
        (RATINGS + "1,1,nan,1\n", MOVIES, "line 5: rating is 'nan'"),
        (RATINGS + "1,1,,1\n", MOVIES, "line 5: rating is ''"),
        (RATINGS + "one,1,5,1\n", MOVIES, "line 5: userId is 'one'; expected a whole number"),
        (RATINGS + "1004,1,5,1\n", MOVIES, "line 5: user 1004 rates movie 1 a second time"),
        (RATINGS + "1,1,5", MOVIES, "line 5: 3 cells; its header has 4. Is the file cut short"),
        (RATINGS + '1,1,"5', MOVIES, "damaged"),
        (RATINGS + "1,1,5\0,1\n", MOVIES, "damaged|rating is"),
        ("user,movie,rating\n1,1,4\n", MOVIES, "begins with 'user,movie,rating'; expected.*movieId is missing"),
        ("", MOVIES, "movieId, rating is missing"),
        ("userId,movieId,rating,timestamp\n", MOVIES, "holds no rating"),
        (RATINGS, MOVIES + "4,Y,Sci-fi|War\n", "line 5: genre 'Sci-fi' is unknown; valid: Action, .*Sci-Fi"),
        (RATINGS, MOVIES + "4,Y,\n", "genre '' is unknown"),
        (RATINGS, MOVIES + "1,Y,War\n", "movie 1 is listed a second time"),
        (RATINGS, MOVIES + "4,\x1b[31m,War\n", "has the title"),
        (RATINGS, MOVIES + "-4,Y,War\n", "movieId is '-4'"),
        (RATINGS, "movieId,title,genres\n", "lists no movie"),
    ],
)
def test_damage_is_named_with_file_and_line(tmp_path: Path, ratings: str, movies: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        movielens.load(folder(tmp_path, ratings, movies))


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="holds no MovieLens"):
        movielens.load(tmp_path)
    folder(tmp_path)
    (tmp_path / "movies.csv").unlink()
    with pytest.raises(UnknownLayout, match="has no movies.csv"):
        movielens.load(tmp_path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_ratings(tmp_path / "nothing.csv")
    (tmp_path / "latin.csv").write_bytes(b"movieId,rating\n\xe9,1\n")
    with pytest.raises(DataError, match="no UTF-8 text"):
        read_ratings(tmp_path / "latin.csv")


def test_too_few_ratings_for_a_part_are_an_error(tmp_path: Path) -> None:
    found = movielens.load(folder(tmp_path, "userId,movieId,rating,timestamp\n1,1,4.5,10\n"))
    empty = next(name for name in movielens.PARTS if found.parts[0] not in movielens.PARTS[name])
    with pytest.raises(DataError, match=f"none is in {empty}"):
        found.part(empty)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), header=st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, header: bool) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes((b"movieId,rating\n" if header else b"") + content)
    try:
        rows = read_ratings(path)
    except DataError:
        return
    assert len(rows.movies) and ((rows.values >= 0.5) & (rows.values <= 5)).all()


def test_made_up_ratings_look_like_ratings_and_say_that_they_are_made_up(drawn: Path, tmp_path: Path) -> None:
    found = movielens.load(drawn)
    assert (found.name, found.licence) == ("made-up-ratings", "none needed: nobody gave these ratings")
    people = found.ratings.by_user()
    assert len(people) == 40 and min(map(len, people.values())) >= 20
    assert 3 < found.ratings.values.mean() < 4 and 0.08 < (found.ratings.values > 4).mean() < 0.4
    assert len(set(found.movies.titles)) == len(found.movies.titles)
    made_up_ratings.write(tmp_path / "again", users=40, seed=1)
    assert (tmp_path / "again/ratings.csv").read_bytes() == (drawn / "ratings.csv").read_bytes()
    assert made_up_ratings.draw(40, seed=2) != made_up_ratings.draw(40, seed=1)


def test_the_command_writes_made_up_ratings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made_up_ratings.main([str(tmp_path / "new")]) == 0
    assert "made-up ratings in" in capsys.readouterr().out and movielens.load(tmp_path / "new")
    (tmp_path / "file").write_text("")
    assert made_up_ratings.main([str(tmp_path / "file")]) == InputError.exit_code
    assert made_up_ratings.main(["--help"]) == 2
    shutil.rmtree(tmp_path / "new")
    for arguments in ({"users": 0}, {"titles": 10}, {"seed": -1}):
        with pytest.raises(HandlensError, match="valid"):
            made_up_ratings.draw(**arguments)


@pytest.mark.data
def test_the_real_set_has_the_counts_of_the_docstring() -> None:
    root = Path(os.environ.get("HANDLENS_DATA", ""))
    if not (root / "ml-latest-small").is_dir():
        pytest.skip("HANDLENS_DATA holds no ml-latest-small/")
    found = movielens.load(root)
    assert len(found.ratings) == 100_836 and len(found.movies.ids) == 9_742 and len(found.ratings.by_user()) == 610
    assert [len(found.part(name)) for name in movielens.PARTS] == [70_514, 10_168, 20_154]
    assert (~found.movies.member.any(axis=1)).sum() == 34
