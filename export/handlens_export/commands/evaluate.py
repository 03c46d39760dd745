"""`handlens evaluate`: the task metric of an artifact, through the runtime."""

import json
from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    file: Annotated[Path, typer.Argument(help="The artifact.")],
    data: Annotated[
        Path | None, typer.Option(help="Market-1501's layout, or probe/ and gallery/. Default: HANDLENS_DATA.")
    ] = None,
    split: Annotated[str, typer.Option(help="test, or val: the held-out part of the training identities.")] = "test",
    engine: Annotated[str | None, typer.Option(help="litert, tflite-runtime or onnxruntime.")] = None,
    record: Annotated[bool, typer.Option(help="Write the figures into the artifact's manifest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure an artifact on images: metrics with 95% intervals (a bootstrap over identities)."""
    from handlens.artifact import Artifact
    from handlens_data import where
    from handlens_train import tasks

    task = tasks.get(Artifact.open(file).manifest.task)
    found = task.evaluate(file, where.find(data) if task.READS_DATA else None, split, engine)
    if record:
        from handlens_export.record import record as write

        write(file, found)
    if as_json:
        typer.echo(json.dumps({"file": file.name, **found.to_dict()}, indent=2))
        return
    typer.echo(f"{file.name} on {found.dataset}/{found.split} ({found.protocol}), {found.engine}")
    for name, figure in found.metrics.items():
        typer.echo(f"  {name:<12} {figure.value:.4f}  [{figure.low:.4f}, {figure.high:.4f}]")
