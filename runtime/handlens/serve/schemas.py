"""What the API answers, as OpenAPI tells it: pydantic models with an example each."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixel = Annotated[float, Field(description="pixels of the upright image, (0, 0) its upper left corner")]


Point = Annotated[list[Pixel], Field(min_length=2, max_length=2, description="x, y")]

_FACE: dict[str, Any] = {
    "box": [310.2, 96.4, 402.9, 221.5],
    "score": 0.97,
    "points": [[335.0, 142.1], [378.6, 141.0], [357.3, 169.8], [339.9, 192.0], [374.1, 191.2]],
    "gender": {"label": "female", "confidence": 0.98},
}
_GATE: dict[str, Any] = {
    "gate": "size",
    "passed": False,
    "measured": "14 pixels between the eyes, at least 20",
    "code": "face-too-small",
    "advice": "come closer",
}
_MODEL: dict[str, Any] = {
    "task": "face-detector",
    "name": "face-detector",
    "version": "1",
    "model_id": "0123456789abcdef0123456789abcdef",
    "engine": "litert 2.3.0",
    "recipe": "int8",
    "input": [320, 320],
    "weights_licence": "research only",
    "thresholds": [],
}


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [values]})


class GenderOut(BaseModel):
    """What the detector says of a face: an appearance, not a fact about the person."""

    model_config = _example(label="female", confidence=0.98)
    label: Literal["female", "male"]
    confidence: Annotated[float, Field(ge=0.5, le=1)]


class FaceOut(BaseModel):
    """One face."""

    model_config = _example(**_FACE)
    box: Annotated[list[Pixel], Field(min_length=4, max_length=4, description="x1, y1, x2, y2")]
    score: Fraction
    points: Annotated[
        Annotated[list[Point], Field(min_length=5, max_length=5)] | None,
        Field(description="the eye on the image's left, the other, the nose, the mouth's left and right corner"),
    ]
    gender: GenderOut | None


class GateOut(BaseModel):
    """What one gate of the door says of a picture."""

    model_config = _example(**_GATE)
    gate: str
    passed: bool
    measured: Annotated[str, Field(description="in words, with the limit")]
    code: Annotated[str | None, Field(description="what a refusal by this gate is called; null where it is passed")]
    advice: Annotated[str, Field(description="what to do; empty where it is passed")]


class Detected(BaseModel):
    """The faces of a picture, best first, and what each gate of the door says."""

    model_config = _example(
        width=512,
        height=512,
        faces=[_FACE],
        gates=[_GATE],
    )
    width: Annotated[int, Field(ge=1, description="of the upright image, in pixels")]
    height: Annotated[int, Field(ge=1)]
    faces: list[FaceOut]
    gates: Annotated[list[GateOut], Field(description="in order; empty where there is no verifier")]


class Enrolled(BaseModel):
    """A person is enrolled."""

    model_config = _example(name="Eileen", images=3)
    name: str
    images: Annotated[int, Field(ge=1, description="pictures that became templates")]


class Decision(BaseModel):
    """What the door decides; "person" hands the case to somebody, because a policy was not sure.

    There is no score in it: whoever sees exact scores can climb towards a match, picture by picture. A name that is
    not enrolled reads like one that does not match.
    """

    model_config = _example(outcome="admitted", name="Eileen", reason="the same person", target_fmr=0.01)
    outcome: Literal["admitted", "not admitted", "person"]
    name: Annotated[str | None, Field(description="of the person meant; null for nobody")]
    reason: str
    target_fmr: Annotated[float | None, Field(description="the false match rate that the threshold was chosen for")]


class ThresholdOut(BaseModel):
    """A threshold of the verifier."""

    model_config = _example(target_fmr=0.01, value=0.43, comparisons=30000)
    target_fmr: Fraction
    value: float
    comparisons: Annotated[int, Field(ge=0)]


class ModelOut(BaseModel):
    """One model that the server runs."""

    model_config = _example(**_MODEL)
    task: str
    name: str
    version: str
    model_id: str
    engine: str
    recipe: str
    input: Annotated[list[int], Field(min_length=2, max_length=2, description="height, width in pixels")]
    weights_licence: str
    thresholds: list[ThresholdOut]


class Models(BaseModel):
    """The models that the server runs, and what it can do with them."""

    model_config = _example(
        models=[_MODEL],
        door=True,
        liveness=False,
        limits={"upload_bytes": 16777216, "pixels": 25000000, "images": 10},
    )
    models: list[ModelOut]
    door: Annotated[bool, Field(description="whether it can enrol, verify and identify")]
    liveness: Annotated[Literal[False], Field(description="there is no liveness detection: a photograph passes")]
    limits: dict[str, int]


class Refusal(BaseModel):
    """Why a request was refused."""

    model_config = _example(code="several-faces", message="two faces", advice="Show one face.")
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    message: str
    advice: str
    retry_after: Annotated[float | None, Field(ge=0, description="seconds; only where waiting helps")] = None


class RefusalOut(BaseModel):
    """The shape of every answer that is not a success."""

    model_config = _example(error={"code": "several-faces", "message": "two faces", "advice": "Show one face."})
    error: Refusal
