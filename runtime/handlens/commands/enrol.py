"""`handlens enrol NAME IMAGE...`: make a template set from several photographs of one person."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from handlens.commands import _door


def enrol(
    name: Annotated[str, typer.Argument(help="Whom the photographs show.")],
    images: Annotated[list[Path], typer.Argument(help="Two to ten photographs of different moments.")],
    detector: _door.Detector = None,
    verifier: _door.Verifier = None,
    store: _door.Store = None,
    key_file: _door.KeyFile = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the templates under that name.")] = False,
    fmr: _door.Fmr = None,
    engine: _door.Engine = None,
    threads: _door.Threads = 1,
    as_json: _door.Json = False,
) -> None:
    """Enrol a person, who has agreed to it. Templates are kept encrypted; no image is kept."""
    with _door.open_door(detector, verifier, store, key_file, engine, threads, fmr=fmr) as door:
        done = door.enrol(name, images, replace=replace)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(done), indent=2))
    else:
        typer.echo(f"enrolled {done.name}: {done.images} templates of the model {done.model_id}")
