"""Kernels rounded to few steps so that what the layers give changes least: what int4 needs and int8 does not.

Layer by layer, from the first to the last, each convolution first gets the weights that give what it gave from what it
reads now that the layers before it are rounded (least squares, as in `channel_repair`). Then its weights are rounded
one input after another, and those still to come make up for the error (Frantar and Alistarh 2022, "Optimal Brain
Compression"; in one order for all outputs as in GPTQ, Frantar et al. 2023). The bias comes last and is not rounded.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from handlens_export import channel_repair as repair
from handlens_export.graph import Graph, Node, Weights

_CUTS = np.linspace(1.0, 0.5, 26)  # of the largest weight of an output: one large weight costs all others
_DAMPING = 0.01  # of the mean diagonal
_IMAGES = 512
_PRUNED = 0.02  # zeros beyond this fraction are on purpose
_BLOCK = 128  # inputs that are rounded before all the others learn of it


def enough(graph: Graph) -> int:
    """How many images to round on: few are fitted by heart, and the tensors of too many have no room."""
    return min(_IMAGES, repair.room(graph))


def rounded(graph: Graph, levels: Mapping[str, int], images: np.ndarray, seed: int) -> Graph:
    """The network with some kernels on a grid of a few steps up and down, one scale an output channel.

    Weights that are zero stay zero. The largest weight of an output is on the outermost step, so that it tells the
    scale. A convolution that reads too many values to solve for is rounded to the nearest.

    Args:
        graph: as `for_inference` gives it.
        levels: steps up and down of the kernels of Conv2D calls, by call; others stay as they are.
        images: (N, H, W, C) float32, scaled; see `enough`.
        seed: of the positions that are looked at.
    """
    random = np.random.default_rng(seed)
    parent, child = repair.Run(graph, images), repair.Run(graph, images)
    weights: dict[str, Weights] = {}
    for node in graph.nodes:
        new = node
        if node.name in levels:
            theirs, mine = (run.values[node.inputs[0]] for run in (parent, child))
            weights[node.name] = _rounded(node, theirs, mine, levels[node.name], random)
            new = replace(node, weights=weights[node.name])
        parent.step(node)
        child.step(new)
    return graph.with_weights(weights)


def _rounded(node: Node, theirs: np.ndarray, mine: np.ndarray, levels: int, random: np.random.Generator) -> Weights:
    start = repair.as_matrix(node, node.weights)
    if not repair.fits(node):
        scale = _scale(start[:-1], np.ones(len(start) - 1), levels)
        start[:-1] = np.clip(np.round(start[:-1] / scale), -levels, levels) * scale
        return repair.from_matrix(node, start)
    chosen = repair.positions(node, random)
    x = repair.features(node, mine, chosen).astype(np.float64)
    gram = x.T @ x / len(x)
    kernel = start[:-1]
    if np.mean(kernel == 0) < _PRUNED:
        missing = (repair.features(node, theirs, chosen).astype(np.float64) - x) @ start
        start = start + np.linalg.solve(gram + repair.ridge(gram) * np.eye(len(gram)), x.T @ missing / len(x))
    return repair.from_matrix(node, _solved(start, gram, levels))


def _solved(weights: np.ndarray, gram: np.ndarray, levels: int) -> np.ndarray:
    """(F, O) weights on the grid but for the last row, the bias; `gram` (F, F) are the moments of what they read."""
    found, count = weights.copy(), len(weights) - 1
    scale = _scale(weights[:-1], np.diag(gram)[:-1], levels)
    outermost = np.abs(weights[:-1]).argmax(axis=0)
    zero = weights == 0
    # The inputs that carry most are rounded first, when there are most others to make up for it.
    order = np.append(np.argsort(-np.diag(gram)[:-1], kind="stable"), count)
    damped = gram + _DAMPING * np.trace(gram) / len(gram) * np.eye(len(gram)) + 1e-12 * np.eye(len(gram))
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = found[order]
    for begin in range(0, count, _BLOCK):
        end = min(begin + _BLOCK, count)
        errors = np.zeros((end - begin, weights.shape[1]))
        for row in range(begin, end):
            steps = np.clip(np.round(left[row] / scale), -levels, levels)
            at_end = outermost == order[row]
            steps = np.where(at_end, levels * np.sign(weights[order[row]]), steps)
            steps[zero[order[row]]] = 0
            error = (left[row] - steps * scale) / upper[row, row]
            left[row] = steps * scale
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], error)
            errors[row - begin] = error
        left[end:] -= upper[begin:end, end:].T @ errors
    found[order] = left
    return found


def _scale(kernel: np.ndarray, energy: np.ndarray, levels: int) -> np.ndarray:
    """(O,) the step of each output with the least squared error of (F, O) weights, each times its input's energy."""
    whole = np.maximum(np.abs(kernel).max(axis=0), 1e-8) / levels
    best, least = whole, np.full(whole.shape, np.inf)
    for cut in _CUTS:
        scale = whole * cut
        error = kernel - np.clip(np.round(kernel / scale), -levels, levels) * scale
        harm = (energy[:, None] * error**2).sum(axis=0)
        best, least = np.where(harm < least, scale, best), np.minimum(harm, least)
    return np.asarray(best)
