"""`handlens match A B`: do two photographs show the same person?"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from handlens._defaults import model_for
from handlens.commands import _faces
from handlens.errors import NoFace, SeveralFaces
from handlens.face import Face, FaceDetector, FaceVerifier
from handlens.image import load_image


def match(
    first: Annotated[Path, typer.Argument(help="A photograph of one person.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
    fmr: Annotated[float, typer.Option(help="False match rate to decide at, one that the verifier carries.")] = 0.01,
    verifier: Annotated[Path | None, typer.Option(help="A face-verifier artifact; left out: the zoo's.")] = None,
    detector: Annotated[Path | None, typer.Option(help="A face-detector artifact; left out: the zoo's.")] = None,
    largest: Annotated[bool, typer.Option(help="Of several faces in an image take the largest.")] = False,
    engine: _faces.Engine = None,
    threads: _faces.Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the faces of two photographs. Exit code 0 for a match, 1 for none, 4 without exactly one face each."""
    path = model_for(FaceVerifier.task, verifier, "--verifier")
    with FaceVerifier.load(path, engine=engine, threads=threads) as teller:
        limit = teller.threshold(fmr)  # first: a rate that the file cannot carry needs no photographs to be refused
        with _faces.open_detector(detector, engine, threads, option="--detector") as finder:
            one, other = (_template(finder, teller, image, largest) for image in (first, second))
        score = teller.compare(one, other)
    matched = score >= limit.value
    if as_json:
        report = {
            "first": str(first),
            "second": str(second),
            "similarity": round(score, 6),
            "threshold": limit.value,
            "target_fmr": limit.target_fmr,
            "comparisons": limit.comparisons,
            "match": matched,
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        typer.echo(
            f"{'match' if matched else 'no match'}: similarity {score:.3f}, threshold {limit.value:.3f} for a false "
            f"match rate of {limit.target_fmr:g} (measured {limit.low:.2g} to {limit.high:.2g}, {limit.comparisons:,} "
            "comparisons)"
        )
    if not matched:
        raise typer.Exit(1)


def _template(finder: FaceDetector, teller: FaceVerifier, image: Path, largest: bool) -> NDArray[np.float32]:
    pixels = load_image(image)
    faces = finder.detect(pixels)
    if not faces:
        raise NoFace(f"{image}: no face", "give a photograph that shows one, larger or in better light")
    if len(faces) > 1 and not largest:
        raise SeveralFaces(f"{image}: {len(faces)} faces", "cut out the one that is meant, or say --largest")
    face: Face = max(faces, key=lambda found: found.width * found.height)
    template: NDArray[np.float32] = teller.embed(pixels, [face])[0]
    return template
