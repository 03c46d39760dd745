"""A float `.tflite` of somebody's converter as the quantizer wants it: its float16 weights unpacked, tensors named.

The quantizer sees weights only where they are float32 constants, addresses operators by the names of their tensors, and
runs the model by a signature; files of older converters lack any of the three.
"""

from collections import Counter
from typing import Any

import flatbuffers
import numpy as np

from handlens.errors import DataError
from handlens_export.compact import SharingBuilder, bring_in

SIGNATURE = "serve"
_RELUS = {"RELU": 1, "RELU6": 3}  # as the schema numbers what can be fused
_INTEGERS = ("INT8", "UINT8", "INT16", "INT4")


def parse(model: bytes) -> Any:
    """The model as objects of the schema.

    Raises:
        DataError: it is no `.tflite` of one graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    bring_in(parsed, model)
    if len(parsed.subgraphs) != 1:
        raise DataError(
            f"the .tflite has {len(parsed.subgraphs)} graphs (a loop or a branch calls the others); expected one. "
            "Export the model without control flow"
        )
    return parsed


def pack(parsed: Any) -> bytes:
    """The bytes of a model, equal vectors stored once."""
    builder: flatbuffers.Builder = SharingBuilder(1 << 16)
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def require_float(model: bytes) -> None:
    """Refuses a model that is quantized already, sparse, or whose sizes are not fixed.

    Raises:
        DataError: says which tensor or operator, and what to bring instead.
    """
    parsed = parse(model)
    kinds, dtypes = _names()
    graph = parsed.subgraphs[0]
    for tensor in graph.tensors:
        dtype = dtypes[tensor.type]
        quantized = tensor.quantization is not None and tensor.quantization.scale is not None
        if quantized and len(tensor.quantization.scale) and dtype in _INTEGERS:
            raise DataError(
                f"the .tflite is quantized already: tensor {_text(tensor.name)} is {dtype.lower()}. What was rounded "
                "once cannot be compressed again without loss of what is measured; bring the float32 model it came from"
            )
    used = Counter(kinds[_code(parsed.operatorCodes[op.opcodeIndex])] for op in graph.operators)
    if "DENSIFY" in used:
        raise DataError(
            "the .tflite stores sparse weights (operator DENSIFY), which the quantizer cannot read; bring a dense one"
        )
    unfrozen = [kind for kind in used if kind in ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")]
    if unfrozen:
        raise DataError(
            f"the .tflite holds variables that were not frozen (operators {', '.join(unfrozen)}): its weights are not "
            "in the file as constants. Convert it from a SavedModel, or with Keras's model.export(format='litert')"
        )
    for index in graph.inputs:
        shape = graph.tensors[index].shapeSignature
        if shape is not None and len(shape) and min(int(side) for side in shape[1:]) < 1:
            raise DataError(
                f"input {_text(graph.tensors[index].name)} of the .tflite has the shape {[int(s) for s in shape]}: "
                "its height or width is not fixed. Convert it for the one size that the manifest states"
            )


def plain(model: bytes) -> bytes:
    """The same model with float32 constants, a batch of 1, a name for each tensor, and a signature.

    The names that the model's inputs and outputs go by stay as they are: those of its signature, or of the tensors.
    """
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    for code in parsed.operatorCodes:  # the quantizer reads the new field alone, which older converters left at 0
        code.builtinCode = _code(code)
    _unpack_float16(parsed, graph)
    _fuse_relu(parsed, graph)
    _drop_unused(parsed, graph)
    _fix_batch(graph)
    _name(graph)
    if not parsed.signatureDefs:
        parsed.signatureDefs = [_signature(graph)]
    parsed.metadata = parsed.metadataBuffer = None
    return pack(parsed)


def outputs(model: bytes) -> dict[str, str]:
    """The tensor of each output, both by name, of a file with a signature."""
    parsed = parse(model)
    graph = parsed.subgraphs[0]
    return {
        _text(entry.name): _text(graph.tensors[entry.tensorIndex].name) for entry in parsed.signatureDefs[0].outputs
    }


def _unpack_float16(parsed: Any, graph: Any) -> None:
    """Removes each DEQUANTIZE of a float16 constant, whose float32 values take its place."""
    kinds, dtypes = _names()
    kept = []
    for op in graph.operators:
        source: Any = graph.tensors[op.inputs[0]] if len(op.inputs) else None
        data = None if source is None else parsed.buffers[source.buffer].data
        is_cast = kinds[_code(parsed.operatorCodes[op.opcodeIndex])] == "DEQUANTIZE"
        if not is_cast or data is None or not len(data) or dtypes[source.type] != "FLOAT16":
            kept.append(op)
            continue
        values = np.asarray(data, np.uint8).view(np.float16).astype("<f4")
        target = graph.tensors[op.outputs[0]]
        target.buffer = len(parsed.buffers)
        parsed.buffers.append(type(parsed.buffers[0])())
        parsed.buffers[-1].data = values.view(np.uint8)
    graph.operators = kept


def _fuse_relu(parsed: Any, graph: Any) -> None:
    """Makes a relu that stands alone part of the operator before it: one rounding less, and one operator."""
    kinds, _ = _names()
    uses = Counter(int(at) for op in graph.operators for at in op.inputs) + Counter(map(int, graph.outputs))
    makers = {int(op.outputs[0]): op for op in graph.operators if len(op.outputs) == 1}
    kept = []
    for op in graph.operators:
        function = _RELUS.get(kinds[_code(parsed.operatorCodes[op.opcodeIndex])])
        before = makers.get(int(op.inputs[0])) if function else None
        fused = getattr(getattr(before, "builtinOptions", None), "fusedActivationFunction", None)
        if before is None or fused != 0 or uses[int(op.inputs[0])] != 1:
            kept.append(op)
            continue
        before.builtinOptions.fusedActivationFunction = function
        before.outputs = op.outputs
        makers[int(op.outputs[0])] = before
    graph.operators = kept


def without_idle_rounding(model: bytes) -> bytes:
    """The same file without each QUANTIZE between two tensors of the same steps."""
    parsed = parse(model)
    graph, (kinds, _) = parsed.subgraphs[0], _names()
    swap: dict[int, int] = {}
    kept = []
    ends = {*map(int, graph.outputs)}
    for op in graph.operators:
        op.inputs = [swap.get(int(at), int(at)) for at in op.inputs]
        is_cast = kinds[_code(parsed.operatorCodes[op.opcodeIndex])] == "QUANTIZE"
        if is_cast and int(op.outputs[0]) not in ends and _same(graph, int(op.inputs[0]), int(op.outputs[0])):
            swap[int(op.outputs[0])] = int(op.inputs[0])
        else:
            kept.append(op)
    if not swap:
        return model
    graph.operators = kept
    _drop_unused(parsed, graph)
    return pack(parsed)


def _same(graph: Any, first: int, second: int) -> bool:
    a, b = graph.tensors[first], graph.tensors[second]
    if a.type != b.type or a.quantization is None or b.quantization is None:
        return False
    if a.quantization.scale is None or b.quantization.scale is None:
        return False
    scales, zeros = zip(*((list(t.quantization.scale), list(t.quantization.zeroPoint)) for t in (a, b)), strict=True)
    return bool(scales[0] == scales[1] and zeros[0] == zeros[1])


def _drop_unused(parsed: Any, graph: Any) -> None:
    """Removes tensors that no operator touches, and buffers that no tensor reads."""
    ends = {*map(int, graph.inputs), *map(int, graph.outputs)}
    touched = {int(at) for op in graph.operators for part in (op.inputs, op.outputs) for at in part if at >= 0}
    kept = sorted(ends | touched)
    places = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[at] for at in kept]

    def moved(indices: Any) -> list[int]:
        return [places[int(at)] for at in indices]

    graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
    for op in graph.operators:
        op.inputs, op.outputs = moved(op.inputs), moved(op.outputs)
        if op.intermediates is not None and len(op.intermediates):
            op.intermediates = moved(op.intermediates)
    for signature in parsed.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = places[int(entry.tensorIndex)]
    first = [parsed.buffers[0]]  # by the schema's rule an empty one
    buffers: dict[int, int] = {0: 0}
    for tensor in graph.tensors:
        if tensor.buffer not in buffers:
            buffers[tensor.buffer] = len(first)
            first.append(parsed.buffers[tensor.buffer])
        tensor.buffer = buffers[tensor.buffer]
    parsed.buffers = first


def _fix_batch(graph: Any) -> None:
    for tensor in graph.tensors:
        signature = tensor.shapeSignature
        if signature is not None and len(signature) and int(signature[0]) < 0 and int(tensor.shape[0]) == 1:
            tensor.shapeSignature = None


def _name(graph: Any) -> None:
    seen: set[str] = set()
    for at, tensor in enumerate(graph.tensors):
        name = _text(tensor.name) or f"tensor_{at}"
        if name in seen:
            name = f"{name}_{at}"
        seen.add(name)
        tensor.name = name.encode()


def _signature(graph: Any) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    found = schema.SignatureDefT()
    found.signatureKey, found.subgraphIndex = SIGNATURE.encode(), 0
    for ends, maps in ((graph.inputs, "inputs"), (graph.outputs, "outputs")):
        entries = []
        for index in ends:
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = graph.tensors[index].name, int(index)
            entries.append(entry)
        setattr(found, maps, entries)
    return found


def _names() -> tuple[dict[int, str], dict[int, str]]:
    from ai_edge_litert import schema_py_generated as schema

    kinds = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    return kinds, {v: k for k, v in vars(schema.TensorType).items() if isinstance(v, int)}


def _code(code: Any) -> int:
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", "replace")
