"""Person masks beside each other in one process, one thread, on the same photographs: overlap, bytes, latency.

    python benchmarks/person_masks.py person-mask-int8.tflite selfie-segmentation.tflite --data DATA

Each photograph of the test part of Clothing Co-Parsing goes through each model, turn by turn, so that what else the
machine does hits all alike; the overlap is measured on Penn-Fudan, too, where DATA holds it. "model" is the engine's
run alone, "whole" is `segment`: resizing, model, decoding, the mask in the photograph's own pixels. A ratio is the
median over photographs of a model's time over that of the last file: name the model to beat last. Foreign models are
artifacts that `handlens import` made (docs/bring-your-own.md).
"""

import gc
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from handlens import metrics
from handlens.image import load_image, prepare, to_tensor
from handlens.segment import Segmenter
from handlens_data.datasets import ccp, pennfudan


def main(
    files: list[Path],
    data: Annotated[Path, typer.Option(envvar="HANDLENS_DATA", help="Folder that holds ccp/.")],
    rounds: Annotated[int, typer.Option(min=1, help="Times over the photographs, for the latency.")] = 3,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Compare FILES; the last one is what the ratios are of."""
    photos = ccp.load(data, "test")
    images = [load_image(path) for path in photos.paths]
    truths = [photos.groups(index) != 0 for index in range(len(photos))]
    models = [Segmenter.load(file, threads=threads) for file in files]
    sets = {"ccp": overlaps(models, images, truths)}
    if (data / pennfudan.NAME).is_dir():
        scenes = pennfudan.load(data).scenes
        people = [pennfudan.read_mask(scene.mask) != 0 for scene in scenes]
        sets["pennfudan"] = overlaps(models, [load_image(scene.path) for scene in scenes], people)
    times = latencies(models, images, rounds)
    print(f"{len(images)} photographs of ccp, {rounds} rounds, {threads} thread; milliseconds")
    heads = ("bytes", "model", "best", "ratio", "whole", "ratio")
    print(f"{'file':40}{'input':>9}{heads[0]:>9}" + "".join(f"{head:>7}" for head in heads[1:]) + "  IoU (95%)")
    ratios = np.median(times / times[:, -1:], axis=0)
    for column, (file, model) in enumerate(zip(files, models, strict=True)):
        own, spec = times[:, column] * 1e3, model.manifest.input
        scores = []
        for name, values in sets.items():
            found = metrics.bootstrap(values[column])
            scores.append(f"{name} {found.value:.4f} ({found.low:.3f} to {found.high:.3f})")
        median, best = np.median(own, axis=0), own.min(axis=0)
        print(
            f"{file.name:40}{f'{spec.width}x{spec.height}':>9}{file.stat().st_size:9,}{median[0]:7.2f}{best[0]:7.2f}"
            f"{ratios[column, 0]:7.2f}{median[1]:7.2f}{ratios[column, 1]:7.2f}  {', '.join(scores)}"
        )


def overlaps(models: list[Segmenter], images: list[np.ndarray], truths: list[np.ndarray]) -> np.ndarray:
    """IoU of each model on each image, (M, N), in the images' own pixels."""
    found = np.zeros((len(models), len(images)))
    for index, (image, truth) in enumerate(zip(images, truths, strict=True)):
        for row, model in enumerate(models):
            found[row, index] = metrics.mask_overlap(model.segment(image).mask(), truth).iou
    return found


def latencies(models: list[Segmenter], images: list[np.ndarray], rounds: int) -> np.ndarray:
    """Seconds, (rounds * N, M, 2): the model alone, and the whole of `segment`."""
    spent = np.zeros((rounds * len(images), len(models), 2))
    gc.disable()
    for index in range(len(spent)):
        image = images[index % len(images)]
        for column, model in enumerate(models):
            spec = model.manifest.input
            tensor = {spec.name: to_tensor(prepare(image, spec), spec)}
            model._engine.run(tensor)  # noqa: SLF001 - the model alone has no public door; this run warms the caches
            start = time.perf_counter()
            model._engine.run(tensor)  # noqa: SLF001
            middle = time.perf_counter()
            model.segment(image)
            spent[index, column] = middle - start, time.perf_counter() - middle
    gc.enable()
    return spent


if __name__ == "__main__":
    typer.run(main)
