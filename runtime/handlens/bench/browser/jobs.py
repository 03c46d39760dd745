"""What a browser is given to measure: the model's bytes, what its inputs are, and one job a row of the table."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handlens import golden, image
from handlens.artifact import Artifact
from handlens.bench import pipeline
from handlens.bench.browser.facts import Facts
from handlens.bench.figures import Order
from handlens.errors import OptionError
from handlens.manifest import InputSpec, OutputSpec

ENGINES = {"litert.js": "tflite", "onnxruntime-web": "onnx"}
"""Engine name to the kind of model it reads."""
_SHORT = {"litert": "litert.js", "onnxruntime": "onnxruntime-web"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One artifact on one engine with a number of threads.

    Attributes:
        number: from 0, in the order they are done.
        artifact: index of it.
        engine: one of `ENGINES`.
        threads: for the engine.
        accelerator: "cpu" or "webgpu".
    """

    number: int
    artifact: int
    engine: str
    threads: int
    accelerator: str


class Served:
    """An artifact as the page gets it.

    Args:
        opened: verified.
    """

    def __init__(self, opened: Artifact) -> None:
        """Draws the golden inputs and the picture, once."""
        spec = opened.manifest.input
        self.artifact = opened
        self.goldens = tuple(_input(each, spec) for each in opened.goldens)
        self.picture = pipeline.jpeg(spec)
        self.table = b"" if self.picture is None else _table(spec)

    @functools.cached_property
    def plain(self) -> dict[str, Any]:
        """What the page must know, as JSON takes it."""
        opened = self.artifact
        spec = opened.manifest.input
        return {
            "file": opened.path.name,
            "bytes": opened.model_size,
            "sha256": hashlib.sha256(opened.model).hexdigest(),
            "input": {
                **_tensor(spec),
                "width": spec.width,
                "height": spec.height,
                "channels": spec.channels,
                "layout": spec.layout,
                "colour": spec.colour,
            },
            "outputs": [_tensor(output) for output in opened.manifest.outputs],
            "goldens": [f"{each.generator} {each.seed}" for each in opened.goldens],
            "picture": self.picture is not None,
        }

    @property
    def answer_bytes(self) -> int:
        """Bytes of all outputs for all goldens."""
        outputs = self.artifact.manifest.outputs
        each = sum(int(np.prod(output.shape)) * np.dtype(output.dtype).itemsize for output in outputs)
        return each * len(self.goldens)


def engine_for(kind: str, wanted: str | None) -> str:
    """The engine for a kind of model.

    Raises:
        OptionError: the one that is wanted does not read it.
    """
    name = wanted and _SHORT.get(wanted, wanted)
    valid = [known for known, reads in ENGINES.items() if reads == kind]
    if name and name not in valid:
        raise OptionError(f"engine {wanted!r} does not read .{kind} models in a browser; valid: {', '.join(valid)}")
    return name or valid[0]


def jobs(order: Order, kinds: Sequence[str], facts: Facts) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """What is measured where, and sentences on what was ordered and is left out.

    Args:
        order: numbers of threads and the engine.
        kinds: of the artifacts, in their order.
        facts: what the browser can do; it gets WebGPU as a job of its own.

    Raises:
        OptionError: the engine does not read an artifact.
    """
    found: list[Job] = []
    left: dict[str, None] = {}
    for index, kind in enumerate(kinds):
        engine = engine_for(kind, order.engine)
        fits = [threads for threads in order.threads if _possible(threads, engine, facts, left)]
        ways = [(threads, "cpu") for threads in fits or [1]] + ([(1, "webgpu")] if facts.webgpu is not None else [])
        found += [
            Job(number=len(found) + at, artifact=index, engine=engine, threads=threads, accelerator=accelerator)
            for at, (threads, accelerator) in enumerate(ways)
        ]
    return tuple(found), tuple(left)


def _possible(threads: int, engine: str, facts: Facts, left: dict[str, None]) -> bool:
    if threads == 1:
        return True
    if not facts.isolated:
        why = "this page has one"
    elif threads > facts.cores:
        why = f"the browser has {facts.cores} cores"
    elif engine == "litert.js" and not facts.relaxed_simd:
        why = "LiteRT.js has one where WebAssembly lacks relaxed SIMD"
    else:
        return True
    left[f"{threads} threads were left out: {why}"] = None
    return False


def _input(made: golden.Golden, spec: InputSpec) -> bytes:
    pixels = golden.generate(made.generator, made.seed, spec.height, spec.width, spec.channels)
    return image.to_tensor(pixels, spec).tobytes()


def _tensor(spec: InputSpec | OutputSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _table(spec: InputSpec) -> bytes:
    """What each level 0..255 becomes in each channel of the tensor: (channels, 256) values of its dtype."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], spec.channels, axis=2)
    row = dataclasses.replace(spec, height=1, width=256, layout="NHWC", geometry="resize", template=())
    values = image.to_tensor(grey, row)[0, 0]
    return np.ascontiguousarray(values.T).tobytes()
