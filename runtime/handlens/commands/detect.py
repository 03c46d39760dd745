"""`handlens detect IMAGE...`: where are the faces?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens.commands import _drawings, _faces
from handlens.face import Face
from handlens.image import Pixels, load_image


def detect(
    images: Annotated[list[Path], typer.Argument(help="JPEG, PNG, WebP or BMP files.")],
    model: _faces.Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    draw: Annotated[
        Path | None, typer.Option(help="Write the image with its faces drawn in: a file; for several images a folder.")
    ] = None,
    min_score: _faces.MinScore = None,
    min_size: _faces.MinSize = 0.0,
    engine: _faces.Engine = None,
    threads: _faces.Threads = 1,
) -> None:
    """Find faces: boxes, scores, five points and gender. Exit code 2 when an image could not be read."""
    targets = _drawings.targets(images, draw, "--draw")
    results: list[dict[str, Any]] = []
    unreadable: list[str] = []
    with _faces.open_detector(model, engine, threads, min_score, min_size) as detector:

        def answer(image: Path) -> tuple[Pixels, tuple[Face, ...]]:
            pixels = load_image(image)
            return pixels, detector.detect(pixels)

        for image, (pixels, faces) in _faces.readable(images, answer, unreadable):
            if image in targets:
                from handlens._draw import draw_faces

                _drawings.save(targets[image], draw_faces(pixels, faces))
            if not as_json:
                typer.echo("\n".join(lines(image, faces)))
            height, width = pixels.shape[:2]
            found = [face.to_dict() for face in faces]
            results.append({"image": str(image), "width": width, "height": height, "faces": found})
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    _faces.skipped(unreadable, len(images))


def lines(image: Path, faces: tuple[Face, ...]) -> list[str]:
    """The faces of an image as text."""
    result = [f"{image}: {len(faces) or 'no'} face{'' if len(faces) == 1 else 's'}"]
    for face in faces:
        x1, y1, x2, y2 = face.box
        gender = f"  {face.gender.label} {face.gender.confidence:.2f}" if face.gender else ""
        result.append(f"  score {face.score:.2f}  box {x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f}{gender}")
    return result
