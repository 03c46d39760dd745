"""Quantization-aware training in native Keras 3: int8 is simulated in the forward pass, int4 kernels likewise.

It starts from post-training quantization (batch norm folded, calibrated ranges), learns by distillation from the float
parent, and ends no further from the parent on held-out training images than it began: else the beginning is returned.
What is simulated is what the converter writes: the trained ranges become the file's scales, which a test holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from handlens.manifest import InputSpec
from handlens_export.compressed import kernel_levels, masks, plain_weights, trainable
from handlens_export.distill import Plan, distance, fine_tune
from handlens_export.graph import Graph, build
from handlens_export.matching import bounded
from handlens_export.ranges import Ranges, trained_ranges, with_fake_quant
from handlens_train.exportable import Match

MOMENTUM = 0.99
ROUNDS = 4  # looks at the held-out images


def quantization_aware(
    graph: Graph,
    teacher: Graph,
    ranges: Mapping[str, tuple[float, float]],
    images: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    spec: InputSpec,
    plan: Plan,
    matching: Mapping[str, Match],
    levels: Mapping[str, int] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
) -> tuple[Graph, Ranges, str]:
    """Fine-tunes weights and ranges for integer arithmetic.

    Args:
        graph: the network to quantize, as `for_inference` gives it; weights that are zero stay zero if it was pruned.
        teacher: the float parent.
        ranges: calibrated, to start from.
        images: prepared uint8 training images.
        held_out: others, to choose the best moment by.
        spec: of the input.
        plan: of the fine-tuning; with 0 steps nothing is trained.
        matching: how to match each output; the ranges of those that are `bounded` stay as they are.
        levels: of the kernels by call, see `compressed.kernel_levels`; None is int8.
        kept: masks by call, where other weights stay zero than those that are.

    Returns:
        The network with its new float weights, its ranges, and a sentence on what was gained.
    """
    if plan.steps == 0:
        return graph, dict(ranges), "nothing fine-tuned (0 steps)"
    levels = kernel_levels(graph, "int8") if levels is None else levels
    student = trainable(
        with_fake_quant(graph, ranges, MOMENTUM, bounded(matching)),
        masks(graph) if kept is None else kept,
        levels,
        name="quantized",
    )
    parent = build(teacher, name="parent")
    first = best = distance(student, parent, held_out, spec, matching)
    found: tuple[Graph, Ranges] = graph, dict(ranges)

    def look() -> None:
        nonlocal best, found
        reached = distance(student, parent, held_out, spec, matching)
        if reached < best:
            best, found = reached, (graph.with_weights(plain_weights(student)), trained_ranges(student))

    fine_tune(
        student,
        parent,
        images,
        spec,
        replace(plan, rounds=ROUNDS),
        matching=matching,
        label="quantization-aware training",
        on_round=look,
    )
    return *found, f"distance to the float parent on held-out training images {first:.5f} before, {best:.5f} after"
