"""A float32 model that is a file: checked, made plain, and opened."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine, open_model
from handlens.errors import DataError, EngineError
from handlens.manifest import Manifest
from handlens_export.recipes import Format

_TFLITE = ("float32", "float16", "dynamic", "int8", "int16", "int4", "mixed")
_ONNX = ("float32", "int8", "mixed")


@dataclass(frozen=True, slots=True)
class FloatFile:
    """A float32 `.tflite` or `.onnx`, which can be quantized but not trained.

    Attributes:
        model: as it was given, but for a size that was left open.
        kind: of it.
        name: for messages.
    """

    model: bytes = field(repr=False)
    kind: Format
    name: str

    maker: ClassVar[str] = "handlens_export.bring.make"

    @property
    def recipes(self) -> tuple[str, ...]:
        """Those that need no training."""
        return _TFLITE if self.kind == "tflite" else _ONNX

    @classmethod
    def of(cls, model: bytes, kind: Format, described: Manifest, name: str) -> "FloatFile":
        """Checks a file against its manifest.

        Raises:
            DataError: it is quantized already, or cannot be read.
            ManifestInvalid: it has not the tensors that the manifest names.
        """
        if kind == "tflite":
            from handlens_export.bring import plain

            plain.require_float(model)
        else:
            from handlens_export.bring import onnx_float

            model = onnx_float.fixed(model, described)
        found = cls(model, kind, name)
        plain_file = Artifact(
            path=Path(name),
            kind=kind,
            manifest=described,
            goldens=(),
            extras={},
            model=model,
            sha256="",
            size=len(model),
        )
        try:
            open_engine(plain_file, check=False).close()
        except EngineError as error:
            raise DataError(f"{name}: {error}") from error
        return found

    def open(self) -> Engine:
        """The model on the default engine of its kind."""
        return open_model(self.model, self.kind)
