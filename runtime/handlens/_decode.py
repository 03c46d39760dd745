"""From a detector's raw outputs to candidate faces: what its manifest's `decoding` says.

All coordinates here are pixels of the model's input. A decoder computes only the cells whose score passes, and compares
scores as the model gives them: on most images hardly any cell does, and its exponentials are never taken.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handlens import _codec
from handlens.errors import ManifestInvalid
from handlens.manifest import Manifest

Floats = NDArray[np.float32]
Outputs = Mapping[str, Floats]

# A box of more than e^10 strides is no face; without the limit a wild output overflows.
MAX_LOG = 10.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Detections before suppression.

    Attributes:
        boxes: (N, 4) float32, x1, y1, x2, y2.
        scores: (N,) float32, 0..1.
        points: (N, 5, 2) float32, in the order of `Face.points`; None where the model gives none.
        gender: (N,) float32, the logit of female; None where the model does not tell.
    """

    boxes: Floats
    scores: Floats
    points: Floats | None = None
    gender: Floats | None = None


Decoder = Callable[[Outputs, float], Candidates]
"""Takes the model's outputs and a score threshold (0..1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """What a face detector's manifest says in `decoding`.

    Attributes:
        kind: of decoder: "cells" is that of this house; the others are foreign models'.
        strides: of the cells, in input pixels, in the order of the outputs.
        anchors: a cell, one number for each stride; "blazeface" alone.
        score_threshold: unless the caller gives another, 0..1.
        nms_iou: unless the caller gives another, 0..1.
        nms: what becomes of detections that overlap: the best stays ("best"), or their mean weighted by score.
        outputs: the decoder's name of an output to the model's, where they differ.
    """

    kind: Literal["cells", "yunet", "blazeface"]
    strides: tuple[int, ...]
    anchors: tuple[int, ...] = ()
    score_threshold: float = 0.5
    nms_iou: float = 0.4
    nms: Literal["best", "weighted"] = "best"
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if not self.strides or min(self.strides) < 1:
            raise ManifestInvalid(f"decoding.strides is {self.strides}; expected at least one, each of 1 or more")
        if self.anchors and (len(self.anchors) != len(self.strides) or min(self.anchors) < 1):
            raise ManifestInvalid(f"decoding.anchors is {self.anchors}; expected one number for each of {self.strides}")
        for what, value in (("score_threshold", self.score_threshold), ("nms_iou", self.nms_iou)):
            if not 0 <= value <= 1:
                raise ManifestInvalid(f"decoding.{what} is {value}; valid: 0 to 1")

    @classmethod
    def of(cls, manifest: Manifest) -> "Decoding":
        """Reads a manifest's `decoding`.

        Raises:
            ManifestInvalid: it is missing or breaks a rule.
        """
        return _codec.build(cls, manifest.decoding, "manifest.decoding")


def decoder(manifest: Manifest) -> Decoder:
    """Makes the decoder that a detector's manifest asks for.

    Raises:
        ManifestInvalid: the manifest's outputs are not those that it needs.
    """
    from handlens import _decode_foreign

    made: Mapping[str, Callable[[Manifest, Decoding], Decoder]] = {
        "cells": cells,
        "yunet": _decode_foreign.yunet,
        "blazeface": _decode_foreign.blazeface,
    }
    decoding = Decoding.of(manifest)
    return made[decoding.kind](manifest, decoding)


def cells(manifest: Manifest, decoding: Decoding) -> Decoder:
    """The decoder of this house: one candidate a cell of each stride, sizes as logarithms of strides.

    For a cell with its centre at c = ((column + 0.5) * s, (row + 0.5) * s): the box's centre is c + s * (dx, dy), its
    size s * exp(log w, log h), a point c + s * (px, py). Outputs: "score" (1, N, 1), a logit; "box" (1, N, 4);
    where there are any "points" (1, N, 10) and "gender" (1, N, 1), the logit of female.
    """
    centres, strides = grid(manifest, decoding.strides, (1,) * len(decoding.strides))
    count = len(strides)
    score = named(manifest, decoding, "score", (1, count, 1))
    box = named(manifest, decoding, "box", (1, count, 4))
    points = optional(manifest, decoding, "points", (1, count, 10))
    gender = optional(manifest, decoding, "gender", (1, count, 1))
    empty = np.empty(0, np.float32)
    five_of_none = None if points is None else empty.reshape(0, 5, 2)
    nothing = Candidates(empty.reshape(0, 4), empty, five_of_none, None if gender is None else empty)

    def decode(outputs: Outputs, threshold: float) -> Candidates:
        logits = outputs[score].reshape(-1)
        (at,) = np.nonzero(logits > logit(threshold))
        if not len(at):  # as on most images
            return nothing
        stride, centre = strides[at, None], centres[at]
        raw = outputs[box].reshape(-1, 4)[at]
        middle = centre + stride * raw[:, :2]
        half = 0.5 * stride * np.exp(np.minimum(raw[:, 2:], MAX_LOG))
        five = None
        if points is not None:
            five = centre[:, None] + stride[:, None] * outputs[points].reshape(-1, 10)[at].reshape(-1, 5, 2)
        return Candidates(
            np.concatenate([middle - half, middle + half], axis=1),
            sigmoid(logits[at]),
            five,
            None if gender is None else outputs[gender].reshape(-1)[at],
        )

    return decode


def grid(manifest: Manifest, strides: tuple[int, ...], anchors: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Centres (N, 2) and strides (N,) of all cells: stride by stride as given, rows from the top, cells from the left.

    Args:
        manifest: for the size of the input.
        strides: in pixels.
        anchors: entries a cell has, one number for each stride.

    Raises:
        ManifestInvalid: the input is no multiple of a stride.
    """
    height, width = manifest.input.height, manifest.input.width
    centres, sizes = [], []
    for stride, each in zip(strides, anchors, strict=True):
        if height % stride or width % stride:
            raise ManifestInvalid(f"the input is {height} x {width}; the decoding's stride {stride} does not divide it")
        y, x = np.mgrid[: height // stride, : width // stride]
        centre = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        centres.append(np.repeat(centre, each, axis=0).astype(np.float32))
        sizes.append(np.full(len(centres[-1]), stride, np.float32))
    return np.concatenate(centres), np.concatenate(sizes)


def logit(probability: float) -> float:
    """The logit of a probability, 0..1; infinite at the ends."""
    if probability <= 0 or probability >= 1:
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of logits, without an overflow."""
    small = np.exp(-np.abs(logits))
    probabilities: Floats = (np.where(logits >= 0, 1, small) / (1 + small)).astype(np.float32)
    return probabilities


def named(manifest: Manifest, decoding: Decoding, name: str, shape: tuple[int, ...]) -> str:
    """The model's name of an output that a decoder needs, of a shape it can read.

    Raises:
        ManifestInvalid: there is none, or it has another shape.
    """
    found = optional(manifest, decoding, name, shape)
    if found is None:
        shapes = {spec.name: spec.shape for spec in manifest.outputs}
        raise ManifestInvalid(
            f"the decoding {decoding.kind} needs an output {name!r} of shape {shape}; the model has {shapes}; where it "
            f'bears another name, say so: "decoding": {{"outputs": {{"{name}": "ITS NAME"}}}}'
        )
    return found


def optional(manifest: Manifest, decoding: Decoding, name: str, shape: tuple[int, ...]) -> str | None:
    """The model's name of an output that a decoder can do without; None where there is none.

    Raises:
        ManifestInvalid: it has another shape.
    """
    own = decoding.outputs.get(name, name)
    shapes = {spec.name: spec.shape for spec in manifest.outputs}
    if own in shapes and shapes[own] != shape:
        raise ManifestInvalid(
            f"output {own} has shape {shapes[own]}; the decoding {decoding.kind} with strides {decoding.strides} "
            f"on {manifest.input.height} x {manifest.input.width} needs {shape}"
        )
    return own if own in shapes else None
