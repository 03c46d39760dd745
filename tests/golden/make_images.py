"""Writes resize.json, letterbox.json, align_sweep.json, tensor.json and quantize.json beside this file.

They are sweeps over sizes, points and tensors that every language must match to the bit. Images are `random_image`s
of a seed, so that nothing is stored but hashes (the first 16 hex digits of SHA-256) and a few values to measure a miss
by. Run `python tests/golden/make_images.py` only when a case is added.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens._align import fit_similarity, fixed, warp
from handlens._backends import Array, Backend, TensorInfo
from handlens._patterns import Draws
from handlens._vector import to_tensor as vector_tensor
from handlens.image import place, preprocess, resize
from handlens.manifest import InputSpec

HERE = Path(__file__).parent
TEMPLATE = (38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041)
_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def random_image(seed: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Bytes of SplitMix64, one a draw below 256, in C order: docs/artifact-format.md has the generator."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + _STEP * np.arange(1, height * width * channels + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
    draws = ((z ^ (z >> np.uint64(31))) >> np.uint64(33)) % np.uint64(256)
    return draws.astype(np.uint8).reshape(height, width, channels)


def digest(array: NDArray[Any]) -> str:
    """Half of the hash of its bytes, little endian."""
    return hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16]


def values(array: NDArray[Any]) -> list[Any]:
    """Eight of its values, spread over it."""
    flat = array.reshape(-1)
    found: list[Any] = flat[np.linspace(0, flat.size - 1, min(8, flat.size)).astype(int)].tolist()
    return found


def sizes(draws: Draws) -> Iterator[tuple[int, int, int, int]]:
    """Height and width, from and to."""
    yield from ((480, 640, 192, 256), (640, 480, 256, 256), (1080, 607, 144, 81), (256, 256, 1080, 607))
    yield from ((720, 1280, 288, 512), (2053, 2063, 3, 5), (2053, 2063, 1030, 1025), (1, 2000, 1, 3), (3000, 1, 7, 1))
    for limit, count in ((4, 40), (12, 80), (70, 110), (300, 90)):
        for _ in range(count):
            yield tuple(draws.between(1, limit) for _ in range(4))  # type: ignore[misc]
    for _ in range(40):  # whole ratios, and an axis each way
        h, w, k = draws.between(1, 40), draws.between(1, 40), draws.between(2, 7)
        yield (h * k, w * draws.between(1, 3), h, w)


def resized() -> Iterator[list[Any]]:
    """Yields seed, height, width, channels, to height, to width, digest, values."""
    draws = Draws(1)
    for seed, (h, w, to_h, to_w) in enumerate(sizes(draws)):
        channels = 1 if draws.below(3) == 0 or h * w > 2**21 else 3
        found = resize(random_image(seed, h, w, channels), to_h, to_w)
        yield [seed, h, w, channels, to_h, to_w, digest(found), values(found)]


def letterboxed() -> Iterator[list[Any]]:
    """Yields seed, image height, width, channels, spec (geometry, colour, height, width), transform, digest, values."""
    draws = Draws(2)
    for seed in range(150):
        limit = (20, 90, 300)[seed % 3]
        h, w, to_h, to_w = (draws.between(1, limit) for _ in range(4))
        geometry = ("letterbox", "crop", "resize")[draws.below(3)]
        colour = ("RGB", "BGR", "GREY")[draws.below(3)]
        channels = 1 if colour == "GREY" and draws.below(2) else 3
        fields = {"geometry": geometry, "colour": colour, "height": to_h, "width": to_w}
        found, transform = place(random_image(seed, h, w, channels), plain(fields))
        where = [transform.scale_x, transform.scale_y, transform.left, transform.top]
        yield [seed, h, w, channels, fields, where, digest(found), values(found)]


def aligned() -> Iterator[list[Any]]:
    """Yields seed, image height, width, channels, points, side, block and matrix, digest, values."""
    draws = Draws(3)
    for seed in range(150):
        h, w = (draws.between(5, (90, 240, 600)[seed % 3]) for _ in range(2))
        side, channels = draws.between(8, 112), 3 if draws.below(4) else 1
        template = [value * side / 112 for value in TEMPLATE]
        angle, size = draws.below(6283) / 1000, (draws.between(2, 24) / 10) ** 2 * min(h, w) / side
        x0, y0 = draws.between(0, w), draws.between(0, h)
        a, b = size * math.cos(angle), size * math.sin(angle)
        points = []
        for u, v in zip(template[::2], template[1::2], strict=True):
            u, v = u - side / 2, v - side / 2
            # In whole 1/64, so that another machine's cosine changes nothing.
            points += [round(64 * (x0 + a * u - b * v)) / 64 + draws.between(-9, 9) / 8]
            points += [round(64 * (y0 + b * u + a * v)) / 64 + draws.between(-9, 9) / 8]
        similarity = fit_similarity(np.reshape(points, (5, 2)), template)
        block, matrix = fixed(similarity)
        found = warp(random_image(seed, h, w, channels), similarity, side, side)
        yield [seed, h, w, channels, points, side, [block, *matrix], digest(found), values(found)]


def tensors() -> Iterator[list[Any]]:
    """Yields seed, spec, digest and values of the tensor of a random image of the input's own size."""
    draws = Draws(4)
    for seed in range(72):
        fields: dict[str, Any] = {
            "height": draws.between(1, 9),
            "width": draws.between(1, 9),
            "colour": ("RGB", "BGR", "GREY")[draws.below(3)],
            "dtype": ("float32", "int8", "uint8")[seed % 3],
            "layout": ("NHWC", "NCHW")[draws.below(2)],
        }
        channels = 1 if fields["colour"] == "GREY" else 3
        fields["scale"] = [draws.between(1, 3000) / 2**18 / (draws.between(1, 9)) for _ in range(channels)]
        fields["offset"] = [draws.between(-3000, 3000) / 1000 for _ in range(channels)]
        if seed % 3:
            fields["quant_scale"] = draws.between(1, 9000) / 300_000
            fields["quant_zero_point"] = draws.between(-128, 127) if seed % 3 == 1 else draws.between(0, 255)
        spec = plain(fields)
        found = preprocess(random_image(seed, spec.height, spec.width, 3), spec)
        yield [seed, fields, digest(found), values(found)]


class Echo(Backend):
    """An engine whose model answers what it is fed: shows what an engine gets for floats, and what its bytes become."""

    def __init__(self, info: TensorInfo) -> None:
        super().__init__("litert")
        self.inputs = self.outputs = (info,)
        self.fed: list[int] = []

    def _invoke(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.fed = feeds["x"].tolist()
        return dict(feeds)

    def _release(self) -> None:
        pass


def quantized() -> Iterator[dict[str, Any]]:
    """Floats to an engine's integers and back; and numbers to the integers of geometry vector."""
    draws = Draws(6)
    for index in range(16):
        dtype = ("int8", "uint8")[index % 2]
        low, high = (-128, 127) if dtype == "int8" else (0, 255)
        scale = float(np.float32(draws.between(1, 4000) / 2 ** draws.between(8, 20)))
        zero_point = draws.between(low, high)
        # Whole and half steps, where rounding shows, and anything else.
        steps = [draws.between(-600, 600) / 2 for _ in range(16)] + [draws.between(-9999, 9999) / 37 for _ in range(16)]
        floats = np.array(steps, np.float32) * np.float32(scale)
        info = TensorInfo(name="x", shape=(32,), dtype=dtype, quant_scale=scale, quant_zero_point=zero_point)
        engine = Echo(info)
        read = engine.run({"x": floats})["x"]
        decimal = float(f"{scale:.9g}")
        spec = plain(
            {"geometry": "vector", "colour": "GREY", "height": 1, "width": 32, "dtype": dtype}
            | {"quant_scale": decimal, "quant_zero_point": zero_point}
        )
        numbers = [step * decimal for step in steps]
        yield {
            "dtype": dtype,
            "scale": decimal,
            "zero_point": zero_point,
            "floats": floats.tolist(),
            "fed": engine.fed,
            "read": read.tolist(),
            "numbers": numbers,
            "vector": vector_tensor(numbers, spec).reshape(-1).tolist(),
        }


def plain(fields: dict[str, Any]) -> InputSpec:
    """An input with some fields, the others of no effect."""
    channels = 1 if fields.get("colour") == "GREY" else 3
    rest = {"name": "image", "channels": channels, "scale": [1.0] * channels, "offset": [0.0] * channels}
    return InputSpec(**rest | fields)


SWEEPS: dict[str, Callable[[], Iterator[Any]]] = {
    "resize.json": resized,
    "letterbox.json": letterboxed,
    "align_sweep.json": aligned,
    "tensor.json": tensors,
    "quantize.json": quantized,
}

if __name__ == "__main__":
    for name, sweep in SWEEPS.items():
        text = "[\n" + ",\n".join(json.dumps(row) for row in sweep()) + "\n]\n"
        (HERE / name).write_text(text, encoding="utf-8")
