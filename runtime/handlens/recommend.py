"""ClusterRecommender: titles that people of the same taste rated above four stars."""

import dataclasses
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from handlens import _codec, _titles, _vector
from handlens._profile import favourites, profile
from handlens._ratings_csv import HIGHEST, LOWEST
from handlens._task import Task, only_output
from handlens._titles import TitleTable
from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine
from handlens.errors import EngineWrong, ManifestInvalid, OptionError, RatingsError
from handlens.manifest import Manifest

__all__ = ["ClusterRecommender", "Ranking", "Recommendation"]

MAX_TITLES = 1000
LIKED_ABOVE = 4.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A title for somebody.

    Attributes:
        movie: its id in the ratings.
        title: its name, with the year.
        genres: of it; none is possible.
        score: ratings above four stars in the person's cluster, or what the artifact's `Ranking` makes of them; 0 for
            a title that only others like.
        cluster: of the person, from 0.
    """

    movie: int
    title: str
    genres: tuple[str, ...]
    score: float
    cluster: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How titles are scored; the manifest's `decoding`.

    Attributes:
        kind: "clusters".
        smoothing: so many people of the average taste are added to a cluster; steadies small ones.
        favourites: the count is multiplied by the mean of the title's genres' `favourites`, to this power; 0 leaves
            the count as it is.
        prior: liked titles of the average taste that a person is taken to have had before, for `favourites`.
    """

    kind: str = "clusters"
    smoothing: float = 0.0
    favourites: float = 0.0
    prior: float = 20.0

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if self.kind != "clusters" or self.smoothing < 0 or not 0 <= self.favourites <= 8 or self.prior <= 0:
            raise ManifestInvalid(
                f"the decoding is {dataclasses.asdict(self)}; expected kind clusters, smoothing of 0 or more, "
                "favourites 0 to 8, prior above 0"
            )


class ClusterRecommender(Task):
    """Finds the cluster of people whose ratings are most like somebody's, and what they like."""

    task: ClassVar[str] = "recommender"

    def __init__(self, engine: Engine, manifest: Manifest, titles: TitleTable) -> None:
        """Takes an opened engine and the titles; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: its input, output, decoding and titles do not fit each other.
        """
        super().__init__(engine, manifest)
        self._output = only_output(manifest, "the log responsibilities of the clusters")
        self._titles = titles
        self._ranking = _codec.build(Ranking, manifest.decoding, "the decoding")
        found = (manifest.input.geometry, manifest.input.width, self._output.shape)
        if found != ("vector", len(titles.genres), (1, len(titles.users))):
            raise ManifestInvalid(
                f"the recommender {manifest.name} has an input of geometry {found[0]} and width {found[1]} and "
                f"an output of shape {found[2]}; its titles have {len(titles.genres)} genres and {len(titles.users)} "
                "clusters"
            )
        self._overall = titles.liked.sum(axis=0)

    @classmethod
    def load(cls, path: str | Path, *, engine: str | None = None, threads: int = 1) -> Self:
        """Opens an artifact, after its golden vectors were answered rightly on this engine and machine.

        Args:
            path: of the `.tflite` or `.onnx` artifact.
            engine: "litert", "tflite-runtime" or "onnxruntime"; None for the default of the file's kind.
            threads: for the engine to use.

        Raises:
            ArtifactError: the file is damaged, too new, no artifact, or carries no titles.
            EngineError: the engine is missing, or answers wrongly.
            OptionError: the artifact is of another task, or the engine does not read its kind.
        """
        artifact = Artifact.open(path)
        if artifact.manifest.task != cls.task:
            raise OptionError(f"{path} is an artifact for the task {artifact.manifest.task!r}; expected {cls.task!r}")
        if _titles.EXTRA not in artifact.extras:
            raise ManifestInvalid(f"{path} carries no {_titles.EXTRA}; export the run again")
        titles = _titles.parse(artifact.extras[_titles.EXTRA])
        return cls(open_engine(artifact, engine, threads), artifact.manifest, titles)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres' names, in the order of a profile."""
        return self._titles.genres

    @property
    def titles(self) -> Mapping[int, str]:
        """Every title that the artifact knows, by id."""
        return dict(zip(self._titles.movies.tolist(), self._titles.titles, strict=True))

    @property
    def clusters(self) -> tuple[int, ...]:
        """How many people each cluster was made of."""
        return tuple(self._titles.users.tolist())

    def profile(self, ratings: Mapping[int, float]) -> dict[str, float]:
        """The mean rating of each genre, in stars; of a genre without a rating, the mean of all of the ratings.

        Args:
            ratings: movie id to stars, 0.5 to 5; one is enough.

        Raises:
            RatingsError: there is none, one is out of range, or a movie is unknown.
        """
        places, values = self._checked(ratings)
        numbers = profile(values, self._titles.member[places])
        return dict(zip(self.genres, numbers.tolist(), strict=True))

    def responsibilities(self, ratings: Mapping[int, float]) -> NDArray[np.float64]:
        """How likely the person belongs to each cluster.

        Args:
            ratings: as for `profile`.

        Returns:
            (K,) float64, 0 to 1; they add up to 1.

        Raises:
            RatingsError: as `profile`.
            EngineWrong: the model's answer is not finite.
            EngineError: the engine failed, or is closed.
        """
        places, values = self._checked(ratings)
        return self._shares(profile(values, self._titles.member[places]))

    def recommend(
        self, ratings: Mapping[int, float], n: int = 5, *, genre: str | None = None
    ) -> tuple[Recommendation, ...]:
        """The titles that the person's cluster likes most, of those that the person has not rated.

        Titles that nobody in the cluster likes come last, by how many others do; one that nobody likes never comes.

        Args:
            ratings: as for `profile`.
            n: titles at most, 1 to 1,000; fewer where there are no more.
            genre: only titles of it.

        Raises:
            RatingsError, EngineError: as `responsibilities`.
            OptionError: `n` out of range, or an unknown genre.
        """
        if not 1 <= n <= MAX_TITLES:
            raise OptionError(f"n is {n}; valid: 1 to {MAX_TITLES}")
        if genre is not None and genre not in self.genres:
            raise OptionError(f"genre {ascii(genre)[:80]} is unknown; valid: {', '.join(self.genres)}")
        places, values = self._checked(ratings)
        cluster = int(self._shares(profile(values, self._titles.member[places])).argmax())
        left_out = np.zeros(len(self._titles.movies), bool)
        left_out[places] = True
        if genre is not None:
            left_out |= ~self._titles.member[:, self.genres.index(genre)]
        scores = self._scores(cluster, places[values > LIKED_ABOVE])
        chosen = _titles.best(scores, self._overall, left_out, n)
        return tuple(self._recommendation(int(index), float(scores[index]), cluster) for index in chosen)

    def _scores(self, cluster: int, liked: NDArray[np.int64]) -> NDArray[np.float64]:
        """(M,) of every title, for a person of a cluster who likes the titles at some places."""
        table, how = self._titles, self._ranking
        scores = table.liked[cluster] + how.smoothing * self._overall / max(int(table.users.sum()), 1)
        if how.favourites:
            lift = favourites(table.member[liked].sum(axis=0), self._overall @ table.member, how.prior)
            belongs = table.member.sum(axis=1)
            mean = np.where(belongs > 0, table.member @ lift / np.maximum(belongs, 1), 1.0)
            scores = scores * mean**how.favourites
        return np.asarray(scores, np.float64)

    def _shares(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        spec = self._manifest.input
        answer = self._engine.run({spec.name: _vector.to_tensor(numbers, spec)})[self._output.name]
        logs = answer.astype(np.float64).reshape(-1)
        if not np.isfinite(logs).all():
            raise EngineWrong(f"the answer is not finite on {self.engine}; run: handlens check FILE")
        shares = np.exp(logs - logs.max())
        return np.asarray(shares / shares.sum(), np.float64)

    def _checked(self, ratings: Mapping[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Places in the table and stars, of checked ratings."""
        if not isinstance(ratings, Mapping) or not ratings:
            raise RatingsError("there is no rating; give at least one, {movie id: stars}")
        for movie, value in ratings.items():
            if not isinstance(movie, numbers.Integral) or isinstance(movie, bool) or not 0 <= movie < 2**62:
                raise RatingsError(f"a rating is of {ascii(movie)[:80]}; expected a movie's id, a whole number")
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not real or not LOWEST <= value <= HIGHEST:
                raise RatingsError(
                    f"the rating of movie {movie} is {ascii(value)[:80]}; valid: {LOWEST} to {HIGHEST:g} stars"
                )
        ids = [int(movie) for movie in ratings]
        places = self._titles.places(ids)
        unknown = [movie for movie, place in zip(ids, places, strict=True) if place < 0]
        if unknown:
            shown = ", ".join(map(str, sorted(unknown)[:5])) + (" ..." if len(unknown) > 5 else "")
            raise RatingsError(
                f"{len(unknown)} of {len(ids)} ratings are of movies that {self._manifest.name} does not know "
                f"({shown}); leave them out: it knows the {len(self._titles.movies):,} ids of its `titles`"
            )
        return places, np.array([float(value) for value in ratings.values()])

    def _recommendation(self, index: int, score: float, cluster: int) -> Recommendation:
        table = self._titles
        genres = tuple(name for name, has in zip(table.genres, table.member[index], strict=True) if has)
        return Recommendation(int(table.movies[index]), table.titles[index], genres, score, cluster)
