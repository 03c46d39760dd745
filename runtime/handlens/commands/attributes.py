"""`handlens attributes IMAGE...`: what do these people look like?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens._defaults import model_for
from handlens.commands import _faces
from handlens.person import AttributeClassifier, Attributes


def attributes(
    images: Annotated[list[Path], typer.Argument(help="Crops of persons, each filling its crop.")],
    model: Annotated[Path | None, typer.Option(help="An attributes artifact; left out: the zoo's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the confidence in every label.")] = False,
    engine: _faces.Engine = None,
    threads: _faces.Threads = 1,
) -> None:
    """Say what people look like: gender, clothes, luggage. Exit code 2 when an image could not be read."""
    results: list[dict[str, Any]] = []
    unreadable: list[str] = []
    path = model_for(AttributeClassifier.task, model)
    with AttributeClassifier.load(path, engine=engine, threads=threads) as classifier:
        for image, found in _faces.readable(images, lambda image: classifier.classify([image])[0], unreadable):
            if not as_json:
                typer.echo("\n".join(lines(image, found)))
            results.append({"image": str(image), "labels": found.labels(), "confidences": found.confidences()})
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    _faces.skipped(unreadable, len(images))


def lines(image: Path, found: Attributes) -> list[str]:
    """The answers about an image as text."""
    width = max(len(head) for head in found)
    answers = [f"  {head:<{width}}  {found[head].label:<12} {found[head].confidence:.2f}" for head in found]
    return [f"{image}:", *answers]
