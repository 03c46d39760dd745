"""`handlens forget NAME`: delete a person's templates, or their failed attempts."""

from typing import Annotated

import typer

from handlens.access import forget as forget_person
from handlens.attempts import Attempts
from handlens.commands import _door
from handlens.store import Store
from handlens.vault import clean_name


def forget(
    name: Annotated[str, typer.Argument(help="As enrolled.")],
    store: _door.Store = None,
    key_file: _door.KeyFile = None,
    attempts: Annotated[
        bool, typer.Option("--attempts", help="Forget only the failed attempts, so that the next one need not wait.")
    ] = False,
) -> None:
    """Delete a person's templates of every model, and change the key they were encrypted with."""
    opened = Store.open(store, key_file=key_file, create=False)
    if attempts:
        with opened.lock():
            Attempts(opened).succeed(clean_name(name))
        typer.echo(f"forgot the failed attempts of {name}")
        return
    forget_person(opened, name)
    typer.echo(f"forgot {name}: the templates are deleted, and the key is a new one")
