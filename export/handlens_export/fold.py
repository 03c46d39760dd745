"""Rewrites a trained network into what runs on a device: inference layers only, with batch normalisation folded away.

After `for_inference` a network computes the same function with: convolutions that carry a bias and no activation (dense
layers become 1x1 convolutions, so that every engine, old ones included, quantizes them per channel), activations as
calls of their own, nearest upsampling as one operator, no dropout, and no batch normalisation. One that follows no
convolution (a BNNeck) becomes a 1x1 depthwise convolution: a scale and a bias a channel, which int8 represents per
channel too.
"""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from handlens_export.graph import Graph, Node, Value, unique_names
from handlens_export.layers import NearestUpsample

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose")
_TRAINING_ONLY = (
    "Dropout",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
)


def for_inference(graph: Graph) -> Graph:
    """Returns the same function as plain inference layers; see the module's docstring."""
    return _Rewriter(graph).run()


class _Rewriter:
    """One pass over the calls in order; each is dropped, kept, or replaced by calls that are appended to `nodes`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.uses = graph.uses()
        self.nodes: list[Node] = []
        self.swap: dict[Value, Value] = {}  # tensor of the old network -> the one that holds it in the new network
        self.foldable: dict[Value, int] = {}  # output of a convolution with one reader -> its index in `nodes`

    def run(self) -> Graph:
        rules = {
            "BatchNormalization": self.batch_norm,
            "Dense": self.dense,
            "Rescaling": self.rescaling,
            "UpSampling2D": self.upsampling,
            "SeparableConv2D": self.separable,
        }
        for original in self.graph.nodes:
            node = original.rewired(self.swap)
            kind = node.cls.__name__
            if kind in _TRAINING_ONLY or (kind == "Activation" and _activation(node.config) == "linear"):
                self.swap[node.output] = node.inputs[0]
                if node.inputs[0] in self.foldable and self.uses[node.output] != 1:
                    del self.foldable[node.inputs[0]]
            elif kind in CONVOLUTIONS and node.config.get("data_format") == "channels_last":
                self.convolution(node)
            elif kind in rules:
                rules[kind](node)
            else:
                self.nodes.append(node)
        outputs = {name: self.swap.get(value, value) for name, value in self.graph.outputs.items()}
        return Graph(self.graph.inputs, tuple(unique_names(self.nodes)), outputs)

    def convolution(self, node: Node) -> None:
        activation = _activation(node.config)
        kernel, *bias = node.weights
        weights = (kernel, bias[0] if bias else np.zeros(node.output.shape[-1], np.float32))
        plain = replace(node, config=_plain(node.config), weights=weights)
        if activation != "linear":
            middle = Value(node.output.shape)
            self.nodes += [replace(plain, output=middle), _activate(node, middle, activation)]
            return
        if self.uses[node.output] == 1:
            self.foldable[node.output] = len(self.nodes)
        self.nodes.append(plain)

    def dense(self, node: Node) -> None:
        (x,) = node.inputs
        if len(x.shape) != 1:
            self.nodes.append(node)
            return
        kernel, *bias = node.weights
        config = keras.layers.Conv2D(kernel.shape[1], 1).get_config() | {"activation": node.config["activation"]}
        wide = Value((1, 1, kernel.shape[1]))
        self.nodes.append(_reshape(f"{node.name}_in", x, tail := Value((1, 1, kernel.shape[0]))))
        # Reads of the flat output go on; the fold looks through the reshape by way of `foldable` and `swap`.
        convolution = Node(
            name=node.name,
            cls=keras.layers.Conv2D,
            config=config,
            weights=(kernel[None, None], *bias),
            args=(tail,),
            output=wide,
        )
        self.convolution(convolution)
        if self.uses[node.output] == 1 and _activation(config) == "linear":
            self.foldable[node.output] = len(self.nodes) - 1
        self.nodes.append(_reshape(f"{node.name}_out", wide, node.output))

    def separable(self, node: Node) -> None:
        """Two convolutions, so that int8 has a range between them."""
        config = node.config
        depthwise, pointwise, *bias = node.weights
        if config["data_format"] != "channels_last":
            self.nodes.append(node)
            return
        shared = {key: config[key] for key in ("kernel_size", "strides", "padding", "dilation_rate")}
        first = keras.layers.DepthwiseConv2D(**shared, depth_multiplier=config["depth_multiplier"])
        second = keras.layers.Conv2D(config["filters"], 1).get_config() | {"activation": config["activation"]}
        middle = Value((*node.output.shape[:-1], pointwise.shape[2]))
        self.convolution(
            replace(
                node,
                name=f"{node.name}_depthwise",
                cls=keras.layers.DepthwiseConv2D,
                config=first.get_config(),
                weights=(depthwise,),
                output=middle,
            )
        )
        self.convolution(
            replace(
                node,
                cls=keras.layers.Conv2D,
                config=second,
                weights=(pointwise, *bias),
                args=(middle,),
                kwargs={},
            )
        )

    def upsampling(self, node: Node) -> None:
        config, shape = node.config, node.inputs[0].shape
        plain = config["interpolation"] == "nearest" and config["data_format"] == "channels_last"
        if plain and None not in shape:
            node = replace(node, cls=NearestUpsample, config={"size": tuple(config["size"])})
        self.nodes.append(node)

    def batch_norm(self, node: Node) -> None:
        config = dict(node.config)
        rank = len(node.output.shape) + 1
        if config.get("axis") not in (-1, rank - 1) or not isinstance(node.output.shape[-1], int):
            self.nodes.append(node)
            return
        arrays = list(node.weights)
        channels = node.output.shape[-1]
        gamma = arrays.pop(0) if config["scale"] else np.ones(channels, np.float32)
        beta = arrays.pop(0) if config["center"] else np.zeros(channels, np.float32)
        mean, variance = arrays
        scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + config["epsilon"])
        self.affine(node, scale, beta - mean * scale)

    def rescaling(self, node: Node) -> None:
        channels = node.output.shape[-1]
        scale, offset = (np.asarray(node.config[key], np.float64) for key in ("scale", "offset"))
        if (
            len(node.output.shape) not in (1, 3)
            or not isinstance(channels, int)
            or max(scale.size, offset.size) > channels
        ):
            self.nodes.append(node)
            return
        self.affine(node, np.broadcast_to(scale, channels), np.broadcast_to(offset, channels))

    def affine(self, node: Node, scale: np.ndarray, offset: np.ndarray) -> None:
        """Scale and offset a channel: into the convolution before it, or as a depthwise convolution of its own."""
        (x,) = node.inputs
        index = self.foldable.get(x)
        if index is not None:
            before = self.nodes[index]
            kernel, bias = before.weights
            shape = {"DepthwiseConv2D": kernel.shape[-2:], "Conv2DTranspose": (-1, 1)}.get(before.cls.__name__, (-1,))
            folded = ((kernel * scale.reshape(shape)).astype(np.float32), (bias * scale + offset).astype(np.float32))
            self.nodes[index] = replace(before, weights=folded)
            self.swap[node.output] = x
            if self.uses[node.output] != 1:
                del self.foldable[x]
            return
        if len(node.output.shape) not in (1, 3):
            self.nodes.append(node)
            return
        flat = len(node.output.shape) == 1
        shape = (1, 1, node.output.shape[0]) if flat else node.output.shape
        source, target = (Value(shape), Value(shape)) if flat else (x, node.output)
        if flat:
            self.nodes.append(_reshape(f"{node.name}_in", x, source))
        layer = keras.layers.DepthwiseConv2D(1)
        self.nodes.append(
            Node(
                name=node.name,
                cls=keras.layers.DepthwiseConv2D,
                config=layer.get_config(),
                weights=(scale.astype(np.float32).reshape(1, 1, -1, 1), offset.astype(np.float32)),
                args=(source,),
                output=target,
            )
        )
        if self.uses[node.output] == 1:
            self.foldable[node.output] = len(self.nodes) - 1
        if flat:
            self.nodes.append(_reshape(f"{node.name}_out", target, node.output))


def _activation(config: dict[str, Any]) -> str:
    """The name of a layer's activation; an activation that is a layer or a function of its own gives another name."""
    name = config.get("activation", "linear")
    return str(name) if isinstance(name, str) else "linear" if name is None else "custom"


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {
        **config,
        "use_bias": True,
        "activation": "linear",
        **{key: None for key in config if key.endswith(("_regularizer", "_constraint"))},
    }


def _activate(node: Node, x: Value, activation: str) -> Node:
    config = {"activation": node.config["activation"] if activation == "custom" else activation}
    return Node(
        name=f"{node.name}_{activation}", cls=keras.layers.Activation, config=config, args=(x,), output=node.output
    )


def _reshape(name: str, x: Value, output: Value) -> Node:
    return Node(name=name, cls=keras.layers.Reshape, config={"target_shape": output.shape}, args=(x,), output=output)
