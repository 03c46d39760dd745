"""What a network costs LiteRT, as a number that does not depend on who else uses the machine.

The unit is a multiply-add of a pointwise int8 convolution. Measured on one core of an x86-64 server with ai-edge-litert
2.3 (XNNPACK), over the shapes of Lite0 at 160x80: such a convolution takes 2.5 ns a thousand, and 0.07 ns more for each
value that it writes; a depthwise one 20 to 28 ns a thousand. A model of these alone predicts which block is dear, which
counting multiply-adds does not: a depthwise convolution has a twentieth of them, and takes a third of the time.
"""

from collections.abc import Callable, Mapping

import numpy as np

from handlens_export.channels import MIXERS, Channels
from handlens_export.graph import Graph, Node, Value

DEPTHWISE = 10.0
WRITTEN = 30.0


def cost(graph: Graph) -> float:
    """The cost of a network, in multiply-adds of a pointwise convolution."""
    return sum(_cost(node, _last(node.inputs[0]), _last(node.output)) for node in _counted(graph))


def cost_of_widths(graph: Graph, channels: Channels) -> Callable[[Mapping[str, int]], float]:
    """A function from how many channels of each group are left (all of them where none is given) to the cost."""
    place = {int(i): group.name for group in channels.groups for i in group.ids}

    def counted(value: Value) -> tuple[int, dict[str, int]]:
        names = [place.get(int(i), "") for i in channels.ids[value]]
        return names.count(""), {name: names.count(name) for name in set(names) - {""}}

    sizes = {group.name: len(group.ids) for group in channels.groups}
    terms = [(node, counted(node.inputs[0]), counted(node.output)) for node in _counted(graph)]

    def width(count: tuple[int, dict[str, int]], widths: Mapping[str, int]) -> float:
        # A flat vector has each channel several times: `n` of them for `sizes[name]` channels.
        return count[0] + sum(n * widths.get(name, sizes[name]) / sizes[name] for name, n in count[1].items())

    return lambda widths: sum(_cost(node, width(a, widths), width(b, widths)) for node, a, b in terms)


def _counted(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.cls.__name__ in (*MIXERS, "DepthwiseConv2D")]


def _last(value: Value) -> float:
    return value.shape[-1] or 0


def _cost(node: Node, width_in: float, width_out: float) -> float:
    kind = node.cls.__name__
    shape = node.inputs[0].shape if kind == "Conv2DTranspose" else node.output.shape
    positions = float(np.prod([n or 1 for n in shape[:-1]]))
    taps = 1.0 if kind == "Dense" else float(np.prod(node.config["kernel_size"]))
    written = WRITTEN * width_out * float(np.prod([n or 1 for n in node.output.shape[:-1]]))
    if kind == "DepthwiseConv2D":
        return DEPTHWISE * positions * taps * width_out + written
    return positions * taps * width_in * width_out + written
