"""A float `.tflite` with any of its operators in int8: through litert-quantizer, which rewrites the file.

Ranges are measured here, on LiteRT, over every image: the quantizer's own calibration takes a moving average, which
forgets the first images.
"""

import contextlib
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np

from handlens.errors import EngineWrong, MissingExtra
from handlens_export import quiet, tflite_file
from handlens_export.bring import plain, watch
from handlens_export.bring.answers import run
from handlens_export.compact import compact
from handlens_export.harm.lane import Histogram, Unit
from handlens_export.recipes import Format
from handlens_export.tflite_file import Operator

Widths = Literal["int8", "int16", "int4"]
# What these give is on the scale of what they take: each goes with the operator that made its input.
_FOLLOWS = {
    "RESHAPE",
    "TRANSPOSE",
    "PAD",
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "STRIDED_SLICE",
    "SLICE",
    "SPLIT",
    "RESIZE_NEAREST_NEIGHBOR",
    "RESIZE_BILINEAR",
    "SPACE_TO_DEPTH",
    "RELU",
}
_WEIGHTED_INT4 = ("CONV_2D", "FULLY_CONNECTED")


class TfliteLane:
    """A float network with calibrated ranges, as `.tflite`.

    Args:
        model: as `plain.plain` gives it.
        images: (N, H, W, C) float32, scaled as the network takes them, to measure ranges on.
        pixels: the exact range of the input, that of pixels 0..255.
        ranges: measured before, by tensor, instead.
        output_ranges: by output of the model, instead of what the images give; what an output is joined from gets the
            same range, so that it is rounded once.
    """

    kind: Format = "tflite"
    ends: tuple[str, ...] = ()

    def __init__(
        self,
        model: bytes,
        images: np.ndarray,
        pixels: tuple[float, float],
        ranges: Mapping[str, tuple[float, float]] | None = None,
        output_ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        """Takes the network; nothing is measured yet."""
        self._output_ranges = output_ranges or {}
        self.float_model, self._images, self._pixels, self._given = model, images, pixels, ranges
        self._operators = tflite_file.operators(model)
        self._owner = _owners(self._operators)

    @cached_property
    def measured(self) -> dict[str, tuple[float, float]]:
        """The range of every float tensor, zero included, by its name in the plain file."""
        if self._given is not None:
            return dict(self._given)
        found = watch.ranges(self.float_model, self._images)
        low, high = self._pixels
        for tensor in self._operators[0].inputs[:1]:
            if tensor.data is None:
                found[tensor.name] = (min(0.0, low), max(0.0, high))
        return found | self._joined(found)

    def _joined(self, found: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """The ranges of outputs, and of all that a concatenation joins: those of the whole."""
        makers = {tensor.name: op for op in self._operators for tensor in op.outputs}
        uses = Counter(tensor.name for op in self._operators for tensor in op.inputs)
        made: dict[str, tuple[float, float]] = {}

        def spread(name: str, ends: tuple[float, float]) -> None:
            made[name] = ends
            op = makers.get(name)
            if op is None or op.kind not in (*_FOLLOWS, "CONCATENATION"):
                return
            for tensor in op.inputs:
                if tensor.data is None and uses[tensor.name] == 1 and tensor.name in found:
                    spread(tensor.name, ends)

        tensors = plain.outputs(self.float_model)
        for op in self._operators:
            if op.kind == "CONCATENATION" and op.outputs[0].name in found:
                spread(op.outputs[0].name, found[op.outputs[0].name])
        for name, ends in self._output_ranges.items():
            spread(tensors[name], ends)
        return made

    @cached_property
    def left(self) -> tuple[str, ...]:
        """The units that the quantizer has no int8 form for: they are in float in every file."""
        return self._float_units(self.written((), "int8"))

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Operators that make new values, with those that pass them on, in order of execution."""
        return tuple(
            Unit(op.outputs[0].name, op.kind, sum(t.data.size for t in op.inputs[1:] if t.data is not None))
            for op in self._operators
            if op.outputs and self._owner.get(op.outputs[0].name) == op.outputs[0].name
        )

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The range of each unit's output."""
        return {unit.name: self.measured[unit.name] for unit in self.units if unit.name in self.measured}

    def model(self, floats: Collection[str]) -> bytes:
        """A whole file with the named units in float, and those that the quantizer has no int8 form for."""
        model = self.written(floats, "int8")
        have, want = set(self._float_units(model)), set(floats) | set(self.left)
        if have != want:
            raise EngineWrong(
                f"the written file has other operators in float than asked for: it differs in "
                f"{', '.join(sorted(have ^ want)[:5])}"
            )
        return compact(model)

    def answers(self, quantized: Collection[str], images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs with the named units alone in int8, by the engine."""
        floats = {unit.name for unit in self.units} - set(quantized)
        return run(self.written(floats, "int8"), images, "tflite")

    def histograms(self, images: np.ndarray) -> Mapping[str, Histogram]:
        """What each unit gives in float."""
        return watch.histograms(self.float_model, images, {unit.name for unit in self.units})

    def written(self, floats: Collection[str], widths: Widths) -> bytes:
        """The file with the named units in float, the others in integers of some width; names are kept.

        "int4" are weights of convolutions and dense layers, "int16" activations; the rest is int8.
        """
        follow = {name for name, owner in self._owner.items() if owner in floats}
        recipe = _static(16 if widths == "int16" else 8, 8)
        if widths == "int4":
            for kind in _WEIGHTED_INT4:
                recipe += _static(8, 4, kind)
        recipe += [_kept_float(f"^{re.escape(name)};", "*") for name in sorted(follow)]
        # The tensors at the border are float32 or int8, whatever is inside.
        ends = {tensor.name for tensor in self._ends}
        if widths == "int16":
            recipe += [_kept_float(".*", "INPUT"), _kept_float(".*", "OUTPUT")]
        elif ends & follow:
            recipe += [_kept_float(".*", "OUTPUT")]
        return plain.without_idle_rounding(_quantized(self.float_model, recipe, self._statistics()))

    @property
    def _ends(self) -> list[tflite_file.Tensor]:
        read = {tensor.name for op in self._operators for tensor in op.inputs}
        outputs = set(plain.outputs(self.float_model).values())
        return [t for op in self._operators for t in op.outputs if t.name in outputs or t.name not in read]

    def _statistics(self) -> dict[str, Any]:
        shapes = {tensor.name: tensor.shape for op in self._operators for tensor in (*op.inputs, *op.outputs)}
        found = {}
        for name, (low, high) in self.measured.items():
            shape = (1,) * len(shapes.get(name, ()))
            found[name] = {"min": np.full(shape, low, np.float32), "max": np.full(shape, high, np.float32)}
        return found

    def _float_units(self, model: bytes) -> tuple[str, ...]:
        """The units whose operator reads or writes float in a file that `written` made."""
        floats = {op.outputs[0].name.removesuffix("_quantized") for op in tflite_file.operators(model) if _is_float(op)}
        return tuple(unit.name for unit in self.units if unit.name in floats)


def weights_only(model: bytes, mode: Literal["float16", "dynamic"]) -> bytes:
    """A float `.tflite` with smaller weights and float activations.

    Args:
        model: as `plain.plain` gives it.
        mode: half precision, or int8 with activations quantized on the fly.
    """
    if mode == "float16":
        weights = {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT", "block_size": 0}
        config = {"weight_tensor_config": weights, "compute_precision": "FLOAT", "explicit_dequantize": True}
        kinds = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE")
        recipe = [_rule(".*", kind, "float_casting", config) for kind in kinds]
    else:
        recipe = _dynamic("*", "CHANNELWISE")
        # Older runtimes read a per-channel fully connected layer as a per-tensor one: chance accuracy, no error.
        recipe += _dynamic("FULLY_CONNECTED", "TENSORWISE")
    return compact(_quantized(model, recipe, None))


def _owners(operators: tuple[Operator, ...]) -> dict[str, str]:
    """The unit, by its output's name, that each operator belongs to, by its output's name."""
    found: dict[str, str] = {}
    for op in operators:
        if not op.outputs:
            continue
        before = next((t.name for t in op.inputs if t.data is None), "")
        owner = found.get(before, "") if op.kind in _FOLLOWS else op.outputs[0].name
        for tensor in op.outputs:
            found[tensor.name] = owner
    return found


def _is_float(op: Operator) -> bool:
    if op.kind in ("QUANTIZE", "DEQUANTIZE"):
        return False
    return any(tensor.dtype == "FLOAT32" for tensor in op.outputs)


def _rule(regex: str, kind: str, algorithm: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"regex": regex, "operation": kind, "algorithm_key": algorithm, "op_config": config}


def _static(activations: int, weights: int, kind: str = "*") -> list[dict[str, Any]]:
    config = {
        "activation_tensor_config": _tensor(activations, activations == 16, "TENSORWISE"),
        "weight_tensor_config": _tensor(weights, True, "CHANNELWISE"),
        "compute_precision": "INTEGER",
        "explicit_dequantize": False,
    }
    return [_rule(".*", kind, "min_max_uniform_quantize", config)]


def _dynamic(kind: str, granularity: str) -> list[dict[str, Any]]:
    config = {
        "weight_tensor_config": _tensor(8, True, granularity),
        "compute_precision": "INTEGER",
        "explicit_dequantize": False,
    }
    return [_rule(".*", kind, "min_max_uniform_quantize", config)]


def _tensor(bits: int, symmetric: bool, granularity: str) -> dict[str, Any]:
    return {"num_bits": bits, "symmetric": symmetric, "granularity": granularity, "dtype": "INT", "block_size": 0}


def _kept_float(regex: str, kind: str) -> dict[str, Any]:
    return _rule(regex, kind, "no_quantize", {"compute_precision": "FLOAT"})


def _quantized(model: bytes, recipe: list[dict[str, Any]], statistics: dict[str, Any] | None) -> bytes:
    try:
        with quiet.stderr_silenced():
            from litert_quantizer import quantizer
    except ImportError as error:
        raise MissingExtra("litert-quantizer", "export") from error
    try:
        with quiet.stderr_silenced(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of how it opens its own interpreter
            made = quantizer.Quantizer(model, recipe).quantize(
                statistics, enable_progress_bar=False, enable_progress_report=False
            )
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
        raise EngineWrong(
            f"litert-quantizer cannot quantize this .tflite: {str(error).splitlines()[0][:300]}"
        ) from error
    if made.quantized_model is None:
        raise EngineWrong("litert-quantizer gave no model, and no reason; no operator of the file fits the recipe")
    return bytes(made.quantized_model)
