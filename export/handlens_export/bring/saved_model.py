"""A SavedModel folder becomes a float32 `.tflite` with a batch of 1, checked against what it came from."""

import contextlib
import importlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from handlens.engine import open_model
from handlens.errors import DataError, ManifestInvalid
from handlens.golden import GENERATORS, generate
from handlens.image import to_tensor
from handlens.manifest import Manifest
from handlens_export import parity, quiet
from handlens_export.compact import compact

_DEFAULT = "serving_default"
# What reads or writes files, or calls Python: a SavedModel is a program, and converting must not run these.
_UNSAFE = ("ReadFile", "WriteFile", "PyFunc", "PyFuncStateless", "EagerPyFunc", "MatchingFiles", "DebugIdentityV3")


def to_tflite(folder: Path, described: Manifest) -> bytes:
    """Converts the default signature.

    Args:
        folder: of the SavedModel.
        described: its manifest.

    Raises:
        DataError: it cannot be loaded or converted; operators that LiteRT lacks are named.
        ManifestInvalid: the manifest names other outputs, or another size.
        EngineWrong: the converted file answers otherwise than the SavedModel.
    """
    tf: Any = quiet.tensorflow()
    _refuse_unsafe(folder)
    try:
        with quiet.stderr_silenced():
            loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # of many classes, most of TensorFlow's own
        raise DataError(f"{folder} cannot be loaded as a SavedModel: {_line(error)}") from error
    signatures = dict(loaded.signatures)
    if not signatures:
        raise DataError(f"{folder} has no signature; save one with tf.saved_model.save(model, DIR, signatures=...)")
    function = signatures.get(_DEFAULT) or next(iter(signatures.values()))
    spec = described.input
    feed = _feed(function, folder, described)

    class Fixed(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = loaded

        @tf.function(input_signature=[tf.TensorSpec(spec.shape, tf.float32, name=spec.name)])  # type: ignore[untyped-decorator]
        def serve(self, image: Any) -> Any:
            return function(**{feed: image})

    module = Fixed()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with quiet.stderr_silenced():
                tf.saved_model.save(module, scratch, signatures={"serve": module.serve})
                converter = tf.lite.TFLiteConverter.from_saved_model(scratch, signature_keys=["serve"])
                model = compact(converter.convert())
        except Exception as error:  # the converter's own, or TensorFlow's
            raise DataError(f"{folder} cannot become a .tflite: {_reason(error)}") from error
    _check(module, model, described)
    return model


def _refuse_unsafe(folder: Path) -> None:
    proto = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
    try:
        proto.ParseFromString((folder / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's own class, which moved between its versions
        raise DataError(f"{folder}/saved_model.pb cannot be read: {_line(error)}") from error
    for meta in proto.meta_graphs:
        nodes = [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]
        for node in nodes:
            if node.op in _UNSAFE:
                raise DataError(
                    f"{folder} holds the operator {node.op} ({node.name}), which reads or writes files or calls "
                    "Python; a model to compress only computes"
                )


def _feed(function: Any, folder: Path, described: Manifest) -> str:
    """The name of the one argument, after looking at its shape and at the outputs."""
    arguments = function.structured_input_signature[1]
    if len(arguments) != 1:
        raise DataError(f"{folder} takes {', '.join(arguments) or 'nothing'}; a model to compress takes one image")
    ((feed, tensor),) = arguments.items()
    spec = described.input
    if not tensor.shape.is_compatible_with(spec.shape):
        raise ManifestInvalid(f"the manifest says the input is {spec.shape}; in {folder.name} it is {tensor.shape}")
    if tensor.dtype.name != "float32":
        raise DataError(f"{folder} takes {tensor.dtype.name}; a model to compress takes float32")
    found = sorted(function.structured_outputs)
    wanted = sorted(output.name for output in described.outputs)
    if found != wanted:
        raise ManifestInvalid(f"the manifest names the outputs {wanted}; {folder.name} has {found}")
    if feed != spec.name:
        raise ManifestInvalid(f"the manifest names the input {spec.name!r}; {folder.name} has {feed!r}")
    return str(feed)


def _check(module: Any, model: bytes, described: Manifest) -> None:
    """Holds the file against the SavedModel on drawn patterns: unfrozen variables run at chance without an error."""
    spec = described.input
    images = [generate(name, seed, spec.height, spec.width, spec.channels) for name in GENERATORS for seed in (1, 2)]
    batch = [to_tensor(image, spec) for image in images]
    wanted = [{name: np.asarray(value) for name, value in module.serve(image).items()} for image in batch]
    with quiet.stderr_silenced():
        engine = open_model(model, "tflite")
    with contextlib.closing(engine):
        answers = [engine.run({spec.name: image}) for image in batch]
    names = wanted[0]
    parity.compare(
        {name: np.concatenate([row[name] for row in answers]) for name in names},
        {name: np.concatenate([row[name] for row in wanted]) for name in names},
        parity.RELATIVE,
    )


def _reason(error: BaseException) -> str:
    """The converter's words, which name the operators that LiteRT lacks, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "op" in line.lower() and ("custom" in line.lower() or "flex" in line.lower())]
    return " ".join(dict.fromkeys(told or lines[:1]))[:400]


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
