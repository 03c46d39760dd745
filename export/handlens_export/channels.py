"""Which channels of a network belong together, and the network without some of them.

A channel is made by one filter of a convolution and goes on through everything that works channel by channel:
activations, padding, pooling, a depthwise convolution (whose kernel of that channel goes with it), the gate of a
squeeze-excite, reshaping into a flat vector. It ends where a convolution mixes it with others. Removing it removes
the filter, the depthwise kernel and the columns that read it, so the network is smaller, with no zeros in it.

Channels that the network must keep: those of its inputs and outputs, those that an addition joins (a residual width is
shared by every block of its stage), and those that a layer which is not known here reads or makes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from handlens_export.graph import Graph, Node, Value, Weights

MIXERS = ("Conv2D", "Conv2DTranspose", "Dense")
"""Layers whose every output channel reads every input channel."""
_ALONG = {
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Cropping2D",
    "ELU",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "LeakyReLU",
    "MaxPooling2D",
    "NearestUpsample",
    "PReLU",
    "ReLU",
    "UpSampling2D",
    "ZeroPadding2D",
}
_OUT_AXIS = {"Conv2D": 3, "Conv2DTranspose": 2, "Dense": 1}
_IN_AXIS = {"Conv2D": 2, "Conv2DTranspose": 3, "Dense": 0}


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that compete with each other: those of one convolution, or of several whose channels are tied.

    Attributes:
        name: of the first convolution that makes them.
        ids: (C,) int, of the channels that can be removed.
        readers: the calls that mix them.
    """

    name: str
    ids: np.ndarray
    readers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of a graph.

    Attributes:
        ids: (C,) int of each tensor, along its last axis; the same number is the same channel. A flat vector names a
            channel as often as it has positions.
        groups: those that can be removed, in the order of the graph.
    """

    ids: Mapping[Value, np.ndarray]
    groups: tuple[Group, ...]


def channels_of(graph: Graph) -> Channels:
    """Follows every channel through the network.

    Args:
        graph: as `for_inference` gives it.
    """
    return _Tracer(graph).run()


def without(graph: Graph, gone: Iterable[int], ids: Mapping[Value, np.ndarray]) -> Graph:
    """The network without some channels.

    Args:
        graph: as `for_inference` gives it.
        gone: the channels to remove, all of them out of `Channels.groups`.
        ids: of the graph's channels.
    """
    removed = np.fromiter(gone, int)
    keep = {value: ~np.isin(channels, removed) for value, channels in ids.items()}
    return resized(graph, {node.name: _sliced(node, keep) for node in graph.nodes if node.weights})


def resized(graph: Graph, weights: Mapping[str, Weights]) -> Graph:
    """The same calls with weights of other widths; layers and shapes follow from the weights.

    Args:
        graph: whose calls to repeat.
        weights: of every call that has some.
    """
    tensors = {v: keras.Input(v.shape, dtype=v.dtype, name=key) for key, v in graph.inputs.items()}
    swap: dict[Value, Value] = {}
    nodes = []
    for old in graph.nodes:
        node = replace(old.rewired(swap), weights=weights.get(old.name, old.weights))
        node = replace(node, config=_fitted(node))
        layer = node.operation or node.cls.from_config({**node.config, "name": node.name})
        args, kwargs = keras.tree.map_structure(
            lambda x: tensors[x] if isinstance(x, Value) else x, (node.args, node.kwargs)
        )
        made = layer(*args, **kwargs)
        swap[old.output] = output = Value(tuple(made.shape[1:]), old.output.dtype)
        tensors[output] = made
        nodes.append(replace(node, output=output))
    return Graph(graph.inputs, tuple(nodes), {name: swap.get(value, value) for name, value in graph.outputs.items()})


def _fitted(node: Node) -> dict[str, Any]:
    """The call's config for the widths of its weights and of what it reads."""
    kind, config = node.cls.__name__, node.config
    if kind in _OUT_AXIS:
        return {**config, "units" if kind == "Dense" else "filters": node.weights[0].shape[_OUT_AXIS[kind]]}
    if kind == "Reshape":
        shape = node.inputs[0].shape
        *lead, last = config["target_shape"]
        if None not in shape and last != -1 and -1 not in lead:
            size = int(np.prod([n for n in shape if n is not None]))
            return {**config, "target_shape": (*lead, size // int(np.prod(lead)))}
    return config


def _sliced(node: Node, keep: Mapping[Value, np.ndarray]) -> Weights:
    kind = node.cls.__name__
    kept = [keep.get(x) for x in node.inputs]
    if kind in MIXERS:
        kernel, *bias = node.weights
        kernel = kernel.compress(kept[0], _IN_AXIS[kind]) if kept[0] is not None else kernel
        out = keep[node.output]
        return (kernel.compress(out, _OUT_AXIS[kind]), *(array[out] for array in bias))
    if kind == "DepthwiseConv2D" and kept[0] is not None:
        kernel, *bias = node.weights
        return (kernel.compress(kept[0], 2), *(array[keep[node.output]] for array in bias))
    if kind in _ALONG and kept[0] is not None:
        return tuple(array.compress(kept[0], array.ndim - 1) for array in node.weights)
    return node.weights


class _Tracer:
    """Numbers the channels of every tensor; `tied` leads from a number to that of the same channel, -1 is the root."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ids: dict[Value, np.ndarray] = {}
        self.tied: list[int] = []
        self.fixed: set[int] = set()
        self.reads: list[tuple[str, np.ndarray]] = []
        self.makes: list[tuple[str, np.ndarray]] = []

    def run(self) -> Channels:
        for value in self.graph.inputs.values():
            self.keep(self.fresh(value))
        for node in self.graph.nodes:
            if any(not x.shape or x.shape[-1] is None for x in (*node.inputs, node.output)) or not node.inputs:
                self.unknown(node)
            else:
                self.call(node)
        for value in self.graph.outputs.values():
            self.keep(self.ids[value])
        roots = np.array([self.root(i) for i in range(len(self.tied))], int)
        return Channels({value: roots[ids] for value, ids in self.ids.items()}, self.groups(roots))

    def call(self, node: Node) -> None:
        kind, first = node.cls.__name__, self.ids[node.inputs[0]]
        last = node.config.get("data_format", "channels_last") == "channels_last"
        rank = len(node.output.shape)
        if not last or node.operation is not None:
            self.unknown(node)
        elif kind in MIXERS and len(node.inputs) == 1 and node.config.get("groups", 1) == 1:
            self.reads.append((node.name, first))
            self.makes.append((node.name, self.fresh(node.output)))
        elif kind == "DepthwiseConv2D":
            self.ids[node.output] = np.repeat(first, node.config["depth_multiplier"])
        elif kind in _ALONG and _by_channel(node, rank):
            self.ids[node.output] = first
        elif kind in ("Flatten", "Reshape") and None not in node.inputs[0].shape:
            self.reshape(node, first)
        elif kind == "Concatenate" and node.config.get("axis") in (-1, rank):
            self.ids[node.output] = np.concatenate([self.ids[x] for x in node.inputs])
        elif kind == "Multiply" and len({len(self.ids[x]) for x in node.inputs}) == 1:
            for x in node.inputs[1:]:
                for a, b in zip(first, self.ids[x], strict=True):
                    self.tie(int(a), int(b))
            self.ids[node.output] = first
        else:
            self.unknown(node)

    def reshape(self, node: Node, first: np.ndarray) -> None:
        """A tensor whose last axis still names a channel at each place, at every position the same."""
        (x,), shape = node.inputs, node.output.shape
        rows = np.broadcast_to(first, x.shape).reshape(-1, shape[-1])
        if None in shape or (rows != rows[0]).any():
            self.unknown(node)
        else:
            self.ids[node.output] = rows[0]

    def unknown(self, node: Node) -> None:
        for x in node.inputs:
            self.keep(self.ids[x])
        self.keep(self.fresh(node.output))

    def fresh(self, value: Value) -> np.ndarray:
        count = value.shape[-1] if value.shape and value.shape[-1] else 0
        self.ids[value] = np.arange(len(self.tied), len(self.tied) + count)
        self.tied += [-1] * count
        return self.ids[value]

    def keep(self, ids: np.ndarray) -> None:
        self.fixed.update(ids.tolist())

    def root(self, channel: int) -> int:
        while self.tied[channel] >= 0:
            channel = self.tied[channel]
        return channel

    def tie(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        if a != b:
            self.tied[max(a, b)] = min(a, b)

    def groups(self, roots: np.ndarray) -> tuple[Group, ...]:
        kept = {int(roots[i]) for i in self.fixed}
        reads = [(name, set(roots[ids].tolist())) for name, ids in self.reads]
        found: list[tuple[str, set[int]]] = []
        for name, ids in self.makes:
            members = set(roots[ids].tolist()) - kept
            for other in [group for group in found if group[1] & members]:
                found.remove(other)
                name, members = other[0], members | other[1]
            if members:
                found.append((name, members))
        return tuple(
            Group(name, np.array(sorted(members)), tuple(reader for reader, ids in reads if ids & members))
            for name, members in found
        )


def _by_channel(node: Node, rank: int) -> bool:
    """Whether a layer of `_ALONG` really leaves channels to themselves."""
    kind = node.cls.__name__
    if kind == "Activation":
        name = node.config.get("activation")
        return isinstance(name, str) and name not in ("softmax", "log_softmax", "glu")
    if kind == "BatchNormalization":
        return node.config.get("axis") in (-1, rank)
    return True
