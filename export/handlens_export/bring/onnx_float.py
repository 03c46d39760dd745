"""A float `.onnx` of somebody's exporter: what cannot be quantized is refused, a size that was left open is fixed."""

import tempfile
from pathlib import Path
from typing import Any

from handlens.errors import DataError, ManifestInvalid, MissingExtra
from handlens.manifest import Manifest

_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")
OPSET = 13  # the first whose DequantizeLinear takes one scale a channel
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


def fixed(model: bytes, described: Manifest) -> bytes:
    """The same model with every size known; as it was given where they are.

    Args:
        model: an `.onnx`.
        described: says the size of the one input.

    Raises:
        DataError: it is quantized or float16 already, has operators that ONNX Runtime lacks, keeps its weights in
            another file, or takes several inputs.
        ManifestInvalid: the manifest's input is not the model's.
        MissingExtra: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "export") from error
    try:
        proto = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's own class, which moved between its versions
        raise DataError(f"the .onnx cannot be read: {str(error).splitlines()[0][:200]}") from error
    _refuse(proto, onnx)
    stored = {tensor.name for tensor in proto.graph.initializer}
    inputs = [tensor for tensor in proto.graph.input if tensor.name not in stored]
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs) or "none"
        raise DataError(f"the .onnx has {len(inputs)} inputs ({names}); a model to compress takes one image")
    overridable = len(proto.graph.input) > 1  # exporters of old list the weights, too, as inputs that could be given
    if not overridable and _known(inputs[0]) and all(_known(tensor) for tensor in proto.graph.output):
        return model
    _fix(proto, inputs[0], described)
    return _folded(bytes(proto.SerializeToString()), described)


def modern(model: bytes) -> bytes:
    """The same model in an opset that can hold one scale a channel; as it is where it is in one.

    Raises:
        DataError: an operator of it has no form there.
    """
    import onnx

    proto = onnx.load_model_from_string(model)
    version = next((found.version for found in proto.opset_import if found.domain in ("", "ai.onnx")), OPSET)
    if version >= OPSET:
        return model
    try:
        return bytes(onnx.version_converter.convert_version(proto, OPSET).SerializeToString())
    except Exception as error:  # RuntimeError, or an exception of its C++ part
        raise DataError(
            f"the .onnx is of opset {version}, and int8 by channel needs {OPSET}: it cannot be brought there "
            f"({str(error).splitlines()[0][:160]}). Export it anew with opset {OPSET} or newer"
        ) from error


def _refuse(proto: Any, onnx: Any) -> None:
    for node in proto.graph.node:
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear"):
            raise DataError(
                f"the .onnx is quantized already: node {node.name or node.output[0]} is a {node.op_type}. What was "
                "rounded once cannot be compressed again without loss of what is measured; bring the float32 model"
            )
        if node.domain not in _DOMAINS:
            raise DataError(
                f"the .onnx uses {node.op_type} of the domain {node.domain!r} (node {node.name or node.output[0]}), "
                "which ONNX Runtime does not have; export the model with standard operators alone"
            )
    for tensor in proto.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise DataError(
                f"the .onnx keeps its weights in another file ({tensor.name}); save it whole: "
                "onnx.save(onnx.load(FILE), NEW)"
            )
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            raise DataError(f"the .onnx has float16 weights ({tensor.name}); bring the float32 model it came from")


def _known(tensor: Any) -> bool:
    """Whether every size of an input or output is a number."""
    return all(side.HasField("dim_value") and side.dim_value > 0 for side in tensor.type.tensor_type.shape.dim)


def _fix(proto: Any, image: Any, described: Manifest) -> None:
    """Gives the input the manifest's size, wherever the model leaves one open, and forgets what follows from it."""
    sides, shape = image.type.tensor_type.shape.dim, described.input.shape
    open_or_same = len(sides) == len(shape) and all(
        not side.HasField("dim_value") or side.dim_value in (0, want) for side, want in zip(sides, shape, strict=True)
    )
    if not open_or_same:
        found = [side.dim_value if side.HasField("dim_value") else side.dim_param or "?" for side in sides]
        raise ManifestInvalid(f"the manifest says input {described.input.name} is {shape}; in the model it is {found}")
    for side, want in zip(sides, shape, strict=True):
        side.dim_value = want
    for output in proto.graph.output:
        for side in output.type.tensor_type.shape.dim:
            if not (side.HasField("dim_value") and side.dim_value > 0):
                side.ClearField("value")
    del proto.graph.value_info[:]
    kept = image.SerializeToString()
    del proto.graph.input[:]
    proto.graph.input.add().ParseFromString(kept)


def _folded(model: bytes, described: Manifest) -> bytes:
    """What was computed from the sizes, now constant; and the outputs' shapes written down."""
    import onnx
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options, target = ort.SessionOptions(), Path(folder) / "folded.onnx"
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        try:
            ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise DataError(
                f"ONNX Runtime cannot load the model with the input {described.input.shape}: "
                f"{str(error).splitlines()[0][:200]}"
            ) from error
        proto = onnx.shape_inference.infer_shapes(onnx.load_model(target))
    for output in proto.graph.output:
        if not _known(output):
            raise DataError(
                f"output {output.name} of the .onnx has no fixed size even with the input {described.input.shape}; "
                "export the model for one size"
            )
    return bytes(proto.SerializeToString())
