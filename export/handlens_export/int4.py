"""int4 weights: the converter knows none, so an int8 file whose kernels lie on the int4 grid is rewritten.

`on_grid` rounds the kernels of convolutions to 7 steps up and down, one scale an output channel, before the conversion.
int8 holds such a kernel exactly (step k as round(127 k / 7)), so that `packed` finds the steps again in the file,
stores two in a byte, and gives weights and biases the scale they then have.
"""

from typing import Any

import numpy as np

from handlens.errors import EngineWrong
from handlens_export.compact import SharingBuilder
from handlens_export.compressed import kernel_levels
from handlens_export.graph import Graph
from handlens_export.layers import INT4, INT8

_VERSION = 7  # of CONV_2D: the first that reads int4 kernels (tflite/tools/versioning/op_version.cc)


def levels(graph: Graph) -> dict[str, int]:
    """The steps up and down of the kernels that become int4, by call."""
    return {name: steps for name, steps in kernel_levels(graph, "int4").items() if steps == INT4}


def on_grid(graph: Graph) -> Graph:
    """The network with every kernel that becomes int4 rounded to its steps, as the simulation rounds it.

    Args:
        graph: as `for_inference` gives it.
    """
    weights, four = {}, levels(graph)
    for node in graph.nodes:
        if node.name in four:
            kernel, *rest = node.weights
            scale = _scale(kernel)
            weights[node.name] = ((np.round(kernel / scale) * scale).astype(np.float32), *rest)
    return graph.with_weights(weights)


def packed(model: bytes, kernels: int) -> bytes:
    """The same `.tflite` with the kernels of its convolutions as packed int4.

    Args:
        model: int8 throughout, made from a network `on_grid`.
        kernels: how many lie on the grid.

    Raises:
        EngineWrong: the file has not so many kernels on the grid.
    """
    from ai_edge_litert import schema_py_generated as schema

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph, done = parsed.subgraphs[0], 0
    codes = {
        index
        for index, code in enumerate(parsed.operatorCodes)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.CONV_2D
    }
    for operator in graph.operators:
        if operator.opcodeIndex in codes and _pack(parsed, operator, schema.TensorType):
            done += 1
    if done != kernels:
        raise EngineWrong(
            f"{done} of {kernels} kernels in the converted file lie on the int4 grid: the conversion went wrong"
        )
    for index in codes:
        parsed.operatorCodes[index].version = max(_VERSION, parsed.operatorCodes[index].version)
    builder = SharingBuilder(len(model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _scale(kernel: np.ndarray) -> np.ndarray:
    """(1, ..., out) the step of each output channel; float32 as the simulation computes it."""
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)), keepdims=True)
    return np.maximum(largest, np.float32(1e-8)) / np.float32(INT4)


def _pack(parsed: Any, operator: Any, types: Any) -> bool:
    """Makes the kernel of an operator int4 in place; False where it is none of int8 steps on the grid."""
    graph = parsed.subgraphs[0]
    source, kernel, bias = (graph.tensors[index] for index in operator.inputs)
    if kernel.type != types.INT8:
        return False
    rows = np.asarray(parsed.buffers[kernel.buffer].data, np.uint8).view(np.int8).reshape(kernel.shape[0], -1)
    # The converter bounds a scale from below, so that the bias fits in 32 bits: a channel that is all but dead has
    # fewer than 127 steps, and no grid. Its scale must not shrink here, either.
    most = np.abs(rows.astype(np.int32)).max(axis=1)
    factors = np.maximum(most, INT4) / INT4
    steps = np.round(rows / factors[:, None]).astype(np.int8)
    if not np.array_equal(np.round(steps * (INT8 / INT4))[most == INT8], rows[most == INT8]):
        return False
    nibbles = np.append(steps, np.zeros(steps.size % 2, np.int8)).astype(np.uint8) & 15
    parsed.buffers[kernel.buffer].data = nibbles[0::2] | (nibbles[1::2] << 4)
    kernel.type = types.INT4
    kernel.quantization.scale = (np.asarray(kernel.quantization.scale, np.float64) * factors).astype(np.float32)
    # An engine adds the bias to the sum of products, in their scale: another scale, other integers.
    old = np.asarray(bias.quantization.scale, np.float64)
    new = source.quantization.scale[0] * np.asarray(kernel.quantization.scale, np.float64)
    whole = np.asarray(parsed.buffers[bias.buffer].data, np.uint8).view(np.int32)
    parsed.buffers[bias.buffer].data = np.round(whole * (old / new)).astype(np.int32).view(np.uint8)
    bias.quantization.scale = new.astype(np.float32)
    return True
