"""A float `.onnx` with any of its nodes in int8, as QDQ by ONNX Runtime's quantizer."""

import tempfile
import weakref
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from handlens.errors import EngineWrong
from handlens_export import onnx
from handlens_export.bring import onnx_float
from handlens_export.bring.answers import run
from handlens_export.harm.lane import Histogram, Unit
from handlens_export.recipes import Format

BINS = 48
# These pass on what they take, on its scale: each goes with the node that made its input.
_FOLLOWS = {
    "Clip",
    "Flatten",
    "Identity",
    "MaxPool",
    "Pad",
    "Relu",
    "Reshape",
    "Resize",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_PROBABILITIES = ("Sigmoid", "Softmax")


class OnnxLane:
    """A float network with calibrated ranges, as `.onnx`.

    Args:
        model: float32, of fixed sizes.
        images: (N, ...) float32 as its input takes them, to measure ranges on.
        output_ranges: by output, instead of what the images give.
    """

    kind: Format = "onnx"

    def __init__(
        self, model: bytes, images: np.ndarray, output_ranges: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        """Takes the network; nothing is measured yet."""
        self._ready, self._images, self._output_ranges = onnx.ready(onnx_float.modern(model)), images, output_ranges
        import onnx as library

        self._graph = library.load_model_from_string(self._ready).graph
        self._stored = {tensor.name: tensor for tensor in self._graph.initializer}
        self._owner = self._owners()
        # Ranges are measured once and kept beside; the folder goes when the lane does.
        folder = tempfile.TemporaryDirectory()
        self._cache = Path(folder.name) / "ranges.json"
        weakref.finalize(self, folder.cleanup)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Nodes that make new values, with those that pass them on, in order of execution."""
        return tuple(
            Unit(node.name, node.op_type, sum(self._count(name) for name in node.input[1:]))
            for node in self._graph.node
            if self._owner.get(node.name) == node.name
        )

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """The units that only make probabilities of the last values: an .onnx gives out float32 whatever is inside.

        Rounding them would cost steps and save nothing, so `int8` leaves them in float.
        """
        makers = {output: self._owner.get(node.name) for node in self._graph.node for output in node.output}
        read = {
            makers[name]
            for node in self._graph.node
            for name in node.input
            if name in makers and makers[name] != self._owner.get(node.name)
        }
        return tuple(unit.name for unit in self.units if unit.kind in _PROBABILITIES and unit.name not in read)

    @cached_property
    def left(self) -> tuple[str, ...]:
        """The units that ONNX Runtime's quantizer has no int8 form for: they are in float in every file."""
        return self._float_units(self._written(()))

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The range of each unit's output, of those that the file with all units in int8 has one for."""
        found = onnx.activation_ranges(self._written(()))
        ends = {node.name: node.output[0] for node in self._graph.node}
        last = {self._owner[name]: end for name, end in ends.items() if name in self._owner}
        return {
            unit.name: found[end]
            for unit in self.units
            for end in (last.get(unit.name, ""), ends[unit.name])
            if end in found
        }

    def model(self, floats: Collection[str]) -> bytes:
        """A whole file with the named units in float, and those that the quantizer has no int8 form for.

        Raises:
            EngineWrong: the file has others. (What a unit without weights does between two in int8 is the engine's
                choice: it rounds before and behind.)
        """
        model = self._written(floats)
        have, want = set(self._float_units(model)), set(floats) | set(self.left)
        weighted = {unit.name for unit in self.units if unit.parameters}
        wrong = (have - want) | ((want - have) & weighted)
        if wrong:
            raise EngineWrong(
                "the written file has other nodes in float than asked for: it differs in "
                f"{', '.join(sorted(wrong)[:5])}"
            )
        return model

    def answers(self, quantized: Collection[str], images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs with the named units alone in int8, by the engine."""
        floats = {unit.name for unit in self.units} - set(quantized)
        return run(self._written(floats), images, "onnx")

    def histograms(self, images: np.ndarray) -> Mapping[str, Histogram]:
        """What each unit gives in float."""
        import onnx as library

        ends = {self._output(unit.name): unit.name for unit in self.units}
        watched = library.load_model_from_string(self._ready)
        del watched.graph.output[:]
        known = {info.name: info for info in (*self._graph.value_info, *self._graph.output)}
        watched.graph.output.extend(known[end] for end in ends if end in known)
        found = {}
        for end, values in run(watched.SerializeToString(), images, "onnx").items():
            low, high = float(values.min()), float(values.max())
            counts = np.histogram(values, BINS, (low, max(high, low + 1e-6)))[0]
            found[ends[end]] = Histogram(low, high, tuple(counts.tolist()))
        return found

    def _written(self, floats: Collection[str]) -> bytes:
        kept = [name for name, owner in self._owner.items() if owner in floats]
        return onnx.quantize(self._ready, self._images, self._output_ranges, kept, cache=self._cache)

    def _output(self, name: str) -> str:
        return str(next(node.output[0] for node in self._graph.node if node.name == name))

    def _count(self, name: str) -> int:
        return int(np.prod(self._stored[name].dims)) if name in self._stored else 0

    def _owners(self) -> dict[str, str]:
        makers = {output: node.name for node in self._graph.node for output in node.output}
        found: dict[str, str] = {}
        for node in self._graph.node:
            before = found.get(makers.get(node.input[0], ""), "") if node.input else ""
            owner = before if node.op_type in _FOLLOWS else node.name
            if owner:
                found[node.name] = owner
        return found

    def _float_units(self, model: bytes) -> tuple[str, ...]:
        """The units in float in a file that `_written` made: by their weights, or by what they give, having none.

        A relu behind a convolution is one with it, so what a unit gives is what the last of its nodes gives.
        """
        import onnx as library

        graph = library.load_model_from_string(model).graph
        rounded = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        read = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
        weighted = {unit.name for unit in self.units if unit.parameters}
        whole = set()
        for node in graph.node:
            owner = self._owner.get(node.name)
            if owner is None:
                continue
            if owner == node.name and owner in weighted:
                exact = not any(name in rounded for name in node.input[1:])
            elif owner not in weighted:
                exact = not any(name in read for name in node.output)
            else:
                continue
            if not exact:
                whole.add(owner)
        return tuple(unit.name for unit in self.units if unit.name not in whole)
