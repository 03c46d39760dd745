"""What the routes call: pictures in, answers out. Everything here runs in the worker's one thread."""

from collections.abc import Sequence
from typing import Any, Protocol

from handlens.image import Pixels, load_image
from handlens.manifest import Manifest
from handlens.serve.limits import Limits
from handlens.serve.problems import Problem, code_of
from handlens.serve.schemas import (
    Decision,
    Detected,
    Enrolled,
    FaceOut,
    GateOut,
    GenderOut,
    ModelOut,
    Models,
    ThresholdOut,
)


class Model(Protocol):
    """What every opened model tells."""

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        ...

    @property
    def engine(self) -> str:
        """Name and version of the engine that runs it."""
        ...


class Detector(Model, Protocol):
    """What a server needs of a `handlens.face.FaceDetector`."""

    def detect(self, image: Pixels) -> Sequence[Any]:
        """Finds faces, best first."""
        ...


class Door(Protocol):
    """What a server needs of a `handlens.access.Door`."""

    def examine(self, image: Pixels) -> Any:
        """Finds the faces and says what each gate thinks of the picture."""
        ...

    def enrol(self, name: str, images: Sequence[Pixels]) -> Any:
        """Makes and keeps templates."""
        ...

    def verify(self, name: str, image: Pixels) -> Any:
        """Compares with the templates of one person."""
        ...

    def identify(self, image: Pixels) -> Any:
        """Compares with everybody's."""
        ...

    def delete(self, name: str) -> Any:
        """Forgets a person."""
        ...


class Service:
    """Answers for a detector and, where there is one, a door.

    Args:
        detector: finds the faces.
        door: enrols and verifies; None for a server that only detects.
        models: what `GET /v1/models` lists; the detector among them.
        limits: of the server; `pixels` and `images` are used here.
    """

    def __init__(self, detector: Detector, door: Door | None, models: Sequence[Model], limits: Limits) -> None:
        """Keeps what it is given; closes nothing."""
        self._detector = detector
        self._door = door
        self._models = tuple(models)
        self._limits = limits

    def models(self) -> Models:
        """Lists what runs here; needs no engine, so any thread may call it."""
        limits = self._limits
        return Models(
            models=[_model(model) for model in self._models],
            door=self._door is not None,
            liveness=False,
            limits={"upload_bytes": limits.upload_bytes, "pixels": limits.pixels, "images": limits.images},
        )

    def detect(self, data: bytes) -> Detected:
        """Finds the faces of a picture and asks each gate.

        Raises:
            ImageError: it cannot be used.
        """
        image = self._load(data)
        seen = self._door.examine(image) if self._door else None
        faces = seen.faces if seen else self._detector.detect(image)
        return Detected(
            width=image.shape[1],
            height=image.shape[0],
            faces=[_face(face) for face in faces],
            gates=[_gate(verdict) for verdict in (seen.verdicts if seen else ())],
        )

    def enrol(self, name: str, pictures: Sequence[bytes]) -> Enrolled:
        """Enrols a person.

        Raises:
            Problem: there is no door.
            InputError: a picture or the name cannot be used, or a gate refuses.
        """
        done = self._opened().enrol(name, [self._load(data) for data in pictures])
        return Enrolled(name=done.name, images=done.images)

    def verify(self, name: str, data: bytes) -> Decision:
        """Compares a picture with one person's templates.

        Raises:
            Problem: there is no door.
            InputError: as for `enrol`; or nobody has that name, or too many attempts failed.
        """
        return _decision(self._opened().verify(name, self._load(data)))

    def identify(self, data: bytes) -> Decision:
        """Compares a picture with everybody's templates.

        Raises:
            Problem: there is no door.
            InputError: as for `verify`.
        """
        return _decision(self._opened().identify(self._load(data)))

    def forget(self, name: str) -> None:
        """Deletes a person's templates.

        Raises:
            Problem: there is no door.
            InputError: nobody has that name.
        """
        self._opened().delete(name)

    def _opened(self) -> Door:
        if self._door is None:
            message = "this server has no verifier, so it neither enrols nor verifies"
            raise Problem(409, "no-door", message, "Start it with --verifier FILE.")
        return self._door

    def _load(self, data: bytes) -> Pixels:
        return load_image(data, max_pixels=self._limits.pixels)


def _face(face: Any) -> FaceOut:
    gender = face.gender
    return FaceOut(
        box=[round(float(value), 2) for value in face.box],
        score=float(face.score),
        points=None if face.points is None else [[round(float(x), 2), round(float(y), 2)] for x, y in face.points],
        gender=None if gender is None else GenderOut(label=gender.label, confidence=float(gender.confidence)),
    )


def _gate(verdict: Any) -> GateOut:
    return GateOut(
        gate=verdict.gate,
        passed=verdict.passed,
        measured=verdict.measured,
        code=None if verdict.refusal is None else code_of(type(verdict.refusal)),
        advice=verdict.advice,
    )


def _decision(result: Any) -> Decision:
    return Decision(outcome=result.outcome, name=result.name, reason=result.reason, target_fmr=result.target_fmr)


def _model(model: Model) -> ModelOut:
    manifest = model.manifest
    return ModelOut(
        task=manifest.task,
        name=manifest.name,
        version=manifest.version,
        model_id=manifest.model_id,
        engine=model.engine,
        recipe=manifest.compression.recipe,
        input=[manifest.input.height, manifest.input.width],
        weights_licence=manifest.provenance.weights_licence,
        thresholds=[
            ThresholdOut(target_fmr=each.target_fmr, value=each.value, comparisons=each.comparisons)
            for each in manifest.thresholds
        ],
    )
