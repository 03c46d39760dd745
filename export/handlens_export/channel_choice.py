"""Which channels to remove: those whose loss the rest can make good, and first where they cost the most time.

Within a group it is the Optimal Brain Surgeon (Hassibi and Stork 1993), a channel at a time: the one goes whose
removal, after the next convolutions are refitted, changes their outputs least, so one of two that say the same goes
and the other stays. Between groups it is the distance to the parent's outputs that counts, measured with each group
alone made narrower, against the time that it saves (as ZipLM does it, Kurtic et al. 2023).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from handlens_export.channel_repair import Run, Table, few_enough, fits, from_matrix, ridge, table
from handlens_export.channels import Channels, Group
from handlens_export.graph import Graph, Weights

MULTIPLE = 8  # widths stay multiples of it: LiteRT's kernels work on 8 or 16 channels at a time
LEAST = 8  # channels of a group that stay
LOOKS = (0.75, 0.5, 0.25)  # of a group's channels, where the harm is measured
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Order:
    """The channels of a group in the order in which they go.

    Attributes:
        group: the group.
        gone: (C,) int, first to go first; the last `LEAST` never do.
        errors: (C + 1,) the share of the next convolutions' variance that is lost with so many gone, rising from 0.
    """

    group: Group
    gone: np.ndarray
    errors: np.ndarray


def removable(graph: Graph, channels: Channels) -> tuple[Group, ...]:
    """The groups that may get narrower: two multiples wide at least, and read by what can be refitted alone."""
    nodes = {node.name: node for node in graph.nodes}
    return tuple(
        group
        for group in channels.groups
        if len(group.ids) >= LEAST + MULTIPLE and group.readers and all(fits(nodes[name]) for name in group.readers)
    )


def tables(
    graph: Graph, channels: Channels, groups: Sequence[Group], images: np.ndarray, seed: int
) -> dict[str, Table]:
    """What every reader of the groups reads on the images, (N, H, W, C) float32, scaled; by call."""
    wanted, random = {name for group in groups for name in group.readers}, np.random.default_rng(seed)
    return {
        node.name: table(node, x, channels.ids[node.inputs[0]], random)
        for node, x in Run(graph, few_enough(graph, images)).walk(graph)
        if node.name in wanted
    }


def order(group: Group, known: Mapping[str, Table]) -> Order:
    """The order in which a group's channels go, one at a time."""
    surgeons = [_Surgeon(known[name], group.ids) for name in group.readers]
    left, gone, errors = np.ones(len(group.ids), bool), [], [0.0]
    while left.sum() > LEAST:
        scores = sum(surgeon.scores(left) for surgeon in surgeons)
        index = int(np.argmin(np.where(left, scores, np.inf)))
        errors.append(errors[-1] + max(float(np.asarray(scores)[index]), 0.0))
        for surgeon in surgeons:
            surgeon.remove(index)
        left[index] = False
        gone.append(index)
    return Order(group, group.ids[[*gone, *np.flatnonzero(left)]], np.array(errors + [np.inf] * LEAST))


class _Surgeon:
    """One reader's inverse moments and weights while channels go: block Gauss elimination, float64."""

    def __init__(self, found: Table, ids: np.ndarray) -> None:
        size = len(found.gram)
        self.inverse = np.linalg.inv(found.gram + ridge(found.gram) * np.eye(size))
        self.weights, self.energy = found.weights.copy(), found.energy
        # The features of each channel: one a tap, or none where another reader alone reads it.
        self.blocks = [np.flatnonzero(found.features == channel) for channel in ids]

    def scores(self, left: np.ndarray) -> np.ndarray:
        """(C,) the share of the variance that each channel's removal costs."""
        found = np.zeros(len(left))
        if all(len(block) == 1 for block in self.blocks):
            at = np.concatenate(self.blocks)
            diagonal = np.maximum(self.inverse[at, at], _TINY)
            return np.asarray(np.sum(self.weights[at] ** 2, axis=1) / diagonal / self.energy)
        for index in np.flatnonzero(left):
            block = self.blocks[index]
            if len(block):
                weights = self.weights[block]
                solved = np.linalg.solve(self.inverse[np.ix_(block, block)], weights)
                found[index] = float(np.sum(weights * solved)) / self.energy
        return found

    def remove(self, index: int) -> None:
        """Takes a channel out; the others take over what they can."""
        block = self.blocks[index]
        if not len(block):
            return
        column = self.inverse[:, block]
        solved = np.linalg.solve(self.inverse[np.ix_(block, block)], np.concatenate([column.T, self.weights[block]], 1))
        size = len(self.inverse)
        self.inverse -= column @ solved[:, :size]
        self.weights -= column @ solved[:, size:]
        self.inverse[block, block] = 1.0  # what is gone has no weight, and is never asked for again
        self.weights[block] = 0.0


def harms(
    graph: Graph,
    orders: Sequence[Order],
    known: Mapping[str, Table],
    distance: Callable[[Mapping[str, Weights]], float],
) -> dict[str, np.ndarray]:
    """How far each group alone, with so many of its channels gone, moves the network from its parent.

    Args:
        graph: the network.
        orders: of its groups.
        known: what their readers read.
        distance: of the network with the given calls' weights in place of its own, to what it gives with its own.

    Returns:
        (C + 1,) by group, rising; between the widths that were measured it follows the group's own errors.
    """
    nodes = {node.name: node for node in graph.nodes}
    found = {}
    for item in orders:
        sizes, measured = [0], [0.0]
        for share in LOOKS:
            count = _whole(len(item.gone), len(item.gone) * (1 - share))
            if count > sizes[-1]:
                weights = {
                    name: from_matrix(
                        nodes[name], known[name].refitted(~np.isin(known[name].features, item.gone[:count]))
                    )
                    for name in item.group.readers
                }
                sizes.append(count)
                measured.append(max(distance(weights), measured[-1]))
        errors = item.errors[np.isfinite(item.errors)]
        at = errors[sizes]
        # Beyond the last look the harm goes on with the error, as steeply as up to it.
        steep = measured[-1] / max(at[-1], _TINY)
        curve = np.interp(errors, at, measured) + np.maximum(errors - at[-1], 0) * steep
        found[item.group.name] = np.concatenate([curve, np.full(len(item.errors) - len(curve), np.inf)])
    return found


def widths(
    orders: Sequence[Order],
    harm: Mapping[str, np.ndarray],
    cost: Callable[[Mapping[str, int]], float],
    budget: float,
) -> dict[str, int]:
    """How many channels of each group stay so that the network costs `budget` at most; all that may go if it cannot.

    The steps with the least harm for the cost they save are taken until it does; a step may be several multiples long,
    so that a dear one does not hide the cheap ones behind it.
    """
    chosen = {item.group.name: len(item.gone) for item in orders}
    while cost(chosen) > budget * (1 + 1e-9):
        best: tuple[float, str, int] | None = None
        now = cost(chosen)
        for item in orders:
            name, size = item.group.name, len(item.gone)
            step = chosen[name] - _down(chosen[name])
            while (left := chosen[name] - step) >= LEAST:
                saved = now - cost({**chosen, name: left})
                rate = (harm[name][size - left] - harm[name][size - chosen[name]]) / max(saved, _TINY)
                if best is None or rate < best[0]:
                    best = (rate, name, left)
                step += MULTIPLE
        if best is None:
            break
        chosen[best[1]] = best[2]
    return chosen


def _down(width: int) -> int:
    """The next multiple below."""
    return (width - 1) // MULTIPLE * MULTIPLE


def _whole(size: int, count: float) -> int:
    """So many to remove, or a little fewer, that what stays is a multiple."""
    left = -(-int(size - count) // MULTIPLE) * MULTIPLE
    return max(0, size - max(left, LEAST))
