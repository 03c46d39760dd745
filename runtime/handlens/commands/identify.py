"""`handlens identify IMAGE`: who of all who are enrolled is this?"""

from pathlib import Path
from typing import Annotated

import typer

from handlens.commands import _door


def identify(
    image: Annotated[Path, typer.Argument(help="With exactly one face.")],
    detector: _door.Detector = None,
    verifier: _door.Verifier = None,
    store: _door.Store = None,
    key_file: _door.KeyFile = None,
    fpir: Annotated[
        float | None, typer.Option(help="How often somebody not enrolled may be taken for anybody who is.")
    ] = None,
    fmr: _door.Fmr = None,
    engine: _door.Engine = None,
    threads: _door.Threads = 1,
    as_json: _door.Json = False,
) -> None:
    """Look for a face among all who are enrolled. Exit code 0 admitted, 1 nobody, 5 a person decides, 4 refused."""
    with _door.open_door(detector, verifier, store, key_file, engine, threads, fmr=fmr, fpir=fpir) as door:
        decision = door.identify(image)
    _door.show(decision, as_json)
