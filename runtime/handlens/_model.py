"""Which kind of model some bytes are, and whether they are fit for a real parser at all.

Some parsers trust their input: tflite-runtime 2.14 crashes the process on a model that was cut short. So no model
reaches one before this check.
"""

from typing import Literal

from handlens import _onnx, _tflite

Kind = Literal["tflite", "onnx"]
KINDS: tuple[Kind, ...] = ("tflite", "onnx")


def kind_of(data: bytes) -> Kind:
    """The kind that the bytes claim to be: "tflite" by its identifier, else "onnx", which has none."""
    return "tflite" if data[4:8] == _tflite.IDENTIFIER else "onnx"


def check(model: bytes, kind: Kind) -> None:
    """Checks a model's structure: complete, self-contained, nothing pointing outside.

    Raises:
        Malformed: it is not.
    """
    (_tflite if kind == "tflite" else _onnx).check(model)
