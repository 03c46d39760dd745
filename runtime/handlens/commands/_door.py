"""What the door's commands share: their options, and how a decision is printed."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from handlens._defaults import model_for
from handlens.access import Decision, Door, DoorOptions
from handlens.engine import ENGINES

Detector = Annotated[Path | None, typer.Option(help="A face-detector artifact; left out: the zoo's.")]
Verifier = Annotated[Path | None, typer.Option(help="A face-verifier artifact; left out: the zoo's.")]
Store = Annotated[Path | None, typer.Option(help="Folder of the templates; left out: the user's own.")]
KeyFile = Annotated[Path | None, typer.Option(help="The key, when it is not in the keyring; left out: in the store.")]
Fmr = Annotated[float | None, typer.Option(help="False match rate of a comparison; one that the verifier carries.")]
Engine = Annotated[str | None, typer.Option(help=f"One of {', '.join(ENGINES)}; left out: each file's default.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads for the engine to use.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

# 0 opens the door, and nothing else does: a script that looks at the exit code alone is safe.
EXIT = {"admitted": 0, "not admitted": 1, "person": 5}


def open_door(
    detector: Path | None,
    verifier: Path | None,
    store: Path | None,
    key_file: Path | None,
    engine: str | None,
    threads: int,
    **rates: float | None,
) -> Door:
    """Opens the door, and says on stderr what the operator should know."""
    options = DoorOptions(**{name: rate for name, rate in rates.items() if rate is not None})  # type: ignore[arg-type]
    finder = model_for("face-detector", detector, "--detector")
    teller = model_for("face-verifier", verifier, "--verifier")
    door = Door.open(finder, teller, store, options=options, engine=engine, threads=threads, key_file=key_file)
    for notice in door.notices:
        typer.echo(f"note: {notice}", err=True)
    return door


def show(decision: Decision, as_json: bool) -> None:
    """Prints a decision.

    Raises:
        typer.Exit: with 1 or 5 where nobody is admitted.
    """
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(decision), "admitted": decision.admitted}, indent=2))
    else:
        typer.echo(f"{decision.outcome}: {decision.name or 'nobody enrolled'}; {decision.reason}")
        if decision.score is not None and decision.threshold is not None:
            typer.echo(
                f"  similarity {decision.score:.4f}, threshold {decision.threshold:.4f} for a false match rate of "
                f"{decision.target_fmr:g} ({decision.comparisons:,} comparisons)"
            )
    if EXIT[decision.outcome]:
        raise typer.Exit(EXIT[decision.outcome])
