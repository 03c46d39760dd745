"""Where an int8 network needs a range, and what the ranges are.

A range is needed after every operator that makes new values; not after one whose output shares its input's scale
(padding, pooling by maximum, reshaping), not between an operator and the relu that converters fuse into it, and not
before a concatenation, whose parts have one scale with it: the heads of a detector's strides are rounded once, straight
to the scale of the output they are parts of.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from handlens.manifest import InputSpec
from handlens_export.graph import Graph, Node, Value, build_reading
from handlens_export.layers import FakeQuant
from handlens_export.matching import LOGIT_LIMIT, SEEN
from handlens_train.exportable import Match

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
    "NearestUpsample",
}
_FUSES_RELU = {"Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense", "Add", "Subtract", "Multiply"}
# What TensorFlow Lite's int8 specification prescribes for these outputs, whatever the data.
_FIXED = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
_SMALLEST = 1e-6
_SEEN_LOGIT = math.log(SEEN / (1 - SEEN))
_ENOUGH_CELLS = 100
_MARGIN = 1.1
_ROOM = 0.1


def places(graph: Graph) -> dict[str, Value]:
    """The tensors that need a range, by name: the inputs by theirs, others by that of the call that makes them."""
    uses = graph.uses()
    readers: dict[Value, Node] = {value: node for node in graph.nodes for value in node.inputs}
    joined = _joined(graph)
    found = dict(graph.inputs)
    for node in graph.nodes:
        reader = readers.get(node.output)
        fused = node.cls.__name__ in _FUSES_RELU and uses[node.output] == 1 and reader is not None and _is_relu(reader)
        if node.cls.__name__ not in _SAME_SCALE and not fused and node.name not in joined:
            found[node.name] = node.output
    return found


def keeps_scale(node: Node) -> bool:
    """Whether a call's output has the scale of its input: it moves values, and makes none."""
    return node.cls.__name__ in _SAME_SCALE


def output_places(graph: Graph) -> dict[str, str]:
    """The place, of `places`, whose range is that of an output of the network, and of nothing else; by output."""
    needed, makers, uses = places(graph), {node.output: node for node in graph.nodes}, graph.uses()
    found = {}
    for name, value in graph.outputs.items():
        end = _source(value, makers, uses)
        if end is not None and end.name in needed:
            found[name] = end.name
    return found


def _joined(graph: Graph) -> set[str]:
    """The calls whose output goes into a concatenation alone, perhaps by way of reshapes."""
    makers, uses = {node.output: node for node in graph.nodes}, graph.uses()
    found = set()
    for node in graph.nodes:
        if node.cls.__name__ == "Concatenate":
            ends = (_source(value, makers, uses) for value in node.inputs)
            found |= {end.name for end in ends if end is not None and _kind(end) not in _FIXED}
    return found


def _source(value: Value, makers: Mapping[Value, Node], uses: Mapping[Value, int]) -> Node | None:
    """The call that made a tensor's values, through calls that keep the scale; None if anything else reads them."""
    while uses[value] == 1 and value in makers:
        node = makers[value]
        if node.cls.__name__ not in _SAME_SCALE:
            return node
        (value,) = node.inputs
    return None


def pixel_ends(spec: InputSpec) -> tuple[float, float]:
    """What the lowest and the highest value of pixels 0..255 become in an input, over all channels."""
    ends = [(offset, 255 * scale + offset) for scale, offset in zip(spec.scale, spec.offset, strict=True)]
    flat = [end for pair in ends for end in pair]
    return min(flat), max(flat)


def fixed_ranges(graph: Graph, spec: InputSpec) -> Ranges:
    """The ranges that need no data: the inputs' (exactly that of pixels 0..255) and those the format prescribes."""
    low, high = pixel_ends(spec)
    found = {name: (min(0.0, low), max(0.0, high)) for name in graph.inputs}
    for node in graph.nodes:
        kind = _kind(node)
        if kind in _FIXED:
            found[node.name] = _FIXED[kind]
    return found


def misfit(graph: Graph, spec: InputSpec, found: Mapping[str, tuple[float, float]]) -> str:
    """What cannot be right about ranges that somebody brings for a network; empty when nothing is seen.

    Args:
        graph: as `for_inference` gives it.
        spec: of the input.
        found: by name, a range for each of `places`.
    """
    for name, (low, high) in found.items():
        if not low <= 0 <= high or high - low <= 0:
            return f"{name} goes from {low:g} to {high:g}; a range is wider than nothing and holds zero"
    for name, (low, high) in fixed_ranges(graph, spec).items():
        near = 1e-3 * (high - low)
        if name in found and max(abs(found[name][0] - low), abs(found[name][1] - high)) > near:
            said = f"{found[name][0]:g} to {found[name][1]:g}"
            why = "pixels of 0 to 255 become" if name in graph.inputs else "whatever the data, its values are"
            return f"{name} goes from {said}; {why} {low:g} to {high:g}"
    return ""


def calibrate(
    graph: Graph,
    images: np.ndarray,
    spec: InputSpec,
    batch: int = 16,
    matching: Mapping[str, Match] | None = None,
) -> Ranges:
    """Measures the lowest and highest value of each tensor that needs a range, zero included.

    Two kinds of output get another, so that their steps go where they matter: a logit a little more than was seen, but
    no more than `LOGIT_LIMIT` either way; and what is weighed by a score, only the values of cells whose score is above
    `SEEN`, and a margin.

    Args:
        graph: as `for_inference` gives it.
        images: (N, H, W, C) float32, scaled as the network takes them.
        spec: of the input, for its exact range.
        batch: images at a time.
        matching: what the network's outputs are.
    """
    fixed = fixed_ranges(graph, spec)
    wanted = {name: value for name, value in places(graph).items() if name not in fixed}
    observer = build_reading(graph, wanted, name="observer")
    lows, highs = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, _SMALLEST)
    outputs = OutputRanges(output_places(graph), matching or {})
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        missing = batch - len(chunk)  # A last batch of another shape would be compiled again.
        if missing:
            chunk = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)])
        answers = observer.predict_on_batch(chunk)
        outputs.look(answers)
        for name, values in answers.items():
            lows[name] = min(lows[name], float(np.min(values)))
            highs[name] = max(highs[name], float(np.max(values)))
    return outputs.bounded({name: (lows[name], highs[name]) for name in wanted}) | fixed


class OutputRanges:
    """What calibration knows of the outputs beyond their lowest and highest value."""

    def __init__(self, places: Mapping[str, str], matching: Mapping[str, Match]) -> None:
        """Takes the place of each output, and what it is."""
        self.logits = [places[name] for name, match in matching.items() if match.kind == "logit" and name in places]
        self.cells = {
            places[name]: places[match.weight]
            for name, match in matching.items()
            if match.weight and name in places and match.weight in places
        }
        self.count = dict.fromkeys(self.cells, 0)
        self.low, self.high = dict.fromkeys(self.cells, 0.0), dict.fromkeys(self.cells, _SMALLEST)

    def look(self, answers: Mapping[str, np.ndarray]) -> None:
        """Takes the values of a batch by place."""
        for name, weight in self.cells.items():
            if name in answers and weight in answers and answers[name].shape[:-1] == answers[weight].shape[:-1]:
                seen = answers[name][answers[weight][..., 0] > _SEEN_LOGIT]
                self.count[name] += len(seen)
                self.low[name] = min(self.low[name], float(seen.min(initial=0.0)))
                self.high[name] = max(self.high[name], float(seen.max(initial=0.0)))

    def bounded(self, found: Ranges) -> Ranges:
        """The same ranges, those of outputs no wider than they need to be."""
        found = dict(found)
        for name in found.keys() & set(self.logits):  # a face surer than any of the calibration's must not tie with it
            low, high = found[name]
            found[name] = (low - _ROOM * (high - low), high + _ROOM * (high - low))
        limits = {name: (-LOGIT_LIMIT, LOGIT_LIMIT) for name in self.logits}
        for name, count in self.count.items():
            if count >= _ENOUGH_CELLS:
                low, high = limits.get(name, (-np.inf, np.inf))
                limits[name] = max(low, self.low[name] * _MARGIN), min(high, self.high[name] * _MARGIN)
        narrowed = {
            name: (max(low, found[name][0]), min(high, found[name][1]))
            for name, (low, high) in limits.items()
            if name in found
        }
        return found | narrowed


def with_fake_quant(
    graph: Graph,
    ranges: Mapping[str, tuple[float, float]],
    momentum: float | None = None,
    kept: Iterable[str] = (),
) -> Graph:
    """The same network with a `FakeQuant` call, named NAME_range, on every tensor that needs a range.

    Args:
        graph: as `for_inference` gives it.
        ranges: by name, as `calibrate` gives them.
        momentum: lets ranges move in training; the prescribed ones (input, sigmoid, ...) stay.
        kept: outputs of the network whose range stays, too.
    """
    needed = places(graph)
    swap: dict[Value, Value] = {}
    nodes: list[Node] = []
    pinned = set(graph.inputs) | {node.name for node in graph.nodes if _kind(node) in _FIXED}
    pinned |= {name for output, name in output_places(graph).items() if output in set(kept)}

    def quantized(name: str, value: Value) -> None:
        swap[value] = Value(value.shape, value.dtype)
        nodes.append(fake_quant(name, ranges[name], value, swap[value], None if name in pinned else momentum))

    for name, value in graph.inputs.items():
        quantized(name, value)
    for node in graph.nodes:
        nodes.append(node.rewired(swap))
        if node.name in needed:
            quantized(node.name, node.output)
    return replace(
        graph, nodes=tuple(nodes), outputs={name: swap.get(value, value) for name, value in graph.outputs.items()}
    )


def fake_quant(name: str, ends: tuple[float, float], value: Value, made: Value, momentum: float | None = None) -> Node:
    """A call, NAME_range, that rounds a tensor to the steps of a range."""
    config: dict[str, Any] = {"low": ends[0], "high": ends[1], "momentum": momentum}
    return Node(name=f"{name}_range", cls=_RangeFactory, config=config, args=(value,), output=made)


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
