"""`handlens android`: artifacts and the Kotlin library as one dependency of an Android app."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Put artifacts and the Kotlin library into an Android archive (AAR).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def android() -> None:
    """Put artifacts and the Kotlin library into an Android archive (AAR)."""


@app.command()
def build(
    artifact: Annotated[list[Path], typer.Option("--artifact", help="A .tflite or .onnx artifact; repeat it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The archive to write.")] = Path("handlens.aar"),
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="Take in weights that not every app may carry; you keep to their terms."),
    ] = False,
    jar: Annotated[Path | None, typer.Option(help="The Kotlin library's classes; left out: those built here.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="A folder to publish the archive in as well, the way Gradle and Maven read it.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Of the archive in the repository; left out: that of handlens.")
    ] = None,
) -> None:
    """Write one AAR: classes, shrinker rules, and the artifacts as uncompressed assets."""
    from handlens_android.aar import ASSETS, build_aar
    from handlens_android.repository import publish

    built = build_aar(artifact, out, accept_licence=accept_licence, jar=jar)
    typer.echo(f"{built.path}: {built.size:,} bytes, {built.classes} classes, sha256 {built.sha256[:16]}")
    for asset in built.assets:
        typer.echo(f"  {ASSETS}{asset.name}: {asset.task}, {asset.size:,} bytes; weights: {asset.licence}")
    for line in built.limited:
        typer.echo(f"note: terms that you keep to: {line}", err=True)
    if repository is not None:
        _, coordinates = publish(built, repository, version)
        typer.echo(f"{repository}: a Maven repository with {coordinates}")
