"""Reads a written `.tflite` back: which operators and dtypes it holds, and how many of its weights are zero.

What the converter was asked for proves nothing; the bytes do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from handlens_export.compact import bring_in

PRUNABLE = ("CONV_2D", "FULLY_CONNECTED")
_DTYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32}
_DTYPES |= {"INT16": np.int16, "INT4": np.int8}  # int4 is unpacked


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the file: name, dtype ("INT8"), shape, scales and zero points (empty for floats)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    data: np.ndarray | None

    @property
    def range(self) -> tuple[float, float]:
        """The floats that the lowest and highest integer stand for; for a tensor of int8 or int16 with one scale."""
        (scale,), (zero,), limits = self.scales, self.zero_points, np.iinfo(_DTYPES[self.dtype])
        return float(limits.min - zero) * scale, float(limits.max - zero) * scale


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the file and the tensors it reads and writes."""

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def operators(model: bytes) -> tuple[Operator, ...]:
    """Every operator of the first subgraph of a `.tflite`, in order of execution."""
    from ai_edge_litert import schema_py_generated as schema

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    bring_in(parsed, model)
    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    dtypes = {v: k for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    graph = parsed.subgraphs[0]
    tensors = [_tensor(t, parsed.buffers[t.buffer].data, dtypes[t.type]) for t in graph.tensors]
    found = []
    for operator in graph.operators:
        code = parsed.operatorCodes[operator.opcodeIndex]
        found.append(
            Operator(
                kinds[max(code.builtinCode, code.deprecatedBuiltinCode)],
                tuple(tensors[i] for i in operator.inputs if i >= 0),
                tuple(tensors[i] for i in operator.outputs),
            )
        )
    return tuple(found)


def float_operators(model: bytes) -> tuple[str, ...]:
    """The operators that read or write a float tensor, as "KIND name"; empty for a fully int8 file."""
    return tuple(
        f"{op.kind} {op.outputs[0].name}"
        for op in operators(model)
        if any("FLOAT" in tensor.dtype for tensor in (*op.inputs, *op.outputs))
    )


def activation_ranges(model: bytes) -> dict[str, tuple[float, float]]:
    """The ranges of the integer tensors that operators write, by the name of the tensor."""
    written = [tensor for op in operators(model) for tensor in op.outputs]
    return {tensor.name: tensor.range for tensor in written if tensor.dtype in ("INT8", "INT16") and tensor.scales}


def prunable_weights(model: bytes) -> Iterator[np.ndarray]:
    """The stored weights of every convolution and fully connected operator; depthwise convolutions are not prunable."""
    found = operators(model)
    halves = {op.outputs[0].name: op.inputs[0].data for op in found if op.kind == "DEQUANTIZE"}  # of float16 weights
    for op in found:
        if op.kind in PRUNABLE:
            stored = op.inputs[1].data
            data = halves.get(op.inputs[1].name) if stored is None else stored
            if data is not None:
                yield data


def sparsity(model: bytes) -> float:
    """The fraction of prunable weights that are stored as zero, 0..1; 0 where there are none."""
    weights = list(prunable_weights(model))
    total = sum(array.size for array in weights)
    return sum(int((array == 0).sum()) for array in weights) / total if total else 0.0


def _tensor(tensor: Any, data: Any, dtype: str) -> Tensor:
    quantization = tensor.quantization
    scales = () if quantization is None or quantization.scale is None else quantization.scale
    zeros = () if quantization is None or quantization.zeroPoint is None else quantization.zeroPoint
    shape = () if tensor.shape is None else tuple(int(side) for side in tensor.shape)
    constant = data is not None and len(data) and dtype in _DTYPES
    values = None
    if constant:
        stored = np.asarray(data, np.uint8)
        values = (_unpacked(stored, math.prod(shape)) if dtype == "INT4" else stored.view(_DTYPES[dtype])).reshape(
            shape
        )
    return Tensor(
        tensor.name.decode(),
        dtype,
        shape,
        tuple(float(scale) for scale in scales),
        tuple(int(zero) for zero in zeros),
        values,
    )


def _unpacked(stored: np.ndarray, count: int) -> np.ndarray:
    """int8 values of int4, two in a byte, the first in the low half."""
    pairs = np.stack([stored & 15, stored >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    return np.where(pairs > 7, pairs - 16, pairs).astype(np.int8)
