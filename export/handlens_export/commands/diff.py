"""`handlens diff`: whether a new artifact is worse than an old one beyond noise, for a user's CI."""

import json
from pathlib import Path
from typing import Annotated

import typer

from handlens_export.commands.options import DATA, DETECTOR


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The artifact to compare with.", show_default=False)],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The artifact in question.", show_default=False)],
    data: DATA = None,
    split: Annotated[str, typer.Option(help="test, or val: held out of training, for every choice.")] = "test",
    allow: Annotated[float, typer.Option(help="Points of the first metric that NEW may lose.", min=0, max=100)] = 0.0,
    detector: DETECTOR = None,
    rounds: Annotated[int, typer.Option(help="How often the two take turns when timed; 0: not.", min=0, max=1000)] = 12,
    html: Annotated[Path | None, typer.Option(help="Page to write, with the images whose answers flipped.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two artifacts of a task on the same images: metric, bytes, time, and whose answers flipped.

    Ends with exit code 3 when NEW is worse beyond noise: when the whole 95% interval of the paired difference lies
    below what --allow allows.
    """
    from rich.console import Console

    from handlens.artifact import Artifact
    from handlens.errors import GateFailed
    from handlens_data import where
    from handlens_export import figures
    from handlens_export.diff.compare import compare
    from handlens_export.diff.rows import text
    from handlens_train import tasks

    name = Artifact.open(new).manifest.task
    task = tasks.get(name)
    options = figures.options_for(name, getattr(task, "OPTIONS", ()), {"detector": detector})
    root = where.find(data) if task.READS_DATA else None
    with Console(stderr=True).status("reading") as status:
        found = compare(
            old,
            new,
            lambda path: task.evaluate(path, root, split, None, **options),
            allowed=allow,
            rounds=rounds,
            progress=status.update,
        )
    if html is not None:
        from datetime import UTC, datetime

        import handlens
        from handlens.files import write_text
        from handlens_export.diff.page import page

        made = (
            f"Written by handlens {handlens.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. It fetches nothing."
        )
        write_text(html, page(found, made))
    typer.echo(json.dumps(found.to_dict(), indent=2) if as_json else text(found))
    if found.worse:
        raise GateFailed(found.sentence())
