"""`handlens report`: a folder of artifacts as one HTML page that opens offline."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with .tflite and .onnx artifacts; searched recursively.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")] = Path("report.html"),
    max_drop: Annotated[
        float,
        typer.Option(min=0.0, help="Budget: points of the first metric that an artifact may lose against float32."),
    ] = 1.0,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often the artifacts take turns when timed.")] = 12,
    bench: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.json", help="Show what handlens bench --json wrote, too; may be given again."),
    ] = None,
    title: Annotated[str, typer.Option(help="Of the page; the folder's name by default.")] = "",
) -> None:
    """Weigh accuracy against size against latency: one HTML file that opens offline.

    Times every artifact of DIR here, in turns, at one thread. A damaged file gets a row that says why.
    """
    from rich.console import Console

    from handlens_export.report.build import write_report

    quiet = Console(stderr=True)
    with quiet.status("reading") as status:
        made = write_report(
            folder, out, max_drop=max_drop, rounds=rounds, title=title, bench=bench or (), progress=status.update
        )
    unread = f", {len(made.broken)} not readable" if made.broken else ""
    untimed = sum(row.timing is None for row in made.rows)
    count = len(made.rows)
    typer.echo(
        f"{out}: {count} artifact{'' if count == 1 else 's'}{unread}{f', {untimed} not timed' if untimed else ''}"
    )
    strangers = sorted({row.figure.artifact for row in made.devices if not row.path})
    if strangers:
        typer.echo(f"  measured, but not in {folder}: {', '.join(strangers)}", err=True)
    for row in made.broken:
        typer.echo(f"  {row.path}: {row.error}: {row.reason}", err=True)
