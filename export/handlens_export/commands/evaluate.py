"""`handlens evaluate`: the task metrics of an artifact, through the runtime."""

import json
from pathlib import Path
from typing import Annotated

import typer

from handlens_export.commands.options import DATA, DETECTOR


def evaluate(
    file: Annotated[Path, typer.Argument(help="The artifact.")],
    data: DATA = None,
    split: Annotated[str, typer.Option(help="test, or val: held out of training, for every choice.")] = "test",
    engine: Annotated[str | None, typer.Option(help="litert, tflite-runtime or onnxruntime.")] = None,
    detector: DETECTOR = None,
    record: Annotated[bool, typer.Option(help="Write the figures into the artifact.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure an artifact on images: metrics with 95% intervals (a bootstrap over people or images)."""
    from handlens.artifact import Artifact
    from handlens_data import where
    from handlens_export import figures
    from handlens_train import tasks

    name = Artifact.open(file).manifest.task
    task = tasks.get(name)
    options = figures.options_for(name, getattr(task, "OPTIONS", ()), {"detector": detector})
    root = where.find(data) if task.READS_DATA else None
    found = task.evaluate(file, root, split, engine, **options)
    if record:
        from handlens_export.record import record as write

        write(file, found)
    if as_json:
        typer.echo(json.dumps({"file": file.name, **found.to_dict()}, indent=2))
        return
    typer.echo(figures.text(file, found))
