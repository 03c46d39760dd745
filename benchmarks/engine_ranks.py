"""Do engines rank alike? The rank of each probe's first match on one engine, against that on another.

tflite-runtime lives in an environment of its own, so the ranks go through a file:

    python benchmarks/engine_ranks.py a.tflite --data DIR --engine litert --save litert.json
    python benchmarks/engine_ranks.py a.tflite --data DIR --engine tflite-runtime --against litert.json

An engine that fails the artifact's golden vectors is refused with the reason, before any image is read.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from handlens import PersonReidentifier, metrics
from handlens.errors import DataError
from handlens_data.datasets import market1501


def main(
    file: Path,
    data: Annotated[Path, typer.Option()],
    engine: Annotated[str | None, typer.Option()] = None,
    save: Annotated[Path | None, typer.Option()] = None,
    against: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Rank probe against gallery of FILE on an engine."""
    with PersonReidentifier.load(file, engine=engine) as model:
        found = market1501.load(data)
        if found.probe is None or found.gallery is None:
            raise DataError(f"{found.root} has no probes and gallery")
        probes, items = model.embed(found.probe.paths), model.embed(found.gallery.paths)
        used = model.engine
    people = (found.probe.identities, found.gallery.identities, found.probe.cameras, found.gallery.cameras)
    ranks = metrics.rank(probes @ items.T, *people).first_match.tolist()
    line = f"{file.name} on {used}: rank-1 {sum(rank == 0 for rank in ranks) / len(ranks):.4f}"
    if save is not None:
        save.write_text(json.dumps({"file": file.name, "engine": used, "ranks": ranks}))
    if against is not None:
        other = json.loads(against.read_text())
        moved = [abs(a - b) for a, b in zip(ranks, other["ranks"], strict=True)]
        first = sum((a == 0) != (b == 0) for a, b in zip(ranks, other["ranks"], strict=True))
        line += (
            f"; against {other['file']} on {other['engine']}: {sum(gap > 0 for gap in moved)} of {len(ranks)} probes "
            f"rank otherwise (by at most {max(moved)}), {first} at rank 1"
        )
    print(line)


if __name__ == "__main__":
    typer.run(main)
