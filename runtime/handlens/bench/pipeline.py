"""The whole way from an encoded image to a task's answer, and how long each of its parts takes."""

import time
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from handlens import _vector, golden, image
from handlens._backends import Array, FloatArray
from handlens.artifact import Artifact
from handlens.engine import Engine
from handlens.manifest import InputSpec

Answer = Callable[[image.Pixels], object]
STAGES = ("decode", "prepare", "run", "answer")


class TimedEngine:
    """An engine that notes when its runs began and how long they took, in nanoseconds."""

    def __init__(self, inner: Engine) -> None:
        """Wraps an engine."""
        self.name, self.version = inner.name, inner.version
        self.inputs, self.outputs = inner.inputs, inner.outputs
        self._inner = inner
        self.began = self.spent = 0

    def run(self, feeds: Mapping[str, Array]) -> dict[str, FloatArray]:
        """Runs the model, and notes when."""
        start = time.perf_counter_ns()
        answer = self._inner.run(feeds)
        self.spent += time.perf_counter_ns() - start
        self.began = self.began or start
        return answer

    def close(self) -> None:
        """Releases the model."""
        self._inner.close()


class Pipeline:
    """One artifact's task on one engine, fed with a JPEG (or numbers) drawn from a golden pattern."""

    def __init__(self, artifact: Artifact, engine: Engine) -> None:
        """Draws the input and finds the task's class; a task that the runtime does not know ends with its outputs."""
        self._engine = TimedEngine(engine)
        self._jpeg = jpeg(artifact.manifest.input)
        self._answer = _answer(artifact, self._engine)

    def __call__(self) -> tuple[int, int, int, int]:
        """Goes the whole way once; nanoseconds of each of `STAGES`."""
        engine = self._engine
        engine.began = engine.spent = 0
        start = time.perf_counter_ns()
        pixels = np.empty((0, 0, 3), np.uint8) if self._jpeg is None else image.load_image(self._jpeg)
        decoded = time.perf_counter_ns()
        self._answer(pixels)
        end = time.perf_counter_ns()
        prepared = engine.began - decoded
        return decoded - start, prepared, engine.spent, end - decoded - prepared - engine.spent


def tensor(spec: InputSpec) -> Array:
    """The input of the model alone, prepared: a golden pattern."""
    pixels = _drawn(spec)
    return _vector.to_tensor(_vector.numbers(pixels, spec), spec) if _numbers(spec) else image.to_tensor(pixels, spec)


def jpeg(spec: InputSpec) -> bytes | None:
    """The same pattern as a JPEG of the input's size; None for a model that takes numbers."""
    if _numbers(spec):
        return None
    pixels = _drawn(spec)
    encoded: bytes = cv2.imencode(".jpg", pixels if spec.channels == 1 else pixels[:, :, ::-1])[1].tobytes()
    return encoded


def _drawn(spec: InputSpec) -> image.Pixels:
    return golden.generate(golden.GENERATORS[0], 1, spec.height, spec.width, spec.channels)


def _numbers(spec: InputSpec) -> bool:
    return spec.geometry == "vector"


def _answer(artifact: Artifact, engine: Engine) -> Answer:
    """What a caller of the task's class would call, with the answer that it would get."""
    manifest = artifact.manifest
    spec = manifest.input
    if manifest.decoding.get("kind") == "mask":
        from handlens.segment import Segmenter

        return Segmenter(engine, manifest).segment
    match manifest.task:
        case "face-detector":
            from handlens.face import FaceDetector

            return FaceDetector(engine, manifest).detect
        case "face-verifier" if spec.geometry == "align":
            from handlens.face import FaceVerifier

            verifier = FaceVerifier(engine, manifest)
            # A face whose points lie where the input wants them: aligning costs the same wherever they are.
            points = np.reshape(spec.template, (1, 5, 2))
            return lambda pixels: verifier.embed(pixels, points)
        case "gender":
            from handlens.face import GenderClassifier

            gender = GenderClassifier(engine, manifest)
            return lambda pixels: gender.classify([pixels])
        case "reid":
            from handlens.person import PersonReidentifier

            reid = PersonReidentifier(engine, manifest)
            return lambda pixels: reid.embed([pixels])
        case "attributes":
            from handlens.person import AttributeClassifier

            attributes = AttributeClassifier(engine, manifest)
            return lambda pixels: attributes.classify([pixels])
        case "recommender":
            return _recommender(artifact, engine)
        case _:
            return _plain(artifact, engine)


def _recommender(artifact: Artifact, engine: Engine) -> Answer:
    from handlens import _titles
    from handlens.recommend import ClusterRecommender

    if _titles.EXTRA not in artifact.extras:
        return _plain(artifact, engine)
    table = _titles.parse(artifact.extras[_titles.EXTRA])
    recommender = ClusterRecommender(engine, artifact.manifest, table)
    ratings = {movie: 0.5 + index % 10 / 2 for index, movie in enumerate(table.movies[:20].tolist())}
    return lambda pixels: recommender.recommend(ratings)


def _plain(artifact: Artifact, engine: Engine) -> Answer:
    spec = artifact.manifest.input
    if _numbers(spec):
        numbers = _vector.numbers(_drawn(spec), spec)
        return lambda pixels: engine.run({spec.name: _vector.to_tensor(numbers, spec)})
    points = np.reshape(spec.template, (5, 2)) if spec.geometry == "align" else None
    return lambda pixels: engine.run({spec.name: image.preprocess(pixels, spec, points)})
