"""From a Keras model to the bytes of a `.onnx`: float32 through tf2onnx, int8 as QDQ by ONNX Runtime's quantizer."""

import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import MissingExtra, OptionError
from handlens_export import quiet
from handlens_export.convert import endpoint

OPSET = 17
_KEEPS_VALUES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Resize")


def to_onnx(model: Any) -> bytes:
    """Converts a Keras model with one input and a dict of outputs.

    Returns:
        An ONNX model with a batch of 1 and the layout, input name and output names of the Keras model.

    Raises:
        MissingExtra: tf2onnx is not installed.
    """
    tf: Any = quiet.tensorflow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tf2onnx
    except ImportError as error:
        raise MissingExtra("tf2onnx", "export") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    (image,) = model.inputs
    signature = [tf.TensorSpec((1, *image.shape[1:]), tf.float32, name=image.name)]
    with warnings.catch_warnings(), quiet.stderr_silenced():
        warnings.simplefilter("ignore")
        function = tf.function(endpoint(model), input_signature=signature)
        proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    names = [tensor.name for tensor in proto.graph.output]
    wanted = list(function.get_concrete_function().structured_outputs)
    if set(names) != set(wanted):  # tf2onnx names outputs as the function does, but not in every version
        _rename(proto.graph, dict(zip(names, sorted(wanted), strict=True)))
    _rename(proto.graph, {proto.graph.input[0].name: image.name})
    _plain_nearest(proto.graph)
    proto.producer_name, proto.producer_version = "handlens", ""
    return bytes(proto.SerializeToString())


def _plain_nearest(graph: Any) -> None:
    """Replaces a deprecated way to count pixels in nearest upsampling; by whole factors, this one gives the same."""
    for node in graph.node:
        modes = {attribute.name: attribute for attribute in node.attribute}
        counted = modes.get("coordinate_transformation_mode")
        if node.op_type == "Resize" and counted is not None and counted.s == b"tf_half_pixel_for_nn":
            counted.s, modes["nearest_mode"].s = b"asymmetric", b"floor"


def quantize(
    model: bytes,
    images: np.ndarray,
    output_ranges: Mapping[str, tuple[float, float]] | None = None,
    floats: Collection[str] = (),
    cache: Path | None = None,
) -> bytes:
    """Quantizes to int8 as QDQ: weights per channel and symmetric, activations by the range over the images.

    Args:
        model: a float32 ONNX model with one input.
        images: (N, H, W, C) float32, scaled as the network takes them.
        output_ranges: by output of the model, instead of what the images give; what an output is joined from gets the
            same range, so that it is rounded once.
        floats: nodes that stay in float, by their name in `nodes(ready(model))`.
        cache: file to keep the measured ranges in, so that a second call with the same model measures nothing.

    Raises:
        OptionError: a name in `floats` is no node of the model.
        MissingExtra: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise MissingExtra("onnxruntime", "export") from error

    class Images(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds: Iterator[dict[str, np.ndarray]] = ({name: image[None]} for image in images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    prepared, name = ready(model), _inputs(model)[0]
    known = nodes(prepared)
    unknown = [node for node in floats if node not in known]
    if unknown:
        raise OptionError(f"the ONNX model has no node {unknown[0]!r} to leave in float; valid: {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _root_logger_quiet():
        warnings.simplefilter("ignore")
        source, target = (Path(folder) / name for name in ("ready.onnx", "int8.onnx"))
        source.write_bytes(prepared)
        quantization.quantize_static(
            str(source),
            str(target),
            Images(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=list(floats),
            calibration_cache_path=cache,
            extra_options={"TensorQuantOverrides": _tensor_ranges(prepared, output_ranges or {})},
        )
        return target.read_bytes()


def ready(model: bytes) -> bytes:
    """The model as `quantize` sees it: shapes inferred, batch norms folded, every node with a name of its own."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _root_logger_quiet():
        warnings.simplefilter("ignore")
        source, target = (Path(folder) / name for name in ("float.onnx", "ready.onnx"))
        source.write_bytes(model)
        quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        proto = onnx.load_model(target)
    seen: set[str] = set()
    for index, node in enumerate(proto.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{index}"
        seen.add(node.name)
    return bytes(proto.SerializeToString())


def nodes(model: bytes) -> tuple[str, ...]:
    """The names of a model's nodes, in order of execution."""
    import onnx

    return tuple(node.name for node in onnx.load_model_from_string(model).graph.node)


def _tensor_ranges(model: bytes, ranges: Mapping[str, tuple[float, float]]) -> dict[str, list[dict[str, Any]]]:
    """The ranges of outputs and of the tensors they are joined from, as ONNX Runtime's quantizer takes them."""
    import onnx

    graph = onnx.load_model_from_string(model).graph
    makers = {node.output[0]: node for node in graph.node}
    uses = Counter(name for node in graph.node for name in node.input)
    found = {}
    for output, (low, high) in ranges.items():
        ends, inner = [output], [output]
        while inner:
            maker = makers.get(inner.pop())
            if maker is None:
                continue
            if maker.op_type == "Concat":
                inner += [name for name in maker.input if uses[name] == 1]
                ends += [name for name in maker.input if uses[name] == 1]
            elif maker.op_type in _KEEPS_VALUES and uses[maker.input[0]] == 1:
                inner.append(maker.input[0])
                ends.append(maker.input[0])
        for name in ends:
            # The quantizer gives the output of a reshape the scale of its input, and takes no other.
            if name not in makers or makers[name].op_type not in _KEEPS_VALUES:
                limits = {"rmin": np.float32(low), "rmax": np.float32(high)}
                found[name] = [{"quant_type": _int8(), **limits}]
    return found


def _int8() -> Any:
    from onnxruntime.quantization import QuantType

    return QuantType.QInt8


def sparsity(model: bytes) -> float:
    """The fraction of prunable weights (of ungrouped convolutions and matrix products) stored as zero, 0..1."""
    weights = list(prunable_weights(model))
    total = sum(array.size for array in weights)
    return sum(int((array == 0).sum()) for array in weights) / total if total else 0.0


def prunable_weights(model: bytes) -> Iterator[np.ndarray]:
    """The stored weights of every ungrouped convolution and matrix product, float32 or int8."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(model).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    # A quantized weight goes through a DequantizeLinear on its way.
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    for node in graph.node:
        grouped = any(a.name == "group" and a.i != 1 for a in node.attribute)
        if node.op_type in ("Conv", "Gemm", "MatMul") and not grouped:
            name = source.get(node.input[1], node.input[1])
            if name in stored:
                yield numpy_helper.to_array(stored[name])


def _inputs(model: bytes) -> Sequence[str]:
    import onnx

    return [tensor.name for tensor in onnx.load_model_from_string(model).graph.input]


def _rename(graph: Any, names: dict[str, str]) -> None:
    for old, new in names.items():
        if old == new:
            continue
        for tensor in (*graph.input, *graph.output, *graph.value_info):
            if tensor.name == old:
                tensor.name = new
        for node in graph.node:
            for field in (node.input, node.output):
                field[:] = [new if name == old else name for name in field]


class _root_logger_quiet:
    """ONNX Runtime's quantizer advises through the root logger, on what `quantize` has already done."""

    def __enter__(self) -> None:
        self.level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().setLevel(self.level)


def output_scales(model: bytes) -> dict[str, float]:
    """The quantization step of each output that a DequantizeLinear makes, by output name."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(model).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    return {
        tensor.name: float(numpy_helper.to_array(stored[makers[tensor.name].input[1]]).max())
        for tensor in graph.output
        if tensor.name in makers
    }


def activation_ranges(model: bytes) -> dict[str, tuple[float, float]]:
    """The ranges that calibration gave each quantized activation, by the name of the tensor."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(model).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            scale, zero = (numpy_helper.to_array(stored[name]).astype(float) for name in node.input[1:3])
            found[node.input[0]] = (float((-128 - zero) * scale), float((127 - zero) * scale))
    return found
