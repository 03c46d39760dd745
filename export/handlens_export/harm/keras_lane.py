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
        return _Switches(self.network, self.found, self.members)

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
    """A network each of whose units can be rounded or not without being built anew."""

    def __init__(
        self, network: Graph, found: Mapping[str, tuple[float, float]], members: Mapping[str, tuple[Node, ...]]
    ) -> None:
        self.members = members
        nodes: list[Node] = []
        swap: dict[Value, Value] = {}
        for node in network.nodes:
            nodes.append(node.rewired(swap))
            if node.name in members:
                swap[node.output] = Value(node.output.shape, node.output.dtype)
                config = {"low": found[node.name][0], "high": found[node.name][1]}
                made = swap[node.output]
                name = f"{node.name}_switch"
                nodes.append(Node(name=name, cls=_SwitchFactory, config=config, args=(node.output,), output=made))
        ends = {name: swap.get(value, value) for name, value in network.outputs.items()}
        self.model = graph.build(Graph(network.inputs, tuple(nodes), ends), name="switches")
        self.on: set[str] = set()

    def set(self, quantized: Collection[str]) -> None:
        for name in self.on ^ set(quantized):
            rounded = name in quantized
            self.model.get_layer(f"{name}_switch").on.assign(float(rounded))
            for node in self.members[name]:
                axes = _AXES.get(node.cls.__name__)
                if axes is not None:
                    kernel = node.weights[0]
                    exact = ops.convert_to_numpy(fake_quantize_kernel(kernel, axes)) if rounded else kernel
                    self.model.get_layer(node.name).set_weights([exact, *node.weights[1:]])
        self.on = set(quantized)


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
