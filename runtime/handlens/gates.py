"""The gates before any embedding: one face, large enough, whole, towards the camera, well lit, sharp.

Each gives a verdict; a failed one carries a typed refusal that says what to do. The limits were chosen from data:
docs/door.md has the figures, and how to measure them on your own photographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens._facemeasure import Measures, measure
from handlens.errors import (
    FaceBlurred,
    FaceCutOff,
    FaceRefused,
    FaceTooBright,
    FaceTooDark,
    FaceTooSmall,
    FaceTurned,
    NoFace,
    OptionError,
    SeveralFaces,
)
from handlens.face import Face
from handlens.image import Pixels

__all__ = ["GATES", "Limits", "Measures", "Verdict", "judge", "measure", "require"]

GATES = ("one face", "size", "whole", "pose", "light", "sharpness")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where each gate closes; see `Measures` for what is measured.

    Attributes:
        other_faces: a further face counts when its height is at least this share of the largest one's; 0 counts all.
        eyes: pixels between the eyes, at least.
        inside: share of the face in the image, at least.
        yaw: to either side, at most.
        pitch: the nose tip's place, from and to.
        roll: degrees to either side, at most.
        highlights: luma, at least.
        clipped: share of the face, at most.
        sharpness: at least.
    """

    other_faces: float = 0.0
    eyes: float = 20.0
    inside: float = 0.9
    yaw: float = 0.6
    pitch: tuple[float, float] = (0.42, 0.72)
    roll: float = 15.0
    highlights: float = 95.0
    clipped: float = 0.15
    sharpness: float = 0.06


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of an image.

    Attributes:
        gate: one of `GATES`.
        measured: in words, with the limit.
        refusal: None where the gate is passed.
    """

    gate: str
    measured: str
    refusal: FaceRefused | None = None

    @property
    def passed(self) -> bool:
        """Whether the gate is passed."""
        return self.refusal is None

    @property
    def advice(self) -> str:
        """What to do; "" where the gate is passed."""
        return self.refusal.advice if self.refusal else ""

    def to_dict(self) -> dict[str, object]:
        """The verdict as plain JSON: gate, passed, measured, error (the refusal's class, or null), advice."""
        error = type(self.refusal).__name__ if self.refusal else None
        return {
            "gate": self.gate,
            "passed": self.passed,
            "measured": self.measured,
            "error": error,
            "advice": self.advice,
        }


def judge(image: Pixels, faces: Sequence[Face], limits: Limits | None = None) -> tuple[Verdict, ...]:
    """Asks every gate, in the order of `GATES`; without exactly one face only the first can answer.

    Args:
        image: uint8 (H, W, 3), upright RGB.
        faces: all that a detector found in it.
        limits: None for the default ones.

    Returns:
        The verdicts.

    Raises:
        OptionError: the face has no points; the detector does not give any.
        ImageShapeError: the face's points cannot be those of a face.
    """
    limits = limits or Limits()
    largest = max((face.height for face in faces), default=0.0)
    counted = [face for face in faces if face.height >= limits.other_faces * largest]
    count = _number(len(counted))
    if not counted:
        advice = "look at the camera, in the light, the whole face showing"
        return (Verdict(GATES[0], "no face", NoFace("no face", advice)),)
    if len(counted) > 1:
        return (Verdict(GATES[0], f"{count} faces", SeveralFaces(f"{count} faces", "show one")),)
    (face,) = counted
    if face.points is None:
        raise OptionError("the detector gives no five points, which the gates and the verifier need; use one that does")
    seen = measure(image, face.points)
    return (
        Verdict(GATES[0], "one face"),
        _size(seen, limits),
        _whole(seen, limits),
        _pose(seen, limits),
        _light(seen, limits),
        _sharpness(seen, limits),
    )


def require(image: Pixels, faces: Sequence[Face], limits: Limits | None = None) -> Face:
    """Returns the one face that passes every gate.

    Args:
        image: uint8 (H, W, 3), upright RGB.
        faces: all that a detector found in it.
        limits: None for the default ones.

    Raises:
        FaceRefused: by the first gate that is not passed; its class says which.
        OptionError: the face has no points.
    """
    for verdict in judge(image, faces, limits):
        if verdict.refusal is not None:
            raise verdict.refusal
    return max(faces, key=lambda face: face.height)


def _size(seen: Measures, limits: Limits) -> Verdict:
    text = f"{seen.eyes:.0f} pixels between the eyes, {limits.eyes:.0f} needed"
    refusal = FaceTooSmall(text, "come nearer, or use a camera with more pixels") if seen.eyes < limits.eyes else None
    return Verdict("size", text, refusal)


def _whole(seen: Measures, limits: Limits) -> Verdict:
    text = f"{seen.inside:.0%} of the face in the picture, {limits.inside:.0%} needed"
    refusal = FaceCutOff(text, "move so that the whole face is in the picture") if seen.inside < limits.inside else None
    return Verdict("whole", text, refusal)


def _pose(seen: Measures, limits: Limits) -> Verdict:
    low, high = limits.pitch
    text = (
        f"turned aside {abs(seen.yaw):.2f} (at most {limits.yaw:.2f}), tilted {abs(seen.roll):.0f} degrees "
        f"(at most {limits.roll:.0f}), nose at {seen.pitch:.2f} from eyes to mouth ({low:.2f} to {high:.2f})"
    )
    if abs(seen.yaw) > limits.yaw:
        what = f"the face is turned aside: {abs(seen.yaw):.2f}, at most {limits.yaw:.2f}"
    elif abs(seen.roll) > limits.roll:
        what = f"the head is tilted by {abs(seen.roll):.0f} degrees, at most {limits.roll:.0f}"
    elif not low <= seen.pitch <= high:
        way = "up" if seen.pitch < low else "down"
        what = f"the face is turned {way}: {seen.pitch:.2f}, allowed {low:.2f} to {high:.2f}"
    else:
        return Verdict("pose", text)
    return Verdict("pose", text, FaceTurned(what, "look straight into the camera, the head upright"))


def _light(seen: Measures, limits: Limits) -> Verdict:
    text = (
        f"brightest parts {seen.highlights:.0f} of 255 (at least {limits.highlights:.0f}), "
        f"{seen.clipped:.0%} without detail (at most {limits.clipped:.0%})"
    )
    if seen.highlights < limits.highlights:
        what = (
            f"the face is too dark: its brightest parts are {seen.highlights:.0f} of 255, not {limits.highlights:.0f}"
        )
        return Verdict("light", text, FaceTooDark(what, "turn towards the light, or switch one on"))
    if seen.clipped > limits.clipped:
        what = f"the face is too bright: {seen.clipped:.0%} of it is white, at most {limits.clipped:.0%}"
        return Verdict("light", text, FaceTooBright(what, "step out of the direct light, or switch the flash off"))
    return Verdict("light", text)


def _sharpness(seen: Measures, limits: Limits) -> Verdict:
    text = f"sharpness {seen.sharpness:.3f}, {limits.sharpness:.3f} needed"
    blurred = seen.sharpness < limits.sharpness
    refusal = FaceBlurred(f"the face is blurred: {text}", "hold still, and wipe the lens") if blurred else None
    return Verdict("sharpness", text, refusal)


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
