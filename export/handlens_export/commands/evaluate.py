"""`handlens evaluate`: the task metrics of an artifact, through the runtime."""

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    file: Annotated[Path, typer.Argument(help="The artifact.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with the task's data set, in its public layout. Default: HANDLENS_DATA.")
    ] = None,
    split: Annotated[str, typer.Option(help="test, or val: held out of training, for every choice.")] = "test",
    engine: Annotated[str | None, typer.Option(help="litert, tflite-runtime or onnxruntime.")] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector that finds and aligns faces; for a face verifier.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another artifact of the task, such as a peer: the paired difference to it.")
    ] = None,
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
    beside = None
    if against is not None:
        beside = figures.beside(file, found, against, task.evaluate(against, root, split, None, **options))
    if record:
        from handlens_export.record import record as write

        write(file, found)
    if as_json:
        facts = {"file": file.name, **found.to_dict()} | ({"against": beside.to_dict()} if beside else {})
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(figures.text(file, found))
    if beside is not None:
        typer.echo(f"\n{beside.sentence()}")
