"""Magnitude pruning in native Keras 3: weights go to zero step by step while the rest learns to do without them.

The sparsity follows the cubic schedule of Zhu and Gupta (2017) and reaches its target exactly, over all prunable
weights together. Which weights go is decided by LAMP (Lee et al. 2021): a weight's square over the sum of squares of
the weights in its layer that are at least as large. It finds each layer's share by itself. Here it scores small runs of
weights, neighbours in the file, because zeros pay off only under compression: scattered ones leave an int8 network of a
million weights at 78% of its gzipped size, runs of four at about 69%. Pruning works on the network with batch
normalisation folded in, so that a magnitude is that of the weight that will be stored.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handlens.manifest import InputSpec
from handlens_export.compressed import plain_weights, prunable, trainable
from handlens_export.distill import Plan, fine_tune
from handlens_export.graph import Graph, build
from handlens_train.exportable import Match

RAMP = 0.6  # of the fine-tuning; the rest is spent at the full sparsity


def sparsity_at(progress: float, target: float) -> float:
    """The cubic schedule: fast at first, when weights are redundant, then ever slower.

    Args:
        progress: of the fine-tuning, 0..1.
        target: sparsity to reach at `RAMP` and hold from there.
    """
    return target * (1 - (1 - min(1.0, progress / RAMP)) ** 3)


def lamp_masks(kernels: Mapping[str, np.ndarray], sparsity: float, block: int = 1) -> dict[str, np.ndarray]:
    """Masks (0 and 1, float32) that zero exactly ceil(sparsity * count) weights of all, lowest LAMP score first.

    Args:
        kernels: by name, (..., in, out) as Keras has them.
        sparsity: fraction of all weights to zero, 0..1.
        block: weights are scored and zeroed in runs of so many along (..., in) of one output; the last run that is
            needed is cut to size, and one at the end of an output may be shorter.
    """
    if not kernels:
        return {}
    runs = [_Runs.of(kernel, block) for kernel in kernels.values()]
    scores = np.concatenate([run.scores().ravel() for run in runs])
    sizes = np.concatenate([run.sizes.ravel() for run in runs])
    # A little slack, so that 0.5 of an even count is not rounded up by a float's last bit.
    count = math.ceil(sparsity * sizes.sum() - 1e-6)
    order = np.argsort(scores, kind="stable")
    ends = np.cumsum(sizes[order])
    whole = int(np.searchsorted(ends, count, side="right"))  # runs that fit
    keep = np.ones(scores.size, bool)
    keep[order[:whole]] = False
    left = count - (int(ends[whole - 1]) if whole else 0)
    masks, start = {}, 0
    for name, run in zip(kernels, runs, strict=True):
        stop = start + run.sizes.size
        cut = int(order[whole]) - start if left and start <= order[whole] < stop else None
        masks[name] = run.mask(keep[start:stop], cut, left)
        start = stop
    return masks


def prune(
    graph: Graph,
    images: Sequence[np.ndarray],
    spec: InputSpec,
    target: float,
    plan: Plan,
    matching: Mapping[str, Match],
    block: int = 1,
) -> Graph:
    """Returns the network with exactly `target` of its prunable weights zero, fine-tuned against itself as it was.

    Args:
        graph: as `for_inference` gives it.
        images: prepared uint8 training images.
        spec: of the input.
        target: fraction of prunable weights to zero, 0..1.
        plan: of the fine-tuning; with 0 steps the weights are cut and nothing is trained.
        matching: how to match each output.
        block: see `lamp_masks`.
    """
    if plan.steps == 0:
        return _cut(graph, target, block)
    student = trainable(graph, {}, {}, name="pruned")
    layers = {name: student.get_layer(name) for name in prunable(graph)}

    reached = False

    def tighten(progress: float) -> None:
        nonlocal reached
        if reached:
            return
        wanted = sparsity_at(progress, target)
        masks = lamp_masks({name: layer.plain_kernel() for name, layer in layers.items()}, wanted, block)
        for name, layer in layers.items():
            layer.mask.assign(masks[name])
        reached = wanted == target

    fine_tune(
        student,
        build(graph, name="parent"),
        images,
        spec,
        plan,
        matching=matching,
        label=f"pruning to {target:.0%}",
        on_pace=tighten,
    )
    trained = graph.with_weights(plain_weights(student))
    return trained if reached else _cut(trained, target, block)  # a time limit may end it before the ramp does


def _cut(graph: Graph, target: float, block: int) -> Graph:
    kernels = prunable(graph)
    masks = lamp_masks(kernels, target, block)
    weights = {n.name: (n.weights[0] * masks[n.name], *n.weights[1:]) for n in graph.nodes if n.name in kernels}
    return graph.with_weights(weights)


@dataclass(frozen=True, slots=True)
class _Runs:
    """A kernel as runs of neighbours in the file, which stores an output's weights together.

    Attributes:
        squares: (out, runs, block) float64, zero where the last run of an output is short.
        sizes: (out, runs) weights in each run.
        shape: of the kernel, output channels first.
    """

    squares: np.ndarray
    sizes: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, kernel: np.ndarray, block: int) -> "_Runs":
        stored = np.moveaxis(kernel, -1, 0)
        rows = np.square(stored.astype(np.float64)).reshape(len(stored), -1)
        count = -(-rows.shape[1] // block)
        padded = np.pad(rows, ((0, 0), (0, count * block - rows.shape[1])))
        sizes = np.full((len(stored), count), block)
        sizes[:, -1] = rows.shape[1] - (count - 1) * block
        return cls(padded.reshape(len(stored), count, block), sizes, stored.shape)

    def scores(self) -> np.ndarray:
        """LAMP of each run's mean square, (out, runs)."""
        means = (self.squares.sum(axis=-1) / self.sizes).ravel()
        order = np.argsort(means, kind="stable")[::-1]
        scores = np.empty_like(means)
        scores[order] = means[order] / np.maximum(np.cumsum(means[order]), np.finfo(np.float64).tiny)
        return scores.reshape(self.sizes.shape)

    def mask(self, keep: np.ndarray, cut: int | None, left: int) -> np.ndarray:
        """The kernel's mask: runs to keep, and `left` weights, the smallest, to zero in the run `cut`."""
        ones = np.repeat(keep, self.squares.shape[-1]).reshape(self.squares.shape).astype(np.float32)
        if cut is not None:
            row, run = divmod(cut, self.sizes.shape[1])
            size = self.sizes[row, run]
            ones[row, run, np.argsort(self.squares[row, run, :size], kind="stable")[:left]] = 0
        rows = ones.reshape(self.shape[0], -1)[:, : int(np.prod(self.shape[1:]))]
        return np.ascontiguousarray(np.moveaxis(rows.reshape(self.shape), 0, -1))
