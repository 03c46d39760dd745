"""What the outputs of a model from elsewhere are to calibration and fine-tuning, whatever they are called there."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from handlens.engine import Engine
from handlens.manifest import InputSpec, Manifest
from handlens_export import matching
from handlens_export.bring.agreement import answers
from handlens_train.exportable import Match

BATCH = 16


def matches(described: Manifest) -> dict[str, Match]:
    """How each output is matched, by its name in the model.

    A manifest's decoding says which output plays the decoder's "score", "box" or "mask", so that a detector of
    another's is calibrated as ours is: its boxes where there is a face, its logits no further than a sigmoid tells.
    """
    mapped = described.decoding.get("outputs")
    named = {real: role for role, real in mapped.items()} if isinstance(mapped, Mapping) else {}
    roles = [str(named.get(output.name, output.name)) for output in described.outputs]
    if len(set(roles)) < len(roles):
        return {}
    specs = [replace(output, name=role) for output, role in zip(described.outputs, roles, strict=True)]
    back = {role: output.name for role, output in zip(roles, described.outputs, strict=True)}
    found = matching.matches(specs, {})
    return {
        back[role]: replace(match, weight=None if match.weight is None else back[match.weight])
        for role, match in found.items()
    }


def output_ranges(
    engine: Engine, spec: InputSpec, images: np.ndarray, matched: Mapping[str, Match]
) -> dict[str, tuple[float, float]]:
    """The range of each output that needs another than its lowest and highest value; none where none does.

    Args:
        engine: with the float model.
        spec: of its input.
        images: uint8 (N, H, W, C), prepared.
        matched: what its outputs are.
    """
    from handlens_export.ranges import OutputRanges

    bounded = set(matching.bounded(matched))
    if not bounded:
        return {}
    outputs, found = OutputRanges({name: name for name in matched}, matched), dict[str, tuple[float, float]]()
    for start in range(0, len(images), BATCH):
        batch = answers(engine, spec, images[start : start + BATCH])
        outputs.look(batch)
        for name, values in batch.items():
            low, high = found.get(name, (0.0, 0.0))
            found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return {name: ends for name, ends in outputs.bounded(found).items() if name in bounded}
