"""Where an int8 network needs a range, and what the ranges are.

A range is needed after every operator that makes new values; not after one whose output shares its input's scale
(padding, pooling by maximum, reshaping), and not between an operator and the relu that converters fuse into it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from handlens.manifest import InputSpec
from handlens_export.graph import Graph, Node, Value, build_reading
from handlens_export.layers import FakeQuant

Ranges = dict[str, tuple[float, float]]

_SAME_SCALE = {
    "ZeroPadding2D",
    "Cropping2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalMaxPooling2D",
    "Flatten",
    "Reshape",
    "Permute",
    "UpSampling2D",
}
_FUSES_RELU = {"Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense", "Add", "Subtract", "Multiply"}
# What TensorFlow Lite's int8 specification prescribes for these outputs, whatever the data.
_FIXED = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
_SMALLEST = 1e-6


def places(graph: Graph) -> dict[str, Value]:
    """The tensors that need a range, by name: the inputs by theirs, others by that of the call that makes them."""
    uses = graph.uses()
    readers: dict[Value, Node] = {value: node for node in graph.nodes for value in node.inputs}
    found = dict(graph.inputs)
    for node in graph.nodes:
        reader = readers.get(node.output)
        fused = node.cls.__name__ in _FUSES_RELU and uses[node.output] == 1 and reader is not None and _is_relu(reader)
        if node.cls.__name__ not in _SAME_SCALE and not fused:
            found[node.name] = node.output
    return found


def fixed_ranges(graph: Graph, spec: InputSpec) -> Ranges:
    """The ranges that need no data: the inputs' (exactly that of pixels 0..255) and those the format prescribes."""
    ends = [(offset, 255 * scale + offset) for scale, offset in zip(spec.scale, spec.offset, strict=True)]
    flat = [end for pair in ends for end in pair]
    found = {name: (min(0.0, *flat), max(0.0, *flat)) for name in graph.inputs}
    for node in graph.nodes:
        kind = _kind(node)
        if kind in _FIXED:
            found[node.name] = _FIXED[kind]
    return found


def calibrate(graph: Graph, images: np.ndarray, spec: InputSpec, batch: int = 16) -> Ranges:
    """Measures the lowest and highest value of each tensor that needs a range, zero included.

    Args:
        graph: as `for_inference` gives it.
        images: (N, H, W, C) float32, scaled as the network takes them.
        spec: of the input, for its exact range.
        batch: images at a time.
    """
    fixed = fixed_ranges(graph, spec)
    wanted = {name: value for name, value in places(graph).items() if name not in fixed}
    observer = build_reading(graph, wanted, name="observer")
    lows, highs = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, _SMALLEST)
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        missing = batch - len(chunk)  # A last batch of another shape would be compiled again.
        if missing:
            chunk = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)])
        for name, values in observer.predict_on_batch(chunk).items():
            lows[name] = min(lows[name], float(np.min(values)))
            highs[name] = max(highs[name], float(np.max(values)))
    return fixed | {name: (lows[name], highs[name]) for name in wanted}


def with_fake_quant(graph: Graph, ranges: Mapping[str, tuple[float, float]], momentum: float | None = None) -> Graph:
    """The same network with a `FakeQuant` call, named NAME_range, on every tensor that needs a range.

    Args:
        graph: as `for_inference` gives it.
        ranges: by name, as `calibrate` gives them.
        momentum: lets ranges move in training; the prescribed ones (input, sigmoid, ...) stay.
    """
    needed = places(graph)
    swap: dict[Value, Value] = {}
    nodes: list[Node] = []
    pinned = set(graph.inputs) | {node.name for node in graph.nodes if _kind(node) in _FIXED}

    def quantized(name: str, value: Value) -> None:
        low, high = ranges[name]
        swap[value] = Value(value.shape, value.dtype)
        config: dict[str, Any] = {"low": low, "high": high, "momentum": None if name in pinned else momentum}
        nodes.append(Node(name=f"{name}_range", cls=_RangeFactory, config=config, args=(value,), output=swap[value]))

    for name, value in graph.inputs.items():
        quantized(name, value)
    for node in graph.nodes:
        nodes.append(node.rewired(swap))
        if node.name in needed:
            quantized(node.name, node.output)
    return replace(
        graph, nodes=tuple(nodes), outputs={name: swap.get(value, value) for name, value in graph.outputs.items()}
    )


def trained_ranges(model: Any) -> Ranges:
    """The ranges that a model's `FakeQuant` layers hold now."""
    return {layer.name.removesuffix("_range"): layer.range() for layer in model.layers if isinstance(layer, FakeQuant)}


def ranges_sha256(ranges: Mapping[str, tuple[float, float]]) -> str:
    """A hash of a range table that does not depend on its order."""
    return hashlib.sha256(json.dumps(sorted(ranges.items())).encode()).hexdigest()


def images_sha256(images: Sequence[np.ndarray]) -> str:
    """A hash of uint8 images, in order."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


class _RangeFactory:
    """Makes `FakeQuant` layers from a node's config; the layer itself is never saved."""

    @staticmethod
    def from_config(config: dict[str, Any]) -> FakeQuant:
        return FakeQuant(**config)


def _kind(node: Node) -> str:
    """An activation's name, or the layer's class in lower case ("softmax", "relu")."""
    activation = node.config.get("activation")
    return activation if isinstance(activation, str) else node.cls.__name__.lower()


def _is_relu(node: Node) -> bool:
    if node.cls is keras.layers.ReLU:
        config = node.config
        return config["max_value"] in (None, 6, 6.0) and not config["negative_slope"] and not config["threshold"]
    return node.cls is keras.layers.Activation and node.config.get("activation") in ("relu", "relu6")
