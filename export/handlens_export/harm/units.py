"""The units of a Keras network, and the same network with some of them in float: what a mixed file is simulated by.

A unit is a call that gets a range of its own (`ranges.places`) with what is fused into it: the convolution before a
relu, the heads that a concatenation joins. A call whose output shares its input's scale (padding, pooling by maximum,
reshaping) belongs to the unit that made its input.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from handlens_export import compressed, ranges
from handlens_export.graph import Graph, Node, Value
from handlens_export.harm.lane import Unit


def owners(graph: Graph) -> dict[str, str]:
    """The unit that each call belongs to, both by name; what only moves the network's input belongs to none.

    Args:
        graph: as `for_inference` gives it.
    """
    places, makers = set(ranges.places(graph)), {node.output: node for node in graph.nodes}
    readers: dict[Value, Node] = {value: node for node in graph.nodes for value in node.inputs}
    found: dict[str, str] = {}
    for node in reversed(graph.nodes):  # what is fused into a later call is of that call's unit
        if node.name in places:
            found[node.name] = node.name
        elif not ranges.keeps_scale(node):
            reader = readers[node.output]
            while ranges.keeps_scale(reader):
                reader = readers[reader.output]
            found[node.name] = found[reader.name]
    for node in graph.nodes:
        before = makers.get(node.inputs[0]) if node.inputs else None
        if node.name not in found and before is not None and before.name in found:
            found[node.name] = found[before.name]
    return found


def members(graph: Graph) -> dict[str, tuple[Node, ...]]:
    """The calls of each unit, by its name, units in order of execution."""
    mine, found = owners(graph), dict[str, tuple[Node, ...]]()
    for node in graph.nodes:
        if node.name in mine:
            found[mine[node.name]] = (*found.get(mine[node.name], ()), node)
    return found


def units(graph: Graph) -> tuple[Unit, ...]:
    """The units of a network in order of execution."""
    return tuple(
        Unit(name, _kind(nodes), sum(array.size for node in nodes for array in node.weights))
        for name, nodes in members(graph).items()
    )


def _kind(nodes: tuple[Node, ...]) -> str:
    """The class of the call with the most weights; without any, of the last that is no reshape or padding."""
    heavy = max(nodes, key=lambda node: sum(array.size for array in node.weights))
    if not heavy.weights:
        heavy = next((node for node in reversed(nodes) if not ranges.keeps_scale(node)), nodes[0])
    activation = heavy.config.get("activation") if heavy.cls.__name__ == "Activation" else None
    return activation if isinstance(activation, str) else heavy.cls.__name__


def kernel_levels(graph: Graph, floats: Collection[str]) -> dict[str, int]:
    """The steps of every kernel that is int8, by call, as `compressed.trainable` takes them."""
    mine = owners(graph)
    return {name: steps for name, steps in compressed.kernel_levels(graph, "int8").items() if mine[name] not in floats}


def with_fake_quant(graph: Graph, found: Mapping[str, tuple[float, float]], floats: Collection[str]) -> Graph:
    """The network with rounding simulated wherever int8 is read: none at all inside a run of float units.

    Args:
        graph: as `for_inference` gives it.
        found: ranges by place, as `ranges.calibrate` gives them.
        floats: names of the units in float.
    """
    return _Rounding(graph, found, floats).run()


@dataclass
class _Rounding:
    """One pass over the calls in order; what a float unit makes is rounded only where an int8 unit reads it."""

    graph: Graph
    found: Mapping[str, tuple[float, float]]
    floats: Collection[str]

    def run(self) -> Graph:
        graph, mine = self.graph, owners(self.graph)
        self.nodes: list[Node] = []
        rounded: dict[Value, Value] = {}  # for every reader
        edges: dict[Value, Value] = {}  # for int8 readers
        maker = {node.output: mine.get(node.name, "") for node in graph.nodes}
        for name, value in graph.inputs.items():
            rounded[value] = self._round(name, name, value)
        for node in graph.nodes:
            if mine.get(node.name) not in self.floats:
                for value in node.inputs:
                    unit = maker.get(value, "")
                    if unit in self.floats and value not in edges:
                        edges[value] = self._round(f"{unit}_for_{node.name}", unit, value)
                self.nodes.append(node.rewired({**rounded, **edges}))
            else:
                self.nodes.append(node.rewired(rounded))
            if mine.get(node.name) == node.name and node.name not in self.floats:
                rounded[node.output] = self._round(node.name, node.name, node.output)
        outputs = {name: rounded.get(value, value) for name, value in graph.outputs.items()}
        return replace(graph, nodes=tuple(self.nodes), outputs=outputs)

    def _round(self, name: str, place: str, value: Value) -> Value:
        made = Value(value.shape, value.dtype)
        self.nodes.append(ranges.fake_quant(name, self.found[place], value, made))
        return made
