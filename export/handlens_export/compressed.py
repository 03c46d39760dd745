"""The trainable form of a network under compression, and the way back to plain weights."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handlens_export.graph import Graph, Node, Weights, build
from handlens_export.layers import (
    INT4,
    INT8,
    Compressed,
    CompressedConv2D,
    CompressedConv2DTranspose,
    CompressedDepthwiseConv2D,
)

PRUNABLE = ("Conv2D", "Dense")
_TRAINABLE = {
    "Conv2D": CompressedConv2D,
    "DepthwiseConv2D": CompressedDepthwiseConv2D,
    "Conv2DTranspose": CompressedConv2DTranspose,
}


def prunable(graph: Graph) -> dict[str, np.ndarray]:
    """The kernels that pruning may touch, by call: those of convolutions and dense layers.

    Depthwise kernels are left alone on purpose: they are under a tenth of the weights, and a channel has but 9 to 25 of
    them, so zeroing half costs far more accuracy than it saves bytes. So are those of transposed convolutions, which
    draw a mask's outline and are few in a light decoder. Biases are no kernels.
    """
    return {node.name: node.weights[0] for node in graph.nodes if node.cls.__name__ in PRUNABLE and node.weights}


def zero_fraction(graph: Graph) -> float:
    """The fraction of prunable weights that are zero, 0..1."""
    kernels = prunable(graph).values()
    total = sum(kernel.size for kernel in kernels)
    return sum(int((kernel == 0).sum()) for kernel in kernels) / total if total else 0.0


def masks(graph: Graph) -> dict[str, np.ndarray]:
    """0 where a prunable weight is zero, else 1, by call, as `trainable` takes it: what is zero stays so."""
    return {name: (kernel != 0).astype(np.float32) for name, kernel in prunable(graph).items()}


def kernel_levels(graph: Graph, arithmetic: str) -> dict[str, int]:
    """How many steps up and down a kernel has, by call, as `trainable` takes it.

    In an int4 file depthwise, grouped and transposed convolutions stay int8: they are few, and a channel of nine
    weights has none to make up for another's error.
    """

    def levels(node: Node) -> int:
        whole = node.cls.__name__ in PRUNABLE and node.config.get("groups", 1) == 1
        return INT4 if arithmetic in ("int4", "int4in8") and whole else INT8

    return {node.name: levels(node) for node in graph.nodes if node.cls.__name__ in _TRAINABLE}


def trainable(graph: Graph, masks: Mapping[str, np.ndarray], levels: Mapping[str, int], *, name: str) -> Any:
    """A Keras model whose convolutions mask, and perhaps fake-quantize, their kernels.

    Args:
        graph: as `for_inference` gives it, perhaps with fake-quantized tensors.
        masks: 0 and 1 by call; a call without one keeps all its weights.
        levels: steps up and down of the kernels that are quantized, by call; a call without one stays in float.
        name: of the model.
    """

    def node_for(node: Node) -> Node:
        cls = _TRAINABLE.get(node.cls.__name__)
        if cls is None:
            return node
        kernel, bias = node.weights
        mask = np.asarray(masks.get(node.name, np.ones_like(kernel)), np.float32)
        return replace(
            node, cls=cls, config={**node.config, "levels": levels.get(node.name, 0)}, weights=(kernel, bias, mask)
        )

    return build(replace(graph, nodes=tuple(node_for(node) for node in graph.nodes)), name=name)


def plain_weights(model: Any) -> dict[str, Weights]:
    """The masked, not quantized, kernels and the biases of a `trainable` model, by call."""
    return {
        layer.name: (layer.plain_kernel(), np.asarray(layer.get_weights()[1]))
        for layer in model.layers
        if isinstance(layer, Compressed)
    }
