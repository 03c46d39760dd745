"""`handlens segment IMAGE...`: which pixels are foreground, and of what?"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from handlens._defaults import model_for
from handlens.commands import _drawings, _faces
from handlens.image import Pixels, load_image
from handlens.segment import Segmentation, Segmenter


def segment(
    images: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WebP or BMP files.")],
    model: Annotated[
        Path | None, typer.Option(help="An artifact that gives masks; left out: the zoo's person-mask.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    draw: Annotated[
        Path | None,
        typer.Option(help="Write the image with its classes drawn in: a file; for several images a folder."),
    ] = None,
    alpha: Annotated[
        Path | None,
        typer.Option(help="Write the image as a PNG whose background is transparent; several: a folder."),
    ] = None,
    engine: _faces.Engine = None,
    threads: _faces.Threads = 1,
) -> None:
    """Separate people (or what the model knows) from the background. Exit code 2 when an image could not be read."""
    drawings = _drawings.targets(images, draw, "--draw")
    cutouts = _drawings.targets(images, alpha, "--alpha", (".png",))
    results: list[dict[str, Any]] = []
    unreadable: list[str] = []
    with Segmenter.load(model_for(Segmenter.task, model), engine=engine, threads=threads) as segmenter:

        def answer(image: Path) -> tuple[Pixels, Segmentation]:
            pixels = load_image(image)
            return pixels, segmenter.segment(pixels)

        for image, (pixels, found) in _faces.readable(images, answer, unreadable):
            if image in drawings:
                from handlens._draw_mask import draw_segmentation

                _drawings.save(drawings[image], draw_segmentation(pixels, found))
            if image in cutouts:
                _drawings.save(cutouts[image], np.dstack([pixels, found.alpha]))
            if not as_json:
                typer.echo("\n".join(lines(image, found)))
            results.append({"image": str(image), **found.to_dict()})
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    _faces.skipped(unreadable, len(images))


def lines(image: Path, found: Segmentation) -> list[str]:
    """What was found in an image as text."""
    if found.box is None:
        result = [f"{image}: no foreground"]
    else:
        x1, y1, x2, y2 = found.box
        result = [f"{image}: foreground {found.mask().mean():.1%}, box {x1} {y1} {x2} {y2}"]
    if found.class_name is not None:
        result.append(f"  {found.class_name} {found.confidence:.2f}")
    if found.labels is not None:
        result += [f"  {name} {share:.1%}" for name, share in found.areas().items()]
    return result
