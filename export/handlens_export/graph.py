"""A network as a flat list of layer calls, which can be rewritten: the form every compression step takes and gives.

`trace` reads a Keras functional model (nested models are flattened), `build` makes a fresh Keras model from the list.
Works on every Keras 3 backend.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from handlens.errors import RunError

Weights = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor between two layer calls; identity is what counts. The shape is without the batch."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One call of a layer.

    Attributes:
        name: unique in its graph.
        cls: the layer's class.
        config: that makes the layer, through `cls.from_config`.
        weights: float arrays in the order of `layer.get_weights()`.
        args: positional arguments, with `Value` where a tensor goes.
        kwargs: keyword arguments, likewise.
        output: the tensor it makes.
        operation: a stateless Keras operation to call instead of a layer.
    """

    name: str
    cls: type
    config: dict[str, Any] = field(default_factory=dict)
    weights: Weights = ()
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    output: Value
    operation: Any = None

    @property
    def inputs(self) -> tuple[Value, ...]:
        """Every tensor it reads."""
        return tuple(x for x in keras.tree.flatten((self.args, self.kwargs)) if isinstance(x, Value))

    def rewired(self, swap: Mapping[Value, Value]) -> "Node":
        """The same call, reading other tensors."""
        args, kwargs = keras.tree.map_structure(
            lambda x: swap.get(x, x) if isinstance(x, Value) else x, (self.args, self.kwargs)
        )
        return replace(self, args=args, kwargs=kwargs)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: its inputs by name, its calls in an order that can run, its outputs by name."""

    inputs: dict[str, Value]
    nodes: tuple[Node, ...]
    outputs: dict[str, Value]

    def uses(self) -> Counter[Value]:
        """How many calls (and outputs of the network) read each tensor."""
        counts = Counter(value for node in self.nodes for value in node.inputs)
        counts.update(self.outputs.values())
        return counts

    def with_weights(self, weights: Mapping[str, Weights]) -> "Graph":
        """The same network with the named calls' weights replaced."""
        return replace(
            self, nodes=tuple(replace(n, weights=weights[n.name]) if n.name in weights else n for n in self.nodes)
        )

    def parameters(self) -> int:
        """The count of all weights."""
        return sum(array.size for node in self.nodes for array in node.weights)


def trace(model: Any, outputs: Sequence[str]) -> Graph:
    """Reads a Keras functional model.

    Args:
        model: Keras functional model; a dict of outputs keeps its names.
        outputs: names for the outputs of a model that does not name them.

    Raises:
        RunError: the model is not a functional one, or a layer has several outputs.
    """
    if not hasattr(model, "_nodes_by_depth"):
        raise RunError(
            f"the model {model.name!r} is no Keras functional model; build it with keras.Model(inputs, outputs)"
        )
    values = {id(x): Value(tuple(x.shape[1:]), str(x.dtype)) for x in model.inputs}
    inputs = {x.name: values[id(x)] for x in model.inputs}
    nodes: list[Node] = []
    _emit(model, values, nodes)
    named = model.output if isinstance(model.output, dict) else dict(zip(outputs, model.outputs, strict=True))
    return Graph(inputs, tuple(unique_names(nodes)), {name: values[id(x)] for name, x in named.items()})


def build(graph: Graph, *, batch: int | None = None, name: str = "network") -> Any:
    """Makes a Keras model with its own layers and the graph's weights; its outputs are a dict."""
    return build_reading(graph, graph.outputs, batch=batch, name=name)


def build_reading(
    graph: Graph, outputs: Mapping[str, Value], *, batch: int | None = None, name: str = "network"
) -> Any:
    """Like `build`, with any tensors of the graph as the outputs."""
    tensors: dict[Value, Any] = {
        value: keras.Input(batch_shape=(batch, *value.shape), dtype=value.dtype, name=key)
        for key, value in graph.inputs.items()
    }
    layers = []
    for node in graph.nodes:
        layer = node.operation or node.cls.from_config({**node.config, "name": node.name})
        args, kwargs = keras.tree.map_structure(
            lambda x: tensors[x] if isinstance(x, Value) else x, (node.args, node.kwargs)
        )
        tensors[node.output] = layer(*args, **kwargs)
        layers.append((node, layer))
    model = keras.Model(
        [tensors[v] for v in graph.inputs.values()], {k: tensors[v] for k, v in outputs.items()}, name=name
    )
    for node, layer in layers:
        if node.weights:
            layer.set_weights(node.weights)
    return model


def _emit(model: Any, values: dict[int, Value], nodes: list[Node]) -> None:
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for call in model._nodes_by_depth[depth]:
            if call.is_input:
                continue
            operation = call.operation
            inner = getattr(operation, "_functional", operation)  # Sequential keeps its functional model there.
            if hasattr(inner, "_nodes_by_depth"):
                for x, y in zip(inner.inputs, call.input_tensors, strict=True):
                    values[id(x)] = values[id(y)]
                _emit(inner, values, nodes)
                for x, y in zip(call.outputs, inner.outputs, strict=True):
                    values[id(x)] = values[id(y)]
                continue
            nodes.append(_node(call, operation, values))


def _node(call: Any, operation: Any, values: dict[int, Value]) -> Node:
    if len(call.outputs) != 1:
        raise RunError(f"layer {operation.name!r} has {len(call.outputs)} outputs; export takes layers with one")
    (output,) = call.outputs
    values[id(output)] = value = Value(tuple(output.shape[1:]), str(output.dtype))
    args, kwargs = call.arguments.convert(lambda x: values[id(x)] if isinstance(x, keras.KerasTensor) else x)
    kwargs = {k: v for k, v in kwargs.items() if k != "training"}
    if isinstance(operation, keras.Layer):
        return Node(
            name=operation.name,
            cls=type(operation),
            config=operation.get_config(),
            weights=tuple(operation.get_weights()),
            args=args,
            kwargs=kwargs,
            output=value,
        )
    return Node(name=operation.name, cls=type(operation), args=args, kwargs=kwargs, output=value, operation=operation)


def unique_names(nodes: Iterable[Node]) -> Iterable[Node]:
    """Yields the calls, those with a taken name renamed."""
    seen: set[str] = set()
    for node in nodes:
        name, count = node.name, 1
        while name in seen:
            name, count = f"{node.name}_{count}", count + 1
        seen.add(name)
        yield node if name == node.name else replace(node, name=name)
