"""The goldens replayed by `benchmark_model` on a device, which takes an input from a file and writes its outputs."""

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from handlens import _backends
from handlens._backends import Array, FloatArray, TensorInfo
from handlens.artifact import Artifact
from handlens.engine import open_engine
from handlens.errors import EngineError

Call = Callable[[bytes, str], bytes]
"""Runs the model on the device once: input bytes and shape (such as "1,3") in, the outputs' bytes out."""


class DeviceEngine:
    """An engine whose runs happen on the device; see `handlens.engine.Engine`.

    The graph's order of outputs, dtypes and scales come from the model as this machine's LiteRT reads it.
    """

    def __init__(self, artifact: Artifact, name: str, version: str, call: Call) -> None:
        """Opens the model here, to learn its tensors.

        Raises:
            EngineUnavailable: no LiteRT here, or it cannot read this model.
            ManifestInvalid: the model has not the tensors the manifest names.
        """
        self.name, self.version, self._call = name, version, call
        here = open_engine(artifact, check=False)
        assert isinstance(here, _backends.TfliteEngine)
        self.inputs: tuple[TensorInfo, ...] = here.inputs
        self.outputs: tuple[TensorInfo, ...] = here.outputs
        self._order = here.order
        here.close()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, FloatArray]:
        """Runs the model once, on the device."""
        (info,) = self.inputs
        fed = _backends.quantized(feeds[info.name], info)
        sent = fed.astype(fed.dtype.newbyteorder("<")).tobytes()
        answer = self._call(sent, ",".join(map(str, info.shape)))
        known = {output.name: output for output in self.outputs}
        ordered = [known[name] for name in self._order]
        sizes = [prod(output.shape) * np.dtype(output.dtype).itemsize for output in ordered]
        if len(answer) != sum(sizes):
            raise EngineError(
                f"{self.name} wrote {len(answer)} bytes of outputs; the model's are {sum(sizes)}: it ran another model"
            )
        found, at = {}, 0
        for output, size in zip(ordered, sizes, strict=True):
            raw = np.frombuffer(
                answer, np.dtype(output.dtype).newbyteorder("<"), size // np.dtype(output.dtype).itemsize, at
            )
            found[output.name] = _backends.dequantized(raw.astype(output.dtype).reshape(output.shape), output)
            at += size
        return found

    def close(self) -> None:
        """Has nothing to release."""
