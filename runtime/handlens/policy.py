"""Who may come in, of those who were recognised: a policy object, and none by default.

A policy can admit, or hand over to a person. It has no way to refuse: a machine that turns somebody away for what they
look like is not built here. Read docs/responsible-use.md before you use one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from handlens.errors import OptionError
from handlens.face import Face

_GENDERS = ("female", "male")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a policy says of a face.

    Attributes:
        outcome: "admit", or "person": a person decides.
        reason: said to whoever decides, and to the visitor.
    """

    outcome: Literal["admit", "person"]
    reason: str


class Policy(Protocol):
    """Judges a face whose owner was recognised."""

    def judge(self, face: Face) -> Opinion:
        """Returns an opinion; it is asked after the comparison succeeded."""


@dataclass(frozen=True, slots=True)
class GenderPolicy:
    """Admission by the gender that the detector reads from the face, as the early app had it.

    It admits where the model is confident of an admitted gender, and hands over to a person in every other case: low
    confidence, the other gender, or a detector that says nothing. What the model reads is no more than the look of a
    face, in two classes; it is wrong more often for some groups than for others (see the model's card).

    Attributes:
        admits: of "female" and "male".
        min_confidence: 0.5 to 1; below it a person decides.
    """

    admits: Collection[str]
    min_confidence: float = 0.9

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: an unknown gender, none at all, or a confidence outside 0.5 to 1.
        """
        if isinstance(self.admits, str) or not self.admits or not set(self.admits) <= set(_GENDERS):
            raise OptionError(f"admits is {self.admits!r:.80}; valid: a list of {' and '.join(_GENDERS)}")
        if not 0.5 <= self.min_confidence <= 1:
            raise OptionError(f"min_confidence is {self.min_confidence}; valid: 0.5 to 1")

    def judge(self, face: Face) -> Opinion:
        """Admits or hands over; never refuses."""
        gender = face.gender
        if gender is None:
            return Opinion("person", "the detector says nothing about gender, so a person decides")
        if gender.confidence < self.min_confidence:
            return Opinion(
                "person",
                f"the model is {gender.confidence:.0%} sure, below {self.min_confidence:.0%}; a person decides",
            )
        if gender.label not in self.admits:
            return Opinion(
                "person", f"the model reads {gender.label}, which the policy does not cover; a person decides"
            )
        return Opinion("admit", f"the model reads {gender.label}, {gender.confidence:.0%} sure")
