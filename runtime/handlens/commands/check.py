"""`handlens check FILE`: does this engine, on this machine, answer the artifact's golden vectors rightly?"""

import json
import math
from pathlib import Path
from typing import Annotated

import typer

from handlens import selfcheck
from handlens.artifact import Artifact
from handlens.engine import ENGINES, open_engine
from handlens.errors import EngineWrong
from handlens.golden import GoldenRow


def check(
    file: Annotated[Path, typer.Argument(help="An artifact: a .tflite or .onnx written by handlens export.")],
    engine: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(ENGINES)}; left out: the file's default.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads for the engine to use.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay an artifact's golden vectors on an engine; exit code 2 when it answers wrongly."""
    artifact = Artifact.open(file)
    opened = open_engine(artifact, engine, threads, check=False)
    try:
        verdict = selfcheck.check(artifact, opened)
    finally:
        opened.close()
    if as_json:
        report = {
            "file": str(file),
            "sha256": artifact.sha256,
            "engine": opened.name,
            "engine_version": opened.version,
            "threads": threads,
            "machine": selfcheck.machine()["architecture"],
            "passed": verdict.passed,
            "rows": [_row(row) for row in verdict.rows],
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        typer.echo(f"{file} on {opened.name} {opened.version}, {threads} thread{'s' if threads > 1 else ''}")
        for row in verdict.rows:
            typer.echo(
                f"  {'ok   ' if row.passed else 'WRONG'} {row.generator + ' ' + str(row.seed):<12} {row.output}: "
                f"off by {row.max_abs_error:.3g}, allowed {row.allowed:.3g}"
            )
    if not verdict.passed:
        raise EngineWrong(selfcheck.explain(artifact, opened, verdict))
    if not as_json:
        typer.echo("all goldens answered rightly")


def _row(row: GoldenRow) -> dict[str, object]:
    # JSON has no infinity: an error that is not finite becomes null.
    error = row.max_abs_error if math.isfinite(row.max_abs_error) else None
    return {
        "generator": row.generator,
        "seed": row.seed,
        "output": row.output,
        "max_abs_error": error,
        "allowed": row.allowed,
        "passed": row.passed,
    }
