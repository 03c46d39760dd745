"""The door: enrol a person from a few photographs, then verify a claimed name, or identify whoever stands there.

    from handlens.access import Door

    with Door.open("face-detector.tflite", "face-verifier.tflite") as door:
        door.enrol("Ada", ["ada1.jpg", "ada2.jpg", "ada3.jpg"])
        decision = door.verify("Ada", "at-the-door.jpg")

Nothing here tells a living face from a photograph of one: docs/responsible-use.md.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from handlens import _enrolment, gates, vault
from handlens._door import Decision, Detector, DoorOptions, Enrolment, Examination, Outcome, Verifier
from handlens.attempts import Attempts
from handlens.errors import AlreadyEnrolled, RateUnsupported, Refused, UnknownName
from handlens.face import Face, FaceDetector, FaceVerifier
from handlens.image import Pixels, Source, load_image
from handlens.manifest import Threshold
from handlens.store import Store
from handlens.vault import Record, Vault

__all__ = [
    "Decision",
    "Detector",
    "Door",
    "DoorOptions",
    "Enrolment",
    "Examination",
    "Verifier",
    "forget",
    "similarity",
]

_ANYBODY = "\0anybody"  # the counter of `identify`; no name can be this
_NOT_ADMITTED = "the face does not match the name; try again, or use the way in that needs no face"
_NOBODY = "the face matches nobody enrolled; try again, or use the way in that needs no face"


class Door:
    """Enrols, verifies, identifies and forgets people. Use it as a context manager, or call `close`.

    Several processes and threads may use one store at once.
    """

    def __init__(
        self, detector: Detector, verifier: Verifier, store: Store, options: DoorOptions | None = None
    ) -> None:
        """Takes opened models and a store; use `open` for files.

        Raises:
            RateUnsupported: the verifier's manifest does not carry the rate that `verify` is to run at.
        """
        self._detector = detector
        self._verifier = verifier
        self._store = store
        self._options = options or DoorOptions()
        self._attempts = Attempts(store)
        self._vault = Vault(store, verifier.model_id, verifier.dimension)
        self._threshold = verifier.threshold(self._options.fmr)

    @classmethod
    def open(
        cls,
        detector: str | Path,
        verifier: str | Path,
        store: str | Path | None = None,
        *,
        options: DoorOptions | None = None,
        engine: str | None = None,
        threads: int = 1,
        key_file: str | Path | None = None,
        use_keyring: bool | None = None,
    ) -> "Door":
        """Opens both artifacts and the store; a missing store is made.

        Args:
            detector: path of a face-detector artifact that gives five points.
            verifier: path of a face-verifier artifact.
            store: the store's folder; None for `store.default_folder()`.
            options: how to decide.
            engine: for both models; None for the default of each file's kind.
            threads: for the engines to use.
            key_file: where the key is when it is not in the keyring; None for a file in the store.
            use_keyring: for a new store; None takes the keyring where there is one.

        Raises:
            ArtifactError: a file is damaged, too new, or no artifact.
            EngineError: an engine is missing, or answers wrongly.
            OptionError: an artifact is of another task.
            RateUnsupported: the verifier's manifest does not carry the rate.
            StoreError: the store must not be used.
        """
        with contextlib.ExitStack() as stack:
            finder = stack.enter_context(FaceDetector.load(detector, engine=engine, threads=threads))
            embedder = stack.enter_context(FaceVerifier.load(verifier, engine=engine, threads=threads))
            embedder.threshold((options or DoorOptions()).fmr)  # before a store is made
            opened = Store.open(store, key_file=key_file, use_keyring=use_keyring)
            door = cls(finder, embedder, opened, options)
            stack.pop_all()
            return door

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know, such as where the key is when there is no keyring."""
        return self._store.notices

    @property
    def options(self) -> DoorOptions:
        """How the door decides."""
        return self._options

    def names(self) -> tuple[str, ...]:
        """Who is enrolled with this model; for operators."""
        with self._store.lock():
            return tuple(sorted(self._vault.read()))

    def examine(self, image: Source) -> Examination:
        """Asks every gate about an image; refuses, compares and counts nothing.

        Raises:
            ImageError: the image cannot be used.
            OptionError: the detector gives no points.
            EngineError: the engine failed.
        """
        pixels = load_image(image)
        faces = self._detector.detect(pixels)
        return Examination(faces, gates.judge(pixels, faces, self._options.limits))

    def enrol(self, name: str, images: Sequence[Source], *, replace: bool = False) -> Enrolment:
        """Makes a template set from several photographs of one person.

        Args:
            name: 1 to 80 printable characters.
            images: of different moments.
            replace: whether a set under that name is replaced; its templates are deleted then.

        Raises:
            FaceRefused: by a gate; the message says which image.
            EnrolmentRefused: too few or too many images, two nearly the same, not one person, or the name is taken.
            InputError: the name cannot be used, or `images` is one image.
            ImageError: an image cannot be used.
            RateUnsupported: the verifier's manifest carries no rate to compare the images at.
            StoreError: the store must not be used.
        """
        known = vault.clean_name(name)
        _enrolment.check_count(images, self._options.min_images, self._options.max_images)
        with self._store.lock():
            if known in self._vault.read() and not replace:  # before the work; `put` asks again
                raise AlreadyEnrolled(f"{known!r} is enrolled already", vault.TAKEN)
        shots = [self._shot(image, f"image {index + 1}") for index, image in enumerate(images)]
        _enrolment.check_alike([crop for crop, _ in shots])
        templates = np.concatenate([template for _, template in shots])
        _enrolment.check_consistent(templates, self._verifier)
        record = Record(known, templates, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._store.lock():
            self._vault.put(record, replace=replace)
            self._attempts.succeed(known)
        return Enrolment(known, len(templates), self._verifier.model_id)

    def verify(self, name: str, image: Source, *, reveal: bool = False) -> Decision:
        """Compares whoever is in an image with a name.

        An unknown name takes the same steps and gives the same kind of decision as a wrong face.

        Args:
            name: claimed.
            image: with exactly one face.
            reveal: for operators: an unknown name raises, after all the work.

        Raises:
            TooManyAttempts: the name's attempts failed too often.
            FaceRefused: by a gate; that is no attempt.
            UnknownName: nobody is enrolled under the name, and `reveal` is on.
            InputError: the name cannot be used.
            ImageError: the image cannot be used.
            StoreError: the store must not be used.
        """
        claimed = vault.clean_name(name)
        with self._store.lock():
            self._attempts.check(claimed)
        face, probe = self._probe(image)
        with self._store.lock():
            self._attempts.begin(claimed)
            records = self._vault.read()
            nobody = self._nobody(claimed)  # made for a known name as well: both take as long
            score = similarity(records.get(claimed, nobody).templates, probe)
            matched = claimed in records and score >= self._threshold.value
            if matched:
                self._attempts.succeed(claimed)
        if reveal and claimed not in records:
            raise UnknownName(
                f"nobody is enrolled under the name {claimed!r}", "check the spelling, or enrol the person"
            )
        return self._decide(claimed, matched, score, self._threshold, face, _NOT_ADMITTED)

    def identify(self, image: Source) -> Decision:
        """Looks for whoever is in an image among all who are enrolled.

        The threshold is that of the false match rate `options.fpir` divided by the number of people enrolled.

        Args:
            image: with exactly one face.

        Raises:
            TooManyAttempts: too many in a row were nobody.
            FaceRefused: by a gate; that is no attempt.
            RateUnsupported: so many are enrolled that the verifier's manifest carries no rate that is low enough.
            ImageError: the image cannot be used.
            StoreError: the store must not be used.
        """
        with self._store.lock():
            self._attempts.check(_ANYBODY, endless=True)
        face, probe = self._probe(image)
        with self._store.lock():
            records = self._vault.read()
            limit = self._limit_for(len(records)) if records else None
            self._attempts.begin(_ANYBODY, endless=True)
            scores = sorted(
                ((similarity(record.templates, probe), record.name) for record in records.values()), reverse=True
            )
            above = [name for score, name in scores if limit is not None and score >= limit.value]
            if above:
                self._attempts.succeed(_ANYBODY)
        best = scores[0][0] if scores else None
        if len(above) > 1:
            reason = f"the face matches {len(above)} people enrolled, so a person decides"
            return _decision(None, "person", reason, best, limit, face)
        return self._decide(above[0] if above else None, bool(above), best, limit, face, _NOBODY)

    def delete(self, name: str) -> None:
        """Forgets a person: the templates of every model, and what they were encrypted with.

        Raises:
            UnknownName: nobody is enrolled under the name.
            StoreError: the store must not be used.
        """
        forget(self._store, name)

    def close(self) -> None:
        """Releases both engines."""
        self._detector.close()
        self._verifier.close()

    def __enter__(self) -> "Door":
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases both engines."""
        self.close()

    def _probe(self, image: Source) -> tuple[Face, NDArray[np.float32]]:
        pixels = load_image(image)
        face = gates.require(pixels, self._detector.detect(pixels), self._options.limits)
        return face, self._verifier.embed(pixels, [face])[0]

    def _shot(self, image: Source, place: str) -> tuple[Pixels, NDArray[np.float32]]:
        """An enrolment image's aligned crop and its template (1, D)."""
        if isinstance(image, (str, Path)):
            place = f"{place} ({image})"
        pixels = load_image(image)
        try:
            face = gates.require(pixels, self._detector.detect(pixels), self._options.limits)
        except Refused as refusal:
            raise refusal.at(place) from None
        return _enrolment.small_crop(pixels, face), self._verifier.embed(pixels, [face])

    def _limit_for(self, people: int) -> Threshold:
        """The threshold of the highest measured rate that is low enough for so many comparisons at once."""
        wanted = self._options.fpir / people
        for target in sorted((limit.target_fmr for limit in self._verifier.manifest.thresholds), reverse=True):
            if target <= wanted * (1 + 1e-9):
                try:
                    return self._verifier.threshold(target)
                except RateUnsupported:
                    continue
        raise RateUnsupported(
            f"{people} people are enrolled, so an identification rate of {self._options.fpir:g} needs a false match "
            f"rate of {wanted:.2g}; the verifier's manifest carries none so low; verify a claimed name, or raise --fpir"
        )

    def _nobody(self, name: str) -> Record:
        """Templates that are nobody's, the same ones for a name each time."""
        seed = hashlib.sha256(f"{self._store.id}/{name}".encode()).digest()
        values = np.random.default_rng(list(seed)).normal(size=(self._options.min_images, self._verifier.dimension))
        return Record(name, (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), "")

    def _decide(
        self, name: str | None, matched: bool, score: float | None, limit: Threshold | None, face: Face, otherwise: str
    ) -> Decision:
        if not matched:
            return _decision(name, "not admitted", otherwise, score, limit, face)
        if self._options.policy is None:
            return _decision(name, "admitted", "recognised", score, limit, face)
        opinion = self._options.policy.judge(face)
        outcome: Outcome = "admitted" if opinion.outcome == "admit" else "person"
        return _decision(name, outcome, f"recognised; {opinion.reason}", score, limit, face)


def similarity(templates: NDArray[np.float32], probe: NDArray[np.float32]) -> float:
    """Compares a face with a template set: the mean of the cosines to each.

    Thresholds are measured on single comparisons, and this is the rule that keeps their false match rate: the highest
    cosine, or the cosine to the mean template, admits several times as many strangers (docs/door.md has the figures).

    Args:
        templates: (N, D), each of length 1.
        probe: (D,) of length 1.

    Returns:
        -1..1.
    """
    return float(np.clip((templates.astype(np.float64) @ probe.astype(np.float64)).mean(), -1, 1))


def forget(store: Store, name: str) -> None:
    """Deletes a person from a store; needs no model. See `Door.delete`."""
    known = vault.clean_name(name)
    with store.lock():
        vault.forget(store, known)
        Attempts(store).succeed(known)


def _decision(
    name: str | None, outcome: Outcome, reason: str, score: float | None, limit: Threshold | None, face: Face
) -> Decision:
    rate, count = (limit.target_fmr, limit.comparisons) if limit else (None, 0)
    return Decision(name, outcome, reason, score, limit.value if limit else None, rate, count, face.gender)
