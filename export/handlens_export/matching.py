"""What each output of a network is to fine-tuning, parity and calibration: an embedding, a logit, or plain values.

A run may say so itself (`Exportable.matching`). Else it is read from the outputs: one whose name or meaning speaks of
an embedding is matched by cosine; a single value called "score" or "mask", or whose meaning speaks of a logit, as a
logit; and every other output over the same cells as "score", or the same pixels as "mask", weighs them by it.
"""

from collections.abc import Mapping, Sequence

from handlens.errors import RunError
from handlens.manifest import OutputSpec
from handlens_train.exportable import Match

SCORES = {"score": 3, "mask": 4}
"""Outputs that say where something is, and their dimensions: (1, cells, 1) and (1, h, w, 1)."""
# A sigmoid is within 0.0004 of its ends there, so a logit's int8 steps are not spent on what lies beyond.
LOGIT_LIMIT = 8.0
SEEN = 0.02  # the probability from which a cell of a detector counts: below, nobody reads its box


def matches(outputs: Sequence[OutputSpec], given: Mapping[str, Match]) -> dict[str, Match]:
    """How each output is matched, in the order of the outputs.

    Raises:
        RunError: `given` names an output, or a weight, that the network does not have.
    """
    shapes = {output.name: output.shape for output in outputs}
    unknown = sorted({*given, *(match.weight for match in given.values() if match.weight)} - set(shapes))
    if unknown:
        raise RunError(f"Exportable.matching names {', '.join(unknown)}; the network's outputs: {', '.join(shapes)}")
    kinds = {output.name: _kind(output) for output in outputs}
    found = {}
    for name, kind in kinds.items():
        score = next((score for score in SCORES if kinds.get(score) == "logit" and _shared(shapes, name, score)), None)
        found[name] = given.get(name, Match(kind, score))
    return found


def _shared(shapes: Mapping[str, tuple[int, ...]], name: str, score: str) -> bool:
    """Whether an output answers for the same places as a score."""
    mine, others = shapes[name], shapes[score]
    return name != score and len(mine) == len(others) == SCORES[score] and mine[:-1] == others[:-1]


def bounded(matching: Mapping[str, Match]) -> tuple[str, ...]:
    """The outputs whose int8 range is less than what calibration saw: logits, and what a score weighs."""
    return tuple(name for name, match in matching.items() if match.kind == "logit" or match.weight)


def _kind(output: OutputSpec) -> str:
    text = f"{output.name} {output.meaning}".lower()
    if "embedding" in text:
        return "cosine"
    return "logit" if output.shape[-1] == 1 and (output.name in SCORES or "logit" in text) else "value"
