"""The engines themselves: what LiteRT, tflite-runtime and ONNX Runtime each want, behind one `run`."""

import abc
import importlib
import importlib.metadata
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens._chatter import without_news
from handlens.errors import EngineError, EngineUnavailable, InputError

Array = NDArray[Any]
FloatArray = NDArray[np.float32]

PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "onnxruntime": "onnxruntime"}
_INSTALL = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a loaded model.

    Attributes:
        name: from the model's signature where it has one.
        shape: -1 for a size that is not fixed.
        dtype: NumPy's name of it.
        quant_scale: of an integer tensor that stands for floats: `(value - quant_zero_point) * quant_scale`.
        quant_zero_point: of the same.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant_scale: float | None = None
    quant_zero_point: int | None = None


class Backend(abc.ABC):
    """What all engines share: checked feeds in, float32 copies out, one call at a time."""

    name: str
    version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def __init__(self, name: str) -> None:
        """Notes name and version, and makes the lock."""
        self.name = name
        self.version = _version(name)
        self._lock = threading.Lock()
        self._open = True

    def run(self, feeds: Mapping[str, Array]) -> dict[str, FloatArray]:
        """Runs the model once; see `handlens.engine.Engine.run`."""
        names = [info.name for info in self.inputs]
        if len(feeds) != len(names) or not all(name in feeds for name in names):
            raise InputError(f"{self.name} was fed {sorted(feeds)}; the model's inputs are {names}")
        ready = {info.name: quantized(feeds[info.name], info) for info in self.inputs}
        with self._lock:
            if not self._open:
                raise EngineError(f"this {self.name} engine was closed; open another")
            try:
                raw = self._invoke(ready)
            except Exception as error:
                raise EngineError(f"{self.name} {self.version} failed on this model: {_first_line(error)}") from error
        return {info.name: dequantized(raw[info.name], info) for info in self.outputs}

    def close(self) -> None:
        """Releases the model; a later `run` fails."""
        with self._lock:
            self._open = False
            self._release()

    @abc.abstractmethod
    def _invoke(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Feeds of the tensors' own dtypes in, raw outputs out."""

    @abc.abstractmethod
    def _release(self) -> None:
        """Drops the model."""


class TfliteEngine(Backend):
    """LiteRT, or tflite-runtime: the same interpreter under two packages."""

    def __init__(self, name: str, model: bytes, threads: int) -> None:
        """Loads a `.tflite`.

        Raises:
            EngineUnavailable: the package is missing, or it cannot read this model.
        """
        super().__init__(name)
        module = _import(name, PACKAGES[name])
        if name == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
            raise EngineUnavailable(
                f"tflite-runtime {self.version} fails with NumPy {np.__version__}; it needs numpy<2 "
                "(Python 3.11 at most), in an environment of its own"
            )
        module = _import(name, f"{PACKAGES[name]}.interpreter")
        try:
            with without_news():
                interpreter = module.Interpreter(model_content=model, num_threads=threads)
                interpreter.allocate_tensors()
            inputs, outputs = _tensors(interpreter)
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(f"{name} {self.version} cannot read this model: {_first_line(error)}") from error
        self._interpreter: Any = interpreter
        self.inputs = tuple(_tflite_info(key, details) for key, details in inputs.items())
        self.outputs = tuple(_tflite_info(key, details) for key, details in outputs.items())
        self._feed = {key: int(details["index"]) for key, details in inputs.items()}
        self._fetch = {key: int(details["index"]) for key, details in outputs.items()}
        names = {index: key for key, index in self._fetch.items()}
        self.order = tuple(names[int(item["index"])] for item in interpreter.get_output_details())
        """Names of the outputs in the order of the model's graph, which a tool without signatures gives them in."""

    def _invoke(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        for key, value in feeds.items():
            self._interpreter.set_tensor(self._feed[key], value)
        self._interpreter.invoke()
        return {key: self._interpreter.get_tensor(index) for key, index in self._fetch.items()}

    def _release(self) -> None:
        self._interpreter = None


class OnnxEngine(Backend):
    """ONNX Runtime on the CPU."""

    def __init__(self, model: bytes, threads: int) -> None:
        """Loads a `.onnx`.

        Raises:
            EngineUnavailable: the package is missing, or it cannot read this model.
        """
        super().__init__("onnxruntime")
        ort = _import("onnxruntime", "onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # its warnings are about graph clean-ups, nothing a user can act on
        try:
            self._session: Any = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            message = f"onnxruntime {self.version} cannot read this model: {_first_line(error)}"
            raise EngineUnavailable(message) from error
        self.inputs = tuple(_onnx_info(node) for node in self._session.get_inputs())
        self.outputs = tuple(_onnx_info(node) for node in self._session.get_outputs())

    def _invoke(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        names = [info.name for info in self.outputs]
        return dict(zip(names, self._session.run(names, dict(feeds)), strict=True))

    def _release(self) -> None:
        self._session = None


def _tensors(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Details of inputs and outputs by name: the signature's names, or the tensors' own where there is none."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    signatures = list(interpreter.get_signature_list())
    if not signatures:
        return {item["name"]: item for item in inputs}, {item["name"]: item for item in outputs}
    runner = interpreter.get_signature_runner("serving_default" if "serving_default" in signatures else signatures[0])
    named = runner.get_input_details(), runner.get_output_details()
    for mine, main in zip(named, (inputs, outputs), strict=True):
        if {item["index"] for item in mine.values()} != {item["index"] for item in main}:
            raise EngineUnavailable(f"the model's signature {signatures[0]!r} does not name its main graph's tensors")
    return named


def _tflite_info(name: str, details: Mapping[str, Any]) -> TensorInfo:
    scale, zero_point = details["quantization"]
    quantized = bool(scale)
    return TensorInfo(
        name=name,
        shape=tuple(int(side) for side in details["shape"]),
        dtype=np.dtype(details["dtype"]).name,
        quant_scale=float(scale) if quantized else None,
        quant_zero_point=int(zero_point) if quantized else None,
    )


def _onnx_info(node: Any) -> TensorInfo:
    kind = node.type.removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
    return TensorInfo(
        name=node.name, shape=tuple(side if isinstance(side, int) else -1 for side in node.shape), dtype=dtype
    )


def quantized(value: Array, info: TensorInfo) -> Array:
    """The feed as the tensor wants it."""
    value = np.asarray(value)
    if value.shape == info.shape and value.dtype == info.dtype:
        return np.ascontiguousarray(value)
    fits = len(value.shape) == len(info.shape) and all(
        want in (-1, have) for want, have in zip(info.shape, value.shape, strict=True)
    )
    if not fits or value.dtype.name not in ("float32", info.dtype):
        raise InputError(
            f"input {info.name} was fed {value.dtype} {value.shape}; expected float32 or {info.dtype} {info.shape}"
        )
    dtype = np.dtype(info.dtype)
    if value.dtype == dtype:
        return np.ascontiguousarray(value)
    if np.issubdtype(dtype, np.integer):
        if info.quant_scale is None or info.quant_zero_point is None:
            raise InputError(f"input {info.name} is {info.dtype} without a scale; feed it {info.dtype}, not float32")
        limits = np.iinfo(dtype)
        steps = np.rint(value / np.float32(info.quant_scale)) + info.quant_zero_point
        value = np.clip(steps, limits.min, limits.max)
    cast: Array = value.astype(dtype)
    return cast


def dequantized(value: Array, info: TensorInfo) -> FloatArray:
    """A float32 copy of what the tensor stands for."""
    if info.quant_scale is not None and value.dtype.kind in "iu":
        if value.dtype.itemsize <= 2:  # such steps are exact in float32
            floats: FloatArray = value.astype(np.float32)
            floats -= np.float32(info.quant_zero_point or 0)
            floats *= np.float32(info.quant_scale)
            return floats
        steps = value.astype(np.int32) - np.int32(info.quant_zero_point or 0)
        return steps.astype(np.float32) * np.float32(info.quant_scale)
    copy: FloatArray = np.array(value, np.float32)
    return copy


def _import(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EngineUnavailable(
            f"engine {name} needs the package {_INSTALL[name]}, which cannot be imported ({_first_line(error)}); "
            f"run: pip install {_INSTALL[name]}"
        ) from None


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(_INSTALL[name])
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
