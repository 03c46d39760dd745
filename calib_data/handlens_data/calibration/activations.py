"""What the tensors inside a float32 .tflite hold on calibration images: read from LiteRT, one image after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlens.artifact import Artifact
from handlens.errors import EngineUnavailable, OptionError
from handlens.manifest import InputSpec

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """One tensor that an operator makes.

    Attributes:
        name: in the file.
        low: (N,) lowest value on each image.
        high: (N,) highest value on each image.
        channel_low: (C,) lowest value of each channel over all images; the last axis is the channels.
        channel_high: (C,) highest value of each.
        ceiling: share of values that lie at the highest value seen, over all images, 0..1.
        tail: the range that holds 99.9% of the values, (low, high), from up to 64 values an image.
    """

    name: str
    low: FloatArray
    high: FloatArray
    channel_low: FloatArray
    channel_high: FloatArray
    ceiling: float
    tail: tuple[float, float]


def measure(artifact: Artifact, images: NDArray[np.uint8]) -> tuple[Activation, ...]:
    """Runs a float32 .tflite on prepared images, and looks at every tensor that an operator makes.

    Args:
        artifact: with float32 input and activations.
        images: uint8 (N, H, W, C), prepared for its input.

    Raises:
        OptionError: it is no float32 .tflite.
        EngineUnavailable: LiteRT is not installed.
    """
    spec = artifact.manifest.input
    if artifact.kind != "tflite" or spec.dtype != "float32" or "int8" in artifact.manifest.compression.recipe:
        raise OptionError(
            f"{artifact.path.name} is a .{artifact.kind} with {spec.dtype} input, recipe "
            f"{artifact.manifest.compression.recipe!r}; activations are looked at in a float32 .tflite: "
            "make one with handlens export --recipe float32 --format tflite"
        )
    reader = _Reader(artifact.model, spec)
    gathered: dict[str, _Gathered] = {}
    for image in images:
        for name, values in reader.run(image):
            gathered.setdefault(name, _Gathered()).look(values)
    return tuple(each.done(name) for name, each in gathered.items())


class _Reader:
    """An interpreter that keeps every tensor: plain kernels, because a delegate keeps none."""

    def __init__(self, model: bytes, spec: InputSpec) -> None:
        try:
            from ai_edge_litert import schema_py_generated as schema
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError:
            raise EngineUnavailable("this needs ai-edge-litert, which is not installed: pip install handlens") from None
        self._spec = spec
        self._interpreter = Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        graph = schema.Model.GetRootAs(model).Subgraphs(0)
        made = [int(at) for op in range(graph.OperatorsLength()) for at in graph.Operators(op).OutputsAsNumpy()]
        self._made = [(at, graph.Tensors(at).Name().decode("utf-8", "replace")) for at in made]
        self._feed = self._interpreter.get_input_details()[0]["index"]

    def run(self, image: NDArray[np.uint8]) -> Iterator[tuple[str, FloatArray]]:
        """Each tensor that an operator made of one image, by name; integers (shapes, indices) are left out."""
        from handlens.image import to_tensor

        self._interpreter.set_tensor(self._feed, to_tensor(image, self._spec))
        self._interpreter.invoke()
        for at, name in self._made:
            values = self._interpreter.get_tensor(at)
            if values.dtype == np.float32 and values.size:
                yield name, values


class _Gathered:
    """What has been seen of one tensor."""

    def __init__(self) -> None:
        self._low: list[float] = []
        self._high: list[float] = []
        self._channels: tuple[FloatArray, FloatArray] | None = None
        self._sample: list[FloatArray] = []

    def look(self, values: FloatArray) -> None:
        rows = values.reshape(-1, values.shape[-1])
        low, high = rows.min(axis=0), rows.max(axis=0)
        self._low.append(float(low.min()))
        self._high.append(float(high.max()))
        if self._channels is None:
            self._channels = low, high
        else:
            self._channels = np.minimum(self._channels[0], low), np.maximum(self._channels[1], high)
        flat = values.reshape(-1)
        # A fixed stride: the same sample each time, and every part of the tensor in it.
        self._sample.append(flat[:: max(1, len(flat) // 64)][:64].copy())

    def done(self, name: str) -> Activation:
        assert self._channels is not None
        sample = np.concatenate(self._sample)
        top = max(self._high)
        low, high = (float(end) for end in np.quantile(sample, [0.0005, 0.9995]))
        return Activation(
            name=name,
            low=np.array(self._low, np.float32),
            high=np.array(self._high, np.float32),
            channel_low=self._channels[0],
            channel_high=self._channels[1],
            ceiling=float(np.mean(sample >= top - 1e-6 * max(abs(top), 1.0))),
            tail=(low, high),
        )
