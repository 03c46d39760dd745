"""Arrays that a page sends, as base64 of their bytes: checked before they are believed."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens._backends import FloatArray, TensorInfo, dequantized
from handlens.manifest import OutputSpec

_LONGEST_MS = 3.6e6


class Refusal(Exception):
    """The page, or whoever it is, is not answered.

    Attributes:
        status: of HTTP.
        message: for a person.
    """

    def __init__(self, status: int, message: str) -> None:
        """Keeps both."""
        super().__init__(message)
        self.status = status
        self.message = message


class Answers:
    """An engine that answered elsewhere: `golden.replay` asks it golden by golden.

    Args:
        name: of the engine.
        version: of the engine.
        answers: its outputs for each golden in turn.
    """

    def __init__(self, name: str, version: str, answers: Sequence[dict[str, FloatArray]]) -> None:
        """Keeps the answers."""
        self.name, self.version = name, version
        self.inputs: tuple[TensorInfo, ...] = ()
        self.outputs: tuple[TensorInfo, ...] = ()
        self._answers = iter(answers)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, FloatArray]:
        """The next answer, whatever is asked."""
        return next(self._answers)

    def close(self) -> None:
        """Has nothing to close."""


def outputs(given: Any, specs: Sequence[OutputSpec]) -> dict[str, FloatArray]:
    """Raw bytes of each output, dequantized."""
    found = {}
    for spec in specs:
        raw = _bytes(given.get(spec.name) if isinstance(given, dict) else None)
        size = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
        if len(raw) != size:
            raise Refusal(400, f"output {spec.name} has {len(raw)} bytes; expected {size}")
        values = np.frombuffer(raw, np.dtype(spec.dtype).newbyteorder("<")).reshape(spec.shape)
        info = TensorInfo(
            name=spec.name,
            shape=spec.shape,
            dtype=spec.dtype,
            quant_scale=spec.quant_scale,
            quant_zero_point=spec.quant_zero_point,
        )
        found[spec.name] = dequantized(values, info)
    return found


def times(text: Any, count: int | None) -> NDArray[np.float64]:
    """Milliseconds, sent as float64."""
    raw = _bytes(text)
    if not raw or len(raw) % 8 or (count is not None and len(raw) != 8 * count):
        raise Refusal(400, f"times have {len(raw)} bytes; expected 8 for each of {count or 'some'} runs")
    values = np.frombuffer(raw, "<f8").astype(np.float64)
    if not (np.isfinite(values) & (values >= 0) & (values <= _LONGEST_MS)).all():
        raise Refusal(400, "a time is no number of 0 to an hour")
    return values


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Refusal(400, "expected bytes in base64") from None
