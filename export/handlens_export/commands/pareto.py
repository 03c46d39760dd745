"""`handlens pareto`: all trials of all sweeps, and other artifacts, as one HTML page that opens offline."""

from pathlib import Path
from typing import Annotated

import typer


def pareto(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders of sweeps or of artifacts; searched recursively."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path("pareto.html"),
    time: Annotated[
        bool, typer.Option("--time", help="Time every artifact here, in turns, instead of showing recorded times.")
    ] = False,
    title: Annotated[str, typer.Option(help="Of the page; the folders' names by default.")] = "",
) -> None:
    """Size against metric against latency over all trials and tasks, with what others published as marks.

    A sweep's figures are read from its database; artifacts outside of sweeps from their manifests.
    """
    from rich.console import Console

    from handlens_export.pareto.build import write_page

    with Console(stderr=True).status("reading") as status:
        made = write_page(folders, out, title=title, time=time, progress=status.update)
    done = sum(row.state == "done" for row in made.rows)
    typer.echo(f"{out}: {len(made.rows)} rows, {done} with an artifact")
    for path, reason in made.unread:
        typer.echo(f"  {path}: {reason}", err=True)
