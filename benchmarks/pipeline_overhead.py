"""What `FaceDetector.detect` takes beyond the bare interpreter call, for an image of the model's own size.

    python benchmarks/pipeline_overhead.py face-detector.tflite face-detector-nano.tflite

The bare call is LiteRT's `invoke` on the same model with its input already in place: no copy in, none out. `detect`
is all that a caller waits for: checks, letterbox, quantization, the model, decoding, suppression. They take turns of
25 calls (as a camera's frames follow each other, each finds its own data in the caches), so that what else the machine
does hits both alike. The image is a golden pattern, and with `--image` (or where scikit-image is installed: its
astronaut) a photograph with a face, too. The last column is p50 over p50.
"""

import gc
import importlib
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from handlens import golden
from handlens.artifact import Artifact
from handlens.face import FaceDetector
from handlens.image import load_image, prepare, resize, to_tensor

TURN, UNCOUNTED = 25, 3


def main(
    files: list[Path],
    image: Annotated[Path | None, typer.Option(help="A photograph; else scikit-image's astronaut.")] = None,
    runs: Annotated[int, typer.Option(min=1)] = 500,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Compare `detect` of FILES with the bare interpreter call."""
    print(f"{runs} runs of each in turns of {TURN}, {threads} thread(s); milliseconds")
    print(f"{'file':28}{'input':>9}  {'image':10}{'faces':>6}{'bare p50':>10}{'detect p50':>12}{'ratio':>7}")
    for file in files:
        artifact = Artifact.open(file)
        spec = artifact.manifest.input
        drawn = golden.generate(golden.GENERATORS[0], 1, spec.height, spec.width, spec.channels)
        for name, pixels in (("pattern", drawn), *photographs(image, spec.height, spec.width)):
            with FaceDetector.load(file, threads=threads) as detector:
                bare = interpreter(artifact, pixels, threads)
                times = turns(bare.invoke, lambda found=detector, seen=pixels: found.detect(seen), runs)
                faces = len(detector.detect(pixels))
            alone, whole = np.median(times, axis=1) * 1e3
            size = f"{spec.width}x{spec.height}"
            print(f"{file.name:28}{size:>9}  {name:10}{faces:6}{alone:10.3f}{whole:12.3f}{whole / alone:7.2f}")


def photographs(image: Path | None, height: int, width: int) -> list[tuple[str, np.ndarray]]:
    """The photograph at the model's own size; none where there is none."""
    if image is not None:
        return [("photograph", resize(load_image(image), height, width))]
    try:
        data = importlib.import_module("skimage.data")
    except ImportError:
        return []
    return [("astronaut", resize(np.ascontiguousarray(data.astronaut()), height, width))]


def interpreter(artifact: Artifact, pixels: np.ndarray, threads: int) -> Any:
    """LiteRT's own interpreter with the image in its input."""
    module = importlib.import_module("ai_edge_litert.interpreter")
    made = module.Interpreter(model_content=artifact.model, num_threads=threads)
    made.allocate_tensors()
    spec = artifact.manifest.input
    made.set_tensor(made.get_input_details()[0]["index"], to_tensor(prepare(pixels, spec), spec))
    return made


def turns(bare: Any, detect: Any, runs: int) -> np.ndarray:
    """Seconds of each call, (2, at least runs); the first calls of a turn are not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        for _ in range(-(-runs // TURN)):
            for call, spent in zip((bare, detect), times, strict=True):
                for index in range(TURN + UNCOUNTED):
                    start = time.perf_counter()
                    call()
                    if index >= UNCOUNTED:
                        spent.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return np.array(times)


if __name__ == "__main__":
    typer.run(main)
