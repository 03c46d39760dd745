"""Inference engines behind one small protocol: LiteRT (default), tflite-runtime, ONNX Runtime.

An engine is used only after it answered the artifact's golden vectors rightly on this machine (see
`handlens.selfcheck`).
"""

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol

from handlens import _backends, _model, selfcheck
from handlens._backends import Array, FloatArray, TensorInfo
from handlens._malformed import Malformed
from handlens._model import Kind
from handlens.artifact import Artifact
from handlens.errors import EngineUnavailable, ManifestInvalid, OptionError
from handlens.manifest import InputSpec, Manifest, OutputSpec

__all__ = ["ENGINES", "Engine", "TensorInfo", "default_engine", "open_engine", "open_model"]

ENGINES: dict[str, Kind] = {"litert": "tflite", "tflite-runtime": "tflite", "onnxruntime": "onnx"}
"""Engine name to the kind of model it reads; the first of a kind that is installed is that kind's default."""


class Engine(Protocol):
    """A loaded model, ready to run. Calls from several threads are serialised.

    Attributes:
        name: "litert", "tflite-runtime" or "onnxruntime".
        version: of its package.
        inputs: the model's inputs.
        outputs: the model's outputs, by the names its signature gives them where it has one.
    """

    name: str
    version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, FloatArray]:
        """Runs the model once.

        Args:
            feeds: one array for each input, of its shape: float32 (quantized here where the tensor is an integer one)
            or
                already of the tensor's dtype.

        Returns:
            A float32 copy of each output (dequantized), by name.

        Raises:
            InputError: wrong names, shapes or dtypes.
            EngineError: the engine failed, or is closed.
        """
        ...

    def close(self) -> None:
        """Releases the model; a later `run` fails."""
        ...


def default_engine(kind: Kind) -> str:
    """The name of the engine for a kind of model: the first that is installed, else the preferred one."""
    names = [name for name, reads in ENGINES.items() if reads == kind]
    return next((name for name in names if importlib.util.find_spec(_backends.PACKAGES[name])), names[0])


def open_engine(artifact: Artifact, engine: str | None = None, threads: int = 1, check: bool = True) -> Engine:
    """Opens a verified artifact's model on an engine.

    Args:
        artifact: from `Artifact.open`.
        engine: one of `ENGINES`; None for the default of the artifact's kind.
        threads: for the engine to use.
        check: replay the goldens first, once per file, engine and machine (the verdict is cached).

    Raises:
        OptionError: unknown engine, one that reads another kind, or fewer threads than 1.
        EngineUnavailable: the package is missing, or it cannot read this model.
        ManifestInvalid: the model has not the tensors the manifest names.
        EngineWrong: the engine answers the goldens wrongly.
    """
    opened = _open(artifact.model, artifact.kind, engine, threads)
    try:
        _match(opened, artifact.manifest)
        if check and artifact.goldens:
            selfcheck.require(artifact, opened)
    except BaseException:
        opened.close()
        raise
    return opened


def open_model(model: bytes, kind: Kind, engine: str | None = None, threads: int = 1) -> Engine:
    """Opens a raw model, unchecked: for exporters, which have no artifact yet.

    Raises:
        OptionError: unknown engine, one that reads another kind, or fewer threads than 1.
        EngineUnavailable: the package is missing, or it cannot read this model.
    """
    return _open(model, kind, engine, threads)


def _open(model: bytes, kind: Kind, engine: str | None, threads: int) -> _backends.Backend:
    name = engine if engine is not None else default_engine(kind)
    if ENGINES.get(name) != kind:
        valid = ", ".join(known for known, reads in ENGINES.items() if reads == kind)
        raise OptionError(f"engine {name!r} does not read .{kind} models; valid: {valid}")
    if threads < 1:
        raise OptionError(f"threads is {threads}; expected 1 or more")
    try:
        _model.check(model, kind)
    except Malformed as error:
        raise EngineUnavailable(f"{name} cannot read this model: {error}") from None
    if kind == "onnx":
        return _backends.OnnxEngine(model, threads)
    return _backends.TfliteEngine(name, model, threads)


def _match(engine: _backends.Backend, manifest: Manifest) -> None:
    """Holds the model's tensors against the manifest's: the same names, dtypes, shapes and quantization, none more."""
    engine.inputs = _align("input", engine.inputs, (manifest.input,))
    engine.outputs = _align("output", engine.outputs, manifest.outputs)


def _align(what: str, found: Sequence[TensorInfo], specs: Sequence[InputSpec | OutputSpec]) -> tuple[TensorInfo, ...]:
    tensors = {info.name: info for info in found}
    names = [spec.name for spec in specs]
    if sorted(tensors) != sorted(names):
        raise ManifestInvalid(f"the manifest names the {what}s {names}; the model has {list(tensors)}")
    aligned = []
    for spec in specs:
        info = tensors[spec.name]
        if info.shape != spec.shape or info.dtype != spec.dtype:
            raise ManifestInvalid(
                f"the manifest says {what} {spec.name} is {spec.dtype} {spec.shape}; "
                f"in the model it is {info.dtype} {info.shape}"
            )
        if info.quant_scale is None:
            # ONNX keeps an integer tensor's scale in no place that an engine reports.
            info = dataclasses.replace(info, quant_scale=spec.quant_scale, quant_zero_point=spec.quant_zero_point)
        elif not _same_quantization(info, spec):
            raise ManifestInvalid(
                f"the manifest says {what} {spec.name} has scale {spec.quant_scale} and zero point "
                f"{spec.quant_zero_point}; in the model it is {info.quant_scale} and {info.quant_zero_point}"
            )
        aligned.append(info)
    return tuple(aligned)


def _same_quantization(info: TensorInfo, spec: InputSpec | OutputSpec) -> bool:
    if spec.quant_scale is None or info.quant_scale is None:
        return spec.quant_scale == info.quant_scale
    # The file holds the scale as a float32; a manifest may hold it as any decimal that rounds to it.
    close = abs(spec.quant_scale - info.quant_scale) <= 1e-6 * info.quant_scale
    return close and spec.quant_zero_point == info.quant_zero_point
