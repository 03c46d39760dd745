"""Face detectors beside each other in one process, one thread, turn by turn: latency as ratios.

    python benchmarks/face_detectors.py face-detector-int8.tflite yunet.onnx blazeface.tflite --image photo.jpg

The first file is the one that the others are compared with. Foreign detectors are artifacts that `handlens import` made
(docs/bring-your-own.md). Every round times each detector once, so that what else the machine does hits all alike; the
figure is the median over rounds of the round's own ratio. "model" is the engine's run alone, "whole" is `detect`:
letterbox, model, decoding, suppression. The fastest round is printed, too: on a busy machine it says more.
"""

import gc
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from handlens.face import FaceDetector
from handlens.image import load_image, prepare, to_tensor


def main(
    files: list[Path],
    image: Annotated[Path | None, typer.Option(help="A photograph; else scikit-image's astronaut.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 200,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Compare the latency of FILES."""
    pixels = astronaut() if image is None else load_image(image)
    models = [FaceDetector.load(file, threads=threads) for file in files]
    tensors = [
        {model.manifest.input.name: to_tensor(prepare(pixels, model.manifest.input), model.manifest.input)}
        for model in models
    ]
    times = np.zeros((rounds, len(models), 2))
    for _ in range(5):
        turn(models, tensors, pixels)
    gc.disable()
    for index in range(rounds):
        times[index] = turn(models, tensors, pixels)
    print(f"{rounds} rounds, {threads} thread, image {pixels.shape[1]}x{pixels.shape[0]}; milliseconds")
    heads = ("model: median", "best", "ratio", "  whole: median", "ratio")
    print(f"{'file':32}{'input':>9}{'KB':>7}  {heads[0]:>13}{heads[1]:>7}{heads[2]:>7}{heads[3]:>15}{heads[4]:>7}")
    for column, (file, model) in enumerate(zip(files, models, strict=True)):
        own, ratio = times[:, column] * 1e3, np.median(times[:, column] / times[:, 0], axis=0)
        median, best, spec = np.median(own, axis=0), own.min(axis=0), model.manifest.input
        print(
            f"{file.name:32}{spec.width:>5}x{spec.height}{file.stat().st_size / 1024:7.0f}  "
            f"{median[0]:13.2f}{best[0]:7.2f}{ratio[0]:7.2f}  {median[1]:13.2f}{ratio[1]:7.2f}  {model.engine}"
        )


def turn(models: list[FaceDetector], tensors: list[dict[str, np.ndarray]], pixels: np.ndarray) -> np.ndarray:
    """Seconds of each detector, (N, 2): the model alone, and the whole of `detect`."""
    spent = np.zeros((len(models), 2))
    for index, (model, tensor) in enumerate(zip(models, tensors, strict=True)):
        start = time.perf_counter()
        model._engine.run(tensor)  # noqa: SLF001 - the model alone has no public door
        middle = time.perf_counter()
        model.detect(pixels)
        spent[index] = middle - start, time.perf_counter() - middle
    return spent


def astronaut() -> np.ndarray:
    """NASA's portrait of Eileen Collins, public domain, from scikit-image: uint8 (512, 512, 3)."""
    from skimage.data import astronaut as portrait

    return np.ascontiguousarray(portrait())


if __name__ == "__main__":
    typer.run(main)
