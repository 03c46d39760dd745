"""A Keras network as a lane: files in which any of its units are float, and the harm of each simulated in Keras."""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from handlens.errors import EngineWrong
from handlens_export import compressed, convert, graph, ranges
from handlens_export.graph import Graph, Node, Value
from handlens_export.harm import splice, units
from handlens_export.harm.lane import Histogram, Unit
from handlens_export.layers import fake_quantize_kernel
from handlens_export.recipes import Format

BATCH = 16
BINS = 48
_AXES = {"Conv2D": (0, 1, 2), "DepthwiseConv2D": (0, 1), "Conv2DTranspose": (0, 1, 3)}


class KerasLane:
    """A network with calibrated ranges, as `.tflite`."""

    kind: Format = "tflite"
    ends: tuple[str, ...] = ()

    def __init__(self, network: Graph, found: Mapping[str, tuple[float, float]]) -> None:
        """Takes the network, as `for_inference` gives it, and its ranges by place."""
        self.network, self.found = network, dict(found)
        self.members = units.members(network)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """In order of execution."""
        return units.units(self.network)

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The range of each unit's output."""
        return {name: self.found[name] for name in self.members}

    @cached_property
    def left(self) -> tuple[str, ...]:
        """The units that the converter has no int8 form for: they are in float in every file."""
        return self._whole.float_units(self._whole.written(()))

    @cached_property
    def _whole(self) -> splice.Spliced:
        simulated = graph.build(ranges.with_fake_quant(self.network, self.found))
        return splice.Spliced(convert.to_tflite(simulated, "fake-quantized"), self.network)

    def model(self, floats: Collection[str]) -> bytes:
        """A whole file with the named units in float, and those that the converter left in float."""
        model = self._whole.written(floats)
        have, want = set(self._whole.float_units(model)), set(floats) | set(self.left)
        if have != want:
            named = ", ".join(sorted(have ^ want))
            raise EngineWrong(f"the written file has other layers in float than asked for: it differs in {named}")
        return model

    def simulation(self, floats: Collection[str]) -> Any:
        """A Keras model that answers as the file does."""
        network = units.with_fake_quant(self.network, self.found, floats)
        levels = units.kernel_levels(self.network, floats)
        return compressed.trainable(network, {}, levels, name="simulated")

    def answers(self, quantized: Collection[str], images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs with the named units alone in int8, simulated; float accumulation, so to a rounding or two."""
        self._switches.set(quantized)
        return predicted(self._switches.model, images)

    @cached_property
    def _switches(self) -> "_Switches":
        return _Switches(self.network, self.found)

    def histograms(self, images: np.ndarray) -> Mapping[str, Histogram]:
        """What each unit gives in float."""
        made = {node.name: node.output for node in self.network.nodes}
        reader = graph.build_reading(self.network, {name: made[name] for name in self.members}, name="reader")
        lows, highs = dict.fromkeys(self.members, np.inf), dict.fromkeys(self.members, -np.inf)
        for answers in batches(reader, images):
            for name, values in answers.items():
                lows[name] = min(lows[name], float(values.min()))
                highs[name] = max(highs[name], float(values.max()))
        counts = {name: np.zeros(BINS, np.int64) for name in self.members}
        for answers in batches(reader, images):
            for name, values in answers.items():
                ends = (lows[name], max(highs[name], lows[name] + 1e-6))
                counts[name] += np.histogram(values, BINS, ends)[0]
        return {name: Histogram(lows[name], highs[name], tuple(counts[name].tolist())) for name in self.members}


class _Switches:
    """A network each of whose units can be rounded or not without being built anew.

    As in a file, a unit in int8 reads rounded tensors: what another unit makes is rounded for its readers in int8, and
    for all of them if that unit is int8, too.
    """

    def __init__(self, network: Graph, found: Mapping[str, tuple[float, float]]) -> None:
        self.members = units.members(network)
        self._nodes: list[Node] = []
        self._rules: dict[str, set[str]] = {}  # a switch -> the units any of which turns it on
        mine = units.owners(network)
        maker = {node.output: mine[node.name] for node in network.nodes if node.name in mine}
        for node in network.nodes:
            swap = {}
            for index, value in enumerate(node.inputs):
                unit = maker.get(value)
                if unit is not None and unit != mine.get(node.name) and value not in swap:
                    rule = {unit, mine[node.name]}
                    swap[value] = self._switch(f"{node.name}_reads_{index}", value, found[unit], rule)
            self._nodes.append(node.rewired(swap))
        ends = dict(network.outputs)
        for name, value in network.outputs.items():
            if value in maker:
                ends[name] = self._switch(f"gives_{name}", value, found[maker[value]], {maker[value]})
        self.model = graph.build(Graph(network.inputs, tuple(self._nodes), ends), name="switches")

    def _switch(self, name: str, value: Value, ends: tuple[float, float], rule: set[str]) -> Value:
        made = Value(value.shape, value.dtype)
        self._rules[name] = rule
        config = {"low": ends[0], "high": ends[1]}
        self._nodes.append(Node(name=name, cls=_SwitchFactory, config=config, args=(value,), output=made))
        return made

    def set(self, quantized: Collection[str]) -> None:
        for name, rule in self._rules.items():
            self.model.get_layer(name).on.assign(float(bool(rule & set(quantized))))
        for unit, nodes in self.members.items():
            for node in nodes:
                axes = _AXES.get(node.cls.__name__)
                if axes is not None:
                    kernel = node.weights[0]
                    if unit in quantized:
                        kernel = ops.convert_to_numpy(fake_quantize_kernel(kernel, axes))
                    self.model.get_layer(node.name).set_weights([kernel, *node.weights[1:]])


class _Switch(keras.layers.Layer):
    """Rounds a tensor to the steps of its range, or lets it pass."""

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ends = (low, high)

    def build(self, input_shape: Any) -> None:
        self.on = self.add_weight(shape=(), initializer="zeros", trainable=False, name="on")

    def call(self, x: Any) -> Any:
        rounded = keras.quantizers.fake_quant_with_min_max_vars(x, *self.ends)
        return ops.where(self.on > 0.5, rounded, x)


class _SwitchFactory:
    """Makes `_Switch` layers from a node's config; the layer itself is never saved."""

    @staticmethod
    def from_config(config: dict[str, Any]) -> _Switch:
        return _Switch(**config)


def batches(model: Any, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """The outputs, batch by batch of one size, so that nothing is compiled twice; what fills the last is cut off."""
    for start in range(0, len(images), BATCH):
        chunk = images[start : start + BATCH]
        missing = BATCH - len(chunk)
        full = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)]) if missing else chunk
        yield {name: np.asarray(values)[: len(chunk)] for name, values in model.predict_on_batch(full).items()}


def predicted(model: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs for images, (N, ...) by name."""
    found = list(batches(model, images))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
