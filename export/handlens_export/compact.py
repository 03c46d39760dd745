"""Makes a converted `.tflite` smaller without changing what it says: equal vectors are stored once, names shortened.

An int8 file of a small network is one third bookkeeping: for each channel of each convolution a zero point of 8 bytes,
twice, always zero, and tensor names that list every operator they were fused from. FlatBuffers let equal vectors share
one place.
"""

from typing import Any

import flatbuffers
import numpy as np

ALIGNMENT = 16  # of buffers, as TensorFlow Lite's schema demands; the generated Python code forgets it


def compact(model: bytes) -> bytes:
    """Returns the same model in fewer bytes: same operators, weights, quantization and signatures."""
    from ai_edge_litert import schema_py_generated as schema

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    bring_in(parsed, model)
    for subgraph in parsed.subgraphs:
        for tensor in subgraph.tensors:
            tensor.name = short_name(tensor.name.decode()).encode()
    builder = SharingBuilder(len(model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def bring_in(parsed: Any, model: bytes) -> None:
    """Fetches the buffers that lie behind the FlatBuffer, as litert-quantizer writes them, into the parsed model."""
    for buffer in parsed.buffers:
        if buffer.offset:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def short_name(name: str) -> str:
    """The layer that a tensor belongs to: "network_1/stem_relu_1/Relu6;network_1/..." becomes "stem_relu_1/Relu6"."""
    parts = name.split(";")[0].split("/")
    return "/".join(parts[1:3] if len(parts) > 2 else parts)


class SharingBuilder(flatbuffers.Builder):
    """A FlatBuffers builder that writes equal numeric vectors once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.places: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """The place of a vector, that of an equal one where there is one."""
        key = (x.dtype.str, x.tobytes())
        if key not in self.places:
            self.places[key] = self._aligned(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
        return self.places[key]

    def _aligned(self, x: np.ndarray) -> int:
        self.StartVector(1, x.size, ALIGNMENT)
        self.head -= x.size
        self.Bytes[self.head : self.head + x.size] = x.tobytes()
        return int(self.EndVector())
