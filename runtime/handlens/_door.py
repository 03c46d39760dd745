"""What the door takes and gives: its two models as protocols, its options, and its frozen results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from handlens.errors import OptionError
from handlens.face import Face, Gender
from handlens.gates import Limits, Verdict
from handlens.image import Source
from handlens.manifest import Manifest, Threshold
from handlens.policy import Policy

Outcome = Literal["admitted", "not admitted", "person"]


class Detector(Protocol):
    """What the door needs of a `FaceDetector`."""

    def detect(self, image: Source) -> tuple[Face, ...]:
        """Finds the faces."""

    def close(self) -> None:
        """Releases the engine."""


class Verifier(Protocol):
    """What the door needs of a `FaceVerifier`."""

    @property
    def model_id(self) -> str:
        """Identifies the model."""

    @property
    def dimension(self) -> int:
        """Numbers in a template."""

    @property
    def manifest(self) -> Manifest:
        """Says which false match rates were measured."""

    def embed(self, image: Source, faces: Sequence[Face]) -> NDArray[np.float32]:
        """Turns faces into templates (N, D), each of length 1."""

    def threshold(self, fmr: float) -> Threshold:
        """Returns the threshold for a rate, or raises RateUnsupported."""

    def close(self) -> None:
        """Releases the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOptions:
    """How the door decides.

    Attributes:
        fmr: false match rate that `verify` runs at; one of those that the verifier's manifest carries.
        fpir: false positive identification rate that `identify` runs at: how often somebody who is not enrolled may be
            taken for anybody who is.
        limits: of the gates.
        policy: asked after a match; None admits everybody who matches.
        min_images: for an enrolment.
        max_images: for an enrolment.
    """

    fmr: float = 1e-3
    fpir: float = 1e-2
    limits: Limits = field(default_factory=Limits)
    policy: Policy | None = None
    min_images: int = 2
    max_images: int = 10

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: a rate outside 0 to 1, or image counts that contradict each other.
        """
        for what, rate in (("fmr", self.fmr), ("fpir", self.fpir)):
            if not 0 < rate < 1:
                raise OptionError(f"{what} is {rate}; valid: between 0 and 1, such as 0.001")
        if not 1 <= self.min_images <= self.max_images:
            raise OptionError(f"min_images is {self.min_images}, max_images {self.max_images}; valid: 1 <= min <= max")


@dataclass(frozen=True, slots=True)
class Examination:
    """What the gates say of an image.

    Attributes:
        faces: all that were found, best first.
        verdicts: in the order of `gates.GATES`; without exactly one face only the first.
    """

    faces: tuple[Face, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate is passed."""
        return all(verdict.passed for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A person was enrolled.

    Attributes:
        name: as it is kept.
        images: number of templates in the set.
        model_id: of the model that made them.
    """

    name: str
    images: int
    model_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the door decided.

    Attributes:
        name: claimed (`verify`), or found (`identify`; None for nobody).
        outcome: "admitted", "not admitted", or "person": recognised, but a person decides.
        reason: for the visitor; says what to do where it is no admission.
        score: of the comparison, -1..1; None where nobody is enrolled. For operators: a visitor who sees it can work
            his way up.
        threshold: that the score was held against; None where nobody is enrolled.
        target_fmr: the false match rate of one comparison that the threshold was measured for.
        comparisons: impostor comparisons behind that measurement.
        gender: what the detector reads from the face; None where it reads nothing.
    """

    name: str | None
    outcome: Outcome
    reason: str
    score: float | None
    threshold: float | None
    target_fmr: float | None
    comparisons: int
    gender: Gender | None

    @property
    def admitted(self) -> bool:
        """Whether the door opens."""
        return self.outcome == "admitted"

    def public(self) -> dict[str, object]:
        """What a visitor may see: name, outcome, admitted and reason; no score, and no more for a known name."""
        return {"name": self.name, "outcome": self.outcome, "admitted": self.admitted, "reason": self.reason}
