"""`handlens verify NAME IMAGE`: is this the person that the name says?"""

from pathlib import Path
from typing import Annotated

import typer

from handlens.commands import _door


def verify(
    name: Annotated[str, typer.Argument(help="Claimed.")],
    image: Annotated[Path, typer.Argument(help="With exactly one face.")],
    detector: _door.Detector = None,
    verifier: _door.Verifier = None,
    store: _door.Store = None,
    key_file: _door.KeyFile = None,
    fmr: _door.Fmr = None,
    engine: _door.Engine = None,
    threads: _door.Threads = 1,
    as_json: _door.Json = False,
) -> None:
    """Compare a face with a name. Exit code 0 admitted, 1 not, 4 refused; no liveness detection."""
    with _door.open_door(detector, verifier, store, key_file, engine, threads, fmr=fmr) as door:
        decision = door.verify(name, image, reveal=True)
    _door.show(decision, as_json)
