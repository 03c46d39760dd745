"""The recommender's task: fitted on made-up ratings, against scikit-learn, without a look at what is held out."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

mixture_module = pytest.importorskip("sklearn.mixture")
from handlens import _titles, metrics  # noqa: E402
from handlens._profile import favourites  # noqa: E402
from handlens.artifact import Artifact  # noqa: E402
from handlens.errors import DataError, OptionError, RunError  # noqa: E402
from handlens.recommend import ClusterRecommender  # noqa: E402
from handlens_data import made_up_ratings  # noqa: E402
from handlens_data.datasets import movielens  # noqa: E402
from handlens_train.evaluation import Evaluation  # noqa: E402
from handlens_train.recommender_data import profiles, table  # noqa: E402
from handlens_train.recommender_mixture import Mixture, Search, fit  # noqa: E402
from handlens_train.run import Run  # noqa: E402
from handlens_train.tasks import recommender  # noqa: E402

QUICK = {"components": (1, 2, 3), "seeds": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ratings")
    made_up_ratings.write(root, users=120, titles=150, seed=3)
    return root


@pytest.fixture(scope="module")
def values(data: Path) -> np.ndarray:
    found = movielens.load(data)
    return profiles(found.part("train"), found.movies).values


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recommender") / "run"
    assert recommender.train("recommender-favourites", data, out, seed=2, overrides=QUICK) == "complete"
    return out


@pytest.fixture(scope="module")
def artifacts(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both formats, through the door."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("tf2onnx")
    from handlens_export import door, quiet
    from handlens_export.recipes import RECIPES

    quiet.tensorflow()
    out, lines = tmp_path_factory.mktemp("artifacts"), []
    source = recommender.load(Run.open(run), data)
    wanted = [RECIPES["float32"], RECIPES["int8"]]
    outcome = door.export(source, wanted, ("tflite", "onnx"), out, keep=out / "kept", say=lines.append)
    assert "recommender-favourites is not written as int8: it has only float32" in lines
    return {item.artifact.kind: item.artifact.path for item in outcome.written}


def test_profiles_are_the_mean_of_each_genre(data: Path) -> None:
    found = movielens.load(data)
    ratings = found.part("train")
    made = profiles(ratings, found.movies)
    assert made.values.shape == (120, 19) and made.users.tolist() == list(range(1, 121))
    own = ratings.users == 7
    for genre in range(19):
        stars = [
            value
            for movie, value in zip(ratings.movies[own], ratings.values[own], strict=True)
            if found.movies.member[movie, genre]
        ]
        assert made.values[6, genre] == pytest.approx(np.mean(stars or ratings.values[own]))


def test_the_lowest_bic_wins_and_every_fit_is_noted(values: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    blobs = np.concatenate([rng.normal(centre, 0.2, (60, 3)) for centre in (1.0, 3.0, 4.5)])
    kept, fits = fit(blobs, Search((1, 2, 3, 4, 5), 2, "full", 1e-3))
    assert len(kept.weights) == 3 and [one.components for one in fits] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    np.testing.assert_allclose(np.sort(kept.means.mean(axis=1)), [1.0, 3.0, 4.5], atol=0.1)
    truth = [mixture_module.GaussianMixture(k, reg_covar=1e-3, random_state=0).fit(blobs).bic(blobs) for k in (1, 3)]
    assert [fits[0].bic, fits[4].bic] == pytest.approx(truth)
    one, fits = fit(rng.normal(3, 0.5, (60, 3)), Search((1, 2), 1, "full", 1e-3))
    assert len(one.weights) == 2 and fits[0].bic < fits[1].bic  # one cluster would say nothing of anybody
    with pytest.raises(OptionError, match="two or more"):
        fit(blobs, Search((1,), 1, "full", 1e-3))
    fixed, fits = fit(blobs, Search((1, 3, 5), 1, "diag", 1e-3, fixed=5))
    assert len(fixed.weights) == 5 and {one.components for one in fits} == {1, 3, 5}


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_responsibilities_are_scikit_learn_s_in_numpy_and_in_keras(values: np.ndarray, covariance: str) -> None:
    kept, _ = fit(values, Search((4,), 1, covariance, 1e-3))
    model = mixture_module.GaussianMixture(4, covariance_type=covariance, reg_covar=1e-3, random_state=0).fit(values)
    order = np.argsort(-model.weights_)
    truth = model.predict_proba(values)[:, order]
    np.testing.assert_allclose(np.exp(kept.log_responsibilities(values)), truth, atol=1e-9)
    network = kept.keras_model()
    answer = network.predict(values[:, None, :, None].astype(np.float32), verbose=0)["log_responsibilities"]
    np.testing.assert_allclose(np.exp(answer), truth, atol=1e-4)
    assert {type(layer).__name__ for layer in network.layers} <= {
        *("InputLayer", "Reshape", "Rescaling", "Dense", "Multiply", "Activation")
    }


def test_too_few_people_are_an_error(values: np.ndarray) -> None:
    with pytest.raises(DataError, match="4 users or more; there are 3"):
        fit(values[:3], Search((2,), 1, "full", 1e-3))
    with pytest.raises(DataError, match="32 users or more; there are 20"):
        fit(values[:20], Search((16,), 1, "diag", 1e-3, fixed=16))


def test_a_run_shows_the_bic_curve_and_its_clusters(run: Path, data: Path) -> None:
    opened = Run.open(run)
    assert (opened.task, opened.status) == ("recommender", "complete")
    found = movielens.load(data)
    train = found.part("train")
    assert opened.info["data"]["train"] == {"ratings": len(train), "users": 120, "sha256": train.sha256()}
    with (run / "bic.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = len(Mixture.load(run / "mixture.npz").weights)
    assert len(rows) == 6
    bic = {(int(row["components"]), row["seed"]): float(row["bic"]) for row in rows}
    assert min((value, count) for (count, _), value in bic.items() if count > 1)[1] == kept
    assert min((value, count) for (count, _), value in bic.items())[1] == opened.info["best"]["bic_prefers"]
    with (run / "clusters.csv").open() as file:
        clusters = list(csv.DictReader(file))
    assert sum(int(row["users"]) for row in clusters) == 120
    assert len(clusters) == kept == opened.info["best"]["components"]
    assert all(0.5 <= float(row["Horror"]) <= 5 and row["liked most"] for row in clusters)
    assert all(10 < float(row["ratings"]) < 60 for row in clusters)
    assert f"{clusters[0]['users']} people" in (run / "clusters.md").read_text()
    for name in ("bic.png", "clusters.png"):
        assert (run / name).read_bytes().startswith(b"\x89PNG")


def test_the_table_counts_ratings_above_four_of_each_cluster(run: Path, data: Path) -> None:
    found, made = movielens.load(data), _titles.parse((run / "titles.json").read_bytes())
    ratings = found.part("train")
    people = profiles(ratings, found.movies)
    clusters = Mixture.load(run / "mixture.npz").log_responsibilities(people.values).argmax(axis=1)
    of_user = dict(zip(people.users.tolist(), clusters.tolist(), strict=True))
    counts = np.zeros_like(made.liked)
    for user, movie, value in zip(ratings.users.tolist(), ratings.movies.tolist(), ratings.values, strict=True):
        counts[of_user[user], movie] += value > 4
    np.testing.assert_array_equal(made.liked, counts)
    assert made.users.tolist() == np.bincount(clusters).tolist() and made.titles == found.movies.titles


def test_what_is_held_out_leaves_no_trace(run: Path, data: Path, tmp_path: Path) -> None:
    """The trap: a table or a mixture that knows the ratings it will be measured on."""
    lines = (data / "ratings.csv").read_text().splitlines()
    held = movielens.load(data).parts < 3
    assert 500 < held.sum() < len(held)
    turned = [
        ",".join([*line.split(",")[:2], "0.5" if float(line.split(",")[2]) > 4 else "5.0", line.split(",")[3]])
        for line in lines[1:]
    ]
    other = [lines[0], *(b if hidden else a for a, b, hidden in zip(lines[1:], turned, held, strict=True))]
    (tmp_path / "ratings.csv").write_text("\n".join(other) + "\n")
    for name in ("movies.csv", "made-up.txt"):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    again = tmp_path / "run"
    recommender.train("recommender-favourites", tmp_path, again, seed=2, overrides=QUICK)
    for name in ("titles.json", "bic.csv", "clusters.csv"):
        assert (again / name).read_bytes() == (run / name).read_bytes()
    assert Run.open(again).info["data"] == Run.open(run).info["data"]
    one, two = (Mixture.load(path / "mixture.npz") for path in (run, again))
    np.testing.assert_array_equal(one.factors, two.factors)


def test_a_table_that_an_artifact_cannot_take_is_an_error(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = movielens.load(data)
    people = profiles(found.part("train"), found.movies)
    monkeypatch.setattr("handlens_train.recommender_data.EXTRA_BYTES", 1000)
    with pytest.raises(DataError, match="table of 150 titles takes .* bytes; an artifact takes 1,000"):
        table(found, found.part("train"), people.users, np.zeros(len(people.users), np.int64), 1)


def test_wrong_runs_and_recipes_are_refused(run: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="valid: recommender, recommender-favourites, recommender-fine"):
        recommender.train("huge", data, tmp_path / "x")
    with pytest.raises(RunError, match="another seed"):
        recommender.train("recommender-favourites", data, run, seed=5, overrides=QUICK)
    for name in ("run.json", "best.weights.h5", "mixture.npz"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    with pytest.raises(RunError, match="has no titles.json"):
        recommender.load(Run.open(tmp_path))
    (tmp_path / "mixture.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match="is no fitted mixture"):
        recommender.load(Run.open(tmp_path))
    with pytest.raises(OptionError, match="float32.*precision"):
        from handlens_export import door
        from handlens_export.recipes import RECIPES

        source = replace(recommender.load(Run.open(run), data), model=None)
        door.export(source, [RECIPES["int8"]], ("tflite",), tmp_path / "out", keep=tmp_path)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_artifacts_answer_as_scikit_learn_does_for_everybody(
    artifacts: dict[str, Path], run: Path, data: Path, kind: str
) -> None:
    artifact = Artifact.open(artifacts[kind])
    kept, found = Mixture.load(run / "mixture.npz"), movielens.load(data)
    model = mixture_module.GaussianMixture(len(kept.weights))
    model.weights_, model.means_, model.precisions_cholesky_ = kept.weights, kept.means, kept.factors
    with ClusterRecommender.load(artifact.path) as loaded:
        for own in found.part("train").by_user().values():
            ratings = dict(zip(found.movies.ids[own.movies].tolist(), own.values.tolist(), strict=True))
            profile = np.array([list(loaded.profile(ratings).values())])
            np.testing.assert_allclose(loaded.responsibilities(ratings), model.predict_proba(profile)[0], atol=1e-4)
    assert artifact.extras["titles.json"] == (run / "titles.json").read_bytes()
    assert artifact.manifest.compression.calibration is None
    assert {metric.name for metric in artifact.manifest.metrics} >= {"hit_rate10", "popularity_hit_rate10"}
    assert json.loads(artifact.extras["evaluation.json"])["made-up-ratings/val"]["primary"] == "hit_rate10"


def test_an_evaluation_is_what_a_loop_over_people_finds(artifacts: dict[str, Path], data: Path) -> None:
    found = movielens.load(data)
    result = recommender.evaluate(artifacts["tflite"], data, "test")
    assert [item.right for item in result.items] == result.outcomes.tolist(), "handlens diff pairs the items"
    known, held = found.part("train", "val").by_user(), found.part("test").by_user()
    hits, plain = {}, {}
    train = found.part("train")
    popular = np.bincount(train.movies[train.values > 4], minlength=150)
    with ClusterRecommender.load(artifacts["tflite"]) as model:
        for user, own in held.items():
            liked = set(found.movies.ids[own.movies[own.values > 4]].tolist())
            if not liked:
                continue
            ratings = dict(zip(found.movies.ids[known[user].movies].tolist(), known[user].values.tolist(), strict=True))
            hits[user] = bool(liked & {one.movie for one in model.recommend(ratings, 10)})
            order = sorted(set(range(150)) - set(known[user].movies.tolist()), key=lambda m: (-popular[m], m))
            plain[user] = bool(liked & set(found.movies.ids[order[:10]].tolist()))
    assert isinstance(result, Evaluation) and result.groups.tolist() == list(hits)
    assert result.outcomes.tolist() == [float(hit) for hit in hits.values()] and result.n == len(hits) > 60
    assert result.metrics["hit_rate10"].value == pytest.approx(np.mean(list(hits.values())))
    assert result.metrics["popularity_hit_rate10"].value == pytest.approx(np.mean(list(plain.values())))
    gain = result.metrics["hit_rate10_gain"]
    assert gain.value == pytest.approx(np.mean(list(hits.values())) - np.mean(list(plain.values())))
    assert gain == metrics.paired_bootstrap([float(h) for h in hits.values()], [float(p) for p in plain.values()])
    assert result.counts["users without a liked title held out"] == 120 - result.n
    assert sum(row.n for row in result.breakdowns[1].rows) == result.n
    with pytest.raises(OptionError, match="unknown split 'train'; valid: val, test"):
        recommender.evaluate(artifacts["tflite"], data, "train")


def test_people_who_like_one_genre_get_more_of_it() -> None:
    everyone = np.array([10.0, 30.0, 60.0, 0.0])
    lift = favourites(np.array([4.0, 0.0, 0.0, 0.0]), everyone, prior=4.0)
    assert lift.tolist() == pytest.approx([(4 + 0.4) / 8 / 0.1, 0.5, 0.5, 1.0])
    assert favourites(np.zeros(4), everyone, 20.0).tolist() == [1, 1, 1, 1]
