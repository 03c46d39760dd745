"""The recommender on the device: profiles, clusters, titles, and everything that can be wrong with ratings."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_recommender as tiny
from fake_engine import FakeEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import ClusterRecommender, Recommendation, _titles, _vector, bench, cli
from handlens.errors import EngineWrong, ImageShapeError, InputError, ManifestInvalid, OptionError, RatingsError
from handlens.image import prepare
from handlens.manifest import InputSpec

STARS = st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0])
RATINGS = st.dictionaries(st.sampled_from(range(10, 90, 10)), STARS, min_size=1)


def recommender(answer=tiny.answer, **decoding: object) -> ClusterRecommender:
    made = tiny.manifest()
    made = tiny.dataclasses.replace(made, decoding={**made.decoding, **decoding})
    return ClusterRecommender(FakeEngine(answer), made, tiny.titles())


def test_a_genre_without_a_rating_gets_the_mean_of_all_ratings() -> None:
    profile = recommender().profile({10: 5.0, 20: 4.0, 30: 1.5})
    assert profile == {"Action": 4.5, "Comedy": 1.5, "Drama": 3.5, "Horror": 4.0}


def test_one_rating_is_enough() -> None:
    model = recommender()
    assert set(model.profile({20: 4.5}).values()) == {4.5}
    assert model.responsibilities({20: 4.5}).argmax() == 0
    assert [one.movie for one in model.recommend({20: 4.5}, 2)] == [10, 50]
    # A title without a genre says something, too: how freely the person gives stars.
    assert set(model.profile({80: 2.0}).values()) == {2.0}


def test_the_cluster_s_favourites_come_first_then_what_others_like_and_never_what_was_rated() -> None:
    found = recommender().recommend({10: 5.0, 20: 4.5}, 20)
    assert [(one.movie, one.score) for one in found] == [(50, 2), (30, 1), (80, 1), (40, 0), (60, 0)]
    assert found[0] == Recommendation(50, "Title 50 (1950)", ("Drama",), 2.0, 0)
    assert 70 not in [one.movie for one in found]  # nobody likes it


def test_a_genre_can_be_asked_for() -> None:
    assert [one.movie for one in recommender().recommend({10: 5.0}, genre="Comedy")] == [30, 40]
    with pytest.raises(OptionError, match="genre 'Western' is unknown; valid: Action, Comedy, Drama, Horror"):
        recommender().recommend({10: 5.0}, genre="Western")


def test_favourites_weigh_what_a_person_likes_more_than_others_do() -> None:
    ratings = {10: 4.0, 60: 5.0}  # of cluster 0, but the one liked title is drama and horror
    plain = {one.movie: one.score for one in recommender().recommend(ratings, 20)}
    weighed = {one.movie: one.score for one in recommender(favourites=1.0, prior=2.0).recommend(ratings, 20)}
    assert weighed[50] > plain[50] and weighed[20] > plain[20] and weighed[30] < plain[30]
    assert weighed[80] == plain[80]  # without a genre, no weight
    stronger = {one.movie: one.score for one in recommender(favourites=2.0, prior=2.0).recommend(ratings, 20)}
    assert stronger[50] == pytest.approx(weighed[50] ** 2 / plain[50])
    unmoved = {one.movie: one.score for one in recommender(favourites=1.0).recommend({10: 4.0, 60: 4.0}, 20)}
    assert unmoved == {one.movie: one.score for one in recommender().recommend({10: 4.0, 60: 4.0}, 20)}


def test_smoothing_lets_others_speak_in_a_small_cluster() -> None:
    hater = {60: 2.0, 30: 2.0}
    assert [one.movie for one in recommender().recommend(hater, 1)] == [10]  # the only title its cluster likes is seen
    found = recommender(smoothing=11.0).recommend(hater, 1)[0]
    assert (found.cluster, found.score) == (2, pytest.approx(11 * 10 / 22))


@settings(deadline=None)
@given(ratings=RATINGS, n=st.integers(1, 12))
def test_any_ratings_give_shares_that_add_up_and_unseen_titles_in_order(ratings: dict[int, float], n: int) -> None:
    model = recommender()
    shares = model.responsibilities(ratings)
    truth = np.exp(tiny.log_responsibilities(list(model.profile(ratings).values())))
    np.testing.assert_allclose(shares, truth, atol=1e-6)
    found = model.recommend(ratings, n)
    assert len(found) <= n and not {one.movie for one in found} & set(ratings)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True) and {one.cluster for one in found} <= {int(shares.argmax())}


@pytest.mark.parametrize(
    ("ratings", "says"),
    [
        ({}, "there is no rating"),
        ([(10, 4.0)], "there is no rating"),
        ({10: 5.5}, "the rating of movie 10 is 5.5; valid: 0.5 to 5 stars"),
        ({10: 0.0}, "is 0.0; valid"),
        ({10: float("nan")}, "is nan; valid"),
        ({10: "4"}, "is '4'; valid"),
        ({10: True}, "is True; valid"),
        ({"10": 4.0}, "a rating is of '10'; expected a movie's id"),
        ({10: 4.0, 11: 4.0, 99: 1.0}, r"2 of 3 ratings are of movies that tiny-recommender does not know \(11, 99\)"),
    ],
)
def test_ratings_that_cannot_be_used_are_refused_by_name(ratings: object, says: str) -> None:
    for verb in ("profile", "responsibilities", "recommend"):
        with pytest.raises(RatingsError, match=says):
            getattr(recommender(), verb)(ratings)


def test_numbers_of_numpy_are_numbers() -> None:
    assert recommender().recommend({np.int64(10): np.float32(4.5)})


@pytest.mark.parametrize("n", [0, -1, 1001])
def test_how_many_titles_is_bounded(n: int) -> None:
    with pytest.raises(OptionError, match=f"n is {n}; valid: 1 to 1000"):
        recommender().recommend({10: 4.0}, n)


def test_an_engine_that_answers_nonsense_is_noticed() -> None:
    with pytest.raises(EngineWrong, match="not finite"):
        recommender({"log_responsibilities": np.full((1, 3), np.nan)}).recommend({10: 4.0})


def test_manifest_and_titles_must_belong_together() -> None:
    narrow = tiny.dataclasses.replace(tiny.SPEC, width=5)
    for changes, says in (
        ({"input": narrow}, "width 5.*4 genres"),
        ({"decoding": {"kind": "other"}}, "expected kind clusters"),
        ({"decoding": {"smoothing": -1.0}}, "smoothing of 0 or more"),
        ({"decoding": {"power": 1.0}}, "unknown key 'power'"),
        ({"input": tiny.dataclasses.replace(tiny.SPEC, geometry="resize")}, "an input of geometry resize"),
    ):
        with pytest.raises(ManifestInvalid, match=says):
            ClusterRecommender(FakeEngine(tiny.answer), tiny.manifest(**changes), tiny.titles())
    with pytest.raises(OptionError, match="task 'reid'"):
        ClusterRecommender(FakeEngine(tiny.answer), tiny.manifest(task="reid"), tiny.titles())


# The table of titles.


def test_a_table_comes_back_as_it_was() -> None:
    made = tiny.titles()
    found = _titles.parse(made.to_json())
    assert (found.genres, found.titles) == (made.genres, made.titles)
    for name in ("movies", "member", "users", "liked"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
    assert found.places([10, 11, 80, 900]).tolist() == [0, -1, 7, -1]


def change(**parts: object) -> bytes:
    return json.dumps(json.loads(tiny.titles().to_json()) | parts).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"[]",
        b"{}",
        change(schema=2),
        change(more=1),
        change(genres=[]),
        change(genres=["A", "A", "B", "C"]),
        change(titles=["one"]),
        change(titles=["\x1b[31m"] * 8),
        change(movies=[10, 20, 20, 40, 50, 60, 70, 80]),
        change(movies=[10.5, 20, 30, 40, 50, 60, 70, 80]),
        change(members=[16, 0, 0, 0, 0, 0, 0, 0]),
        change(members=[True, 0, 0, 0, 0, 0, 0, 0]),
        change(users=[1, 2]),
        change(users=[]),
        change(liked=[[0], [], []]),
        change(liked=[[8, 1], [], []]),
        change(liked=[[1, 1, 0, 1], [], []]),
        change(liked=[[0, -1], [], []]),
    ],
    ids=range(19),
)
def test_a_damaged_table_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="titles.json"):
        _titles.parse(content)


def test_a_table_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_titles, "MAX_CELLS", 23)  # it has 3 clusters of 8 titles
    with pytest.raises(ManifestInvalid, match="3 clusters of 8 titles; at most 23"):
        _titles.parse(tiny.titles().to_json())


# Numbers as an input.


def test_numbers_become_the_tensor_they_are() -> None:
    tensor = _vector.to_tensor([0.5, 5.0, 2.0, 1.0], tiny.SPEC)
    assert tensor.shape == (1, 1, 4, 1) and tensor.dtype == np.float32
    assert tensor.ravel().tolist() == [0.5, 5.0, 2.0, 1.0]
    int8 = tiny.dataclasses.replace(tiny.SPEC, dtype="int8", quant_scale=0.02, quant_zero_point=-128)
    assert _vector.to_tensor([0.5, 5.0, 2.0, 99.0], int8).ravel().tolist() == [-103, 122, -28, 127]
    with pytest.raises(InputError, match=r"shape \(3,\); expected 4"):
        _vector.to_tensor([1, 2, 3], tiny.SPEC)
    with pytest.raises(InputError, match="all finite"):
        _vector.to_tensor([1, 2, 3, np.inf], tiny.SPEC)


def test_levels_of_a_pattern_stand_for_numbers() -> None:
    values = np.array([[0.5, 5.0, 2.0, 7.0]])
    levels = _vector.to_pixels(values, tiny.SPEC)
    assert levels.shape == (1, 1, 4, 1) and levels.ravel().tolist() == [0, 255, 85, 255]
    np.testing.assert_allclose(_vector.numbers(levels[0], tiny.SPEC), [0.5, 5.0, 2.0, 5.0])


def test_a_picture_is_refused_where_numbers_are_wanted_and_the_other_way_round() -> None:
    with pytest.raises(ImageShapeError, match="geometry vector: 4 numbers, no image"):
        prepare(np.zeros((8, 8, 3), np.uint8), tiny.SPEC)
    image = InputSpec(name="image", height=4, width=4, channels=1, colour="GREY", scale=(1,), offset=(0,))
    with pytest.raises(InputError, match="takes images, not numbers"):
        _vector.to_tensor([1.0] * 4, image)


@pytest.mark.parametrize("changes", [{"height": 2}, {"channels": 3, "colour": "RGB"}, {"layout": "NCHW"}])
def test_a_vector_is_one_row_of_one_channel(changes: dict[str, object]) -> None:
    if "colour" in changes:
        changes |= {"scale": (1.0,) * 3, "offset": (0.0,) * 3}
    with pytest.raises(ManifestInvalid, match="geometry vector"):
        tiny.dataclasses.replace(tiny.SPEC, **changes)


# As a file.


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    return tiny.write(tmp_path_factory.mktemp("recommender") / "tiny.onnx").path


def call(command: str, *arguments: object) -> int:
    entry = importlib.metadata.EntryPoint(command, f"handlens.commands.{command}:{command}", cli.GROUP)
    with pytest.raises(SystemExit) as stopped:
        cli.run(entry, [str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def test_a_file_is_loaded_checked_and_asked_without_scikit_learn(artifact: Path) -> None:
    with ClusterRecommender.load(artifact) as model:
        assert (model.genres, model.clusters, len(model.titles)) == (tiny.GENRES, (10, 8, 4), 8)
        assert model.titles[30] == "Title 30 (1930)"
        assert [one.movie for one in model.recommend({30: 5.0, 10: 2.0}, 1)] == [40]
    code = f"import sys, handlens; handlens.ClusterRecommender.load({str(artifact)!r}); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_file_without_titles_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(ManifestInvalid, match="carries no titles.json"):
        ClusterRecommender.load(tiny.write(tmp_path / "bare.onnx", extras={}).path)
    with pytest.raises(OptionError, match="task 'reid'"):
        ClusterRecommender.load(tiny.write(tmp_path / "other.onnx", task="reid").path)


def test_inspect_and_check_take_a_model_of_numbers(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("inspect", artifact) == 0
    assert "float32 1x1x4x1 NHWC; 4 numbers, no image; goldens draw them from 0.5 to 5" in capsys.readouterr().out
    assert call("check", artifact) == 0
    assert "all goldens answered rightly" in capsys.readouterr().out


def test_its_latency_is_measured(artifact: Path) -> None:
    seen = bench.measure(artifact, runs=3, warmup=1)
    assert 0 < seen.model.p50_ms and 0 < seen.pipeline.p50_ms


def test_the_command_recommends_to_one_user_of_a_file(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("userId,movieId,rating,timestamp\n4,10,5.0,1\n4,20,4.5,2\n42,30,5.0,3\n42,10,2.0,4\n")
    assert call("recommend", artifact, "--ratings", ratings, "--user", 4, "-n", 2) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("2 ratings: cluster 0 of 3") and "10 people; action" in shown[0]
    assert shown[1:] == ["  1. Title 50 (1950)  [Drama]  score 2", "  2. Title 30 (1930)  [Comedy]  score 1"]
    assert call("recommend", artifact, "--ratings", ratings, "--user", 42, "--json", "--genre", "Drama") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["cluster_name"] == "comedy" and sum(report["responsibilities"]) == pytest.approx(1, abs=1e-5)
    assert [one["movie"] for one in report["recommendations"]] == [40, 60, 50]
    for arguments, says in (
        ((), "ratings of 2 users (4, 42); choose one with --user ID"),
        (("--user", 7), "no ratings of user 7; it has 2 users: 4, 42"),
        (("--user", 4, "--genre", "Opera"), "genre 'Opera' is unknown; valid: Action"),
    ):
        assert call("recommend", artifact, "--ratings", ratings, *arguments) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and says in error


def test_unknown_titles_are_an_error_unless_they_may_be_left_out(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratings = tmp_path / "mine.csv"
    ratings.write_text("movieId,rating\n10,5\n999,1\n")
    assert call("recommend", artifact, "--ratings", ratings) == 2
    assert "does not know (999)" in capsys.readouterr().err
    assert call("recommend", artifact, "--ratings", ratings, "--skip-unknown") == 0
    captured = capsys.readouterr()
    assert "left out: 1 of 2 ratings" in captured.err and "Title 20" in captured.out
    ratings.write_text("movieId,rating\n999,1\n")
    assert call("recommend", artifact, "--ratings", ratings, "--skip-unknown") == 2
    assert "none of the ratings" in capsys.readouterr().err
