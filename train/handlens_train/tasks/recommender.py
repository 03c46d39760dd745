"""Movie recommender on MovieLens latest-small: clusters of people by their mean rating of each genre."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handlens._titles import EXTRA
from handlens.errors import RunError
from handlens.manifest import DataSource, InputSpec, OutputSpec, Tolerance
from handlens_data.datasets import movielens
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.recipe import needed, of_run, provenance, training_data
from handlens_train.run import Run

TASK = "recommender"
TITLE = "Movie recommender"
PRIMARY = "hit_rate10"
READS_DATA = True
VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to fit the recommender; everything that decides it, but for data and seed.

    components: numbers of clusters to try. seeds: fits of each. covariance: "full" or "diag". floor: added to every
    variance, stars squared; it keeps a genre that nobody of a cluster has rated from a variance of zero, and float32
    within its digits. fixed: clusters to keep, whatever BIC says. smoothing, favourites, prior: how titles are
    scored, see `handlens.recommend.Ranking`.
    """

    components: tuple[int, ...] = tuple(range(1, 11))
    seeds: int = 5
    covariance: Literal["full", "diag"] = "full"
    floor: float = 1e-3
    fixed: int | None = None
    smoothing: float = 0.0
    favourites: float = 0.0
    prior: float = 20.0

    def decoding(self) -> dict[str, object]:
        """What the manifest says of it."""
        scoring = {"smoothing": self.smoothing, "favourites": self.favourites, "prior": self.prior}
        return {"kind": "clusters", **scoring}


# Chosen by NDCG on validation, where the clusters' counts do best when everybody's are mixed in well.
_WEIGHED: dict[str, Any] = {"favourites": 1.0, "prior": 10.0, "smoothing": 100.0}
_FINE: dict[str, Any] = {"components": (*range(1, 17), 20, 24, 28, 32), "seeds": 3, "covariance": "diag"}
_FINE |= {"floor": 1e-2, "fixed": 16}
RECIPES: dict[str, Recipe] = {
    "recommender": Recipe(),
    "recommender-favourites": Recipe(**_WEIGHED),
    "recommender-fine": Recipe(**_FINE, smoothing=20.0),
    "recommender-both": Recipe(**_FINE, **_WEIGHED),
    # The control: so much of everybody that clusters no longer matter, only favourites do.
    "recommender-everybody": Recipe(**_WEIGHED | {"smoothing": 1e6}),
}


def input_spec() -> InputSpec:
    """What the network reads: the mean rating of each genre, 0.5 to 5 stars."""
    return InputSpec(
        name="profile",
        height=1,
        width=len(movielens.GENRES),
        channels=1,
        colour="GREY",
        scale=(4.5 / 255,),
        offset=(0.5,),
        geometry="vector",
    )


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Any = lambda *_: None,
    **_: Any,
) -> str:
    """Fit a recipe into the run folder `out`; see `handlens_train.recommender_training.train` for the options.

    There are no epochs, so patience and callbacks do nothing here.
    """
    from handlens_train import recommender_training

    return recommender_training.train(
        name, data, out, seed=seed, max_minutes=max_minutes, overrides=overrides, tick=tick
    )


def load(run: Run, data: Path | None = None) -> Exportable:
    """The fitted mixture of a run as a network, with the titles. `data` is needed for parity and evaluation.

    Raises:
        RunError: the run is of another task, or a file of it is missing or damaged.
    """
    from handlens_train.recommender_mixture import Mixture
    from handlens_train.recommender_training import MIXTURE

    how = of_run(run, Recipe, TASK)
    mixture = Mixture.load(run.path / MIXTURE)
    try:
        titles = (run.path / EXTRA).read_bytes()
    except OSError as error:
        raise RunError(f"{run.path} has no {EXTRA} ({error.strerror}). Train again into a fresh folder.") from error
    answer = OutputSpec(
        name="log_responsibilities",
        meaning="natural logarithm of how likely the person belongs to each cluster",
        shape=(1, len(mixture.weights)),
        tolerance=Tolerance(absolute=1e-3, relative=1e-4),
    )
    return Exportable(
        model=mixture.keras_model(),
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=input_spec(),
        outputs=(answer,),
        labels=tuple(run.info.get("clusters", ())),
        decoding=how.decoding(),
        provenance=provenance(run, [training_data(run)], f"as the ratings': {run.info['data']['licence']}"),
        primary=PRIMARY,
        training_images=lambda count, seed: _training_profiles(needed(data), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
        extras={EXTRA: titles},
        recipes=("float32",),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Hit rate and NDCG at 10 of an artifact against popularity, through the runtime; see `recommender_figures`.

    Args:
        path: of the artifact.
        data: folder of MovieLens, any layout.
        split: "test" or "val".
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or nothing in it to measure by.
    """
    from handlens.recommend import ClusterRecommender
    from handlens_train.recommender_figures import evaluation

    with ClusterRecommender.load(path, engine=engine) as model:
        return evaluation(model, movielens.load(data), split)


def _training_profiles(data: Path, count: int, seed: int) -> tuple[np.ndarray, DataSource]:
    from handlens._vector import to_pixels
    from handlens_train.recommender_data import profiles

    found = movielens.load(data)
    ratings = found.part("train")
    values = profiles(ratings, found.movies).values
    chosen = np.random.default_rng(seed).permutation(len(values))[:count]
    source = DataSource(name=found.name, licence=found.licence, split="train", sha256=ratings.sha256())
    return to_pixels(values[chosen], input_spec()), source
