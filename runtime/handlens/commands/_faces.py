"""What the commands that find faces share: options, and images that cannot be read."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from handlens._defaults import model_for
from handlens.engine import ENGINES
from handlens.errors import ImageError, InputError
from handlens.face import DetectorOptions, FaceDetector

Model = Annotated[Path | None, typer.Option(help="A face-detector artifact; left out: the zoo's.")]
MinScore = Annotated[float | None, typer.Option(help="Drop faces of a lower score, 0 to 1; left out: the artifact's.")]
MinSize = Annotated[float, typer.Option(help="Drop faces narrower or lower than so many pixels.")]
Engine = Annotated[str | None, typer.Option(help=f"One of {', '.join(ENGINES)}; left out: the file's default.")]
Threads = Annotated[int, typer.Option(help="Threads for the engine to use.")]

Answer = TypeVar("Answer")

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def open_detector(
    model: Path | None,
    engine: str | None,
    threads: int,
    min_score: float | None = None,
    min_size: float = 0.0,
    option: str = "--model",
) -> FaceDetector:
    """Opens the detector that was named, else the zoo's.

    Raises:
        HandlensError: it, or a value, cannot be used.
    """
    options = DetectorOptions(score_threshold=min_score, min_size=min_size)
    path = model_for(FaceDetector.task, model, option)
    return FaceDetector.load(path, engine=engine, threads=threads, options=options)


def readable(
    images: Sequence[Path], answer: Callable[[Path], Answer], unreadable: list[str]
) -> Iterator[tuple[Path, Answer]]:
    """Yields each image with its answer; of several, one that cannot be read is said and noted in `unreadable`.

    Raises:
        ImageError: the one image cannot be read.
    """
    for image in images:
        try:
            found = answer(image)
        except ImageError as error:
            if len(images) == 1:
                raise
            unreadable.append(str(error))
            typer.echo(f"skipped: {error}", err=True)
            continue
        yield image, found


def skipped(unreadable: Sequence[str], of: int) -> None:
    """Ends the command when images could not be read, after the others were done.

    Raises:
        InputError: there are some.
    """
    if unreadable:
        raise InputError(f"{len(unreadable)} of {of} images could not be read: {'; '.join(unreadable[:3])}")
