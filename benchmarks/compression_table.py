"""The table of docs/compression.md: for each network the smallest artifacts within a loss, from folders of artifacts.

    python benchmarks/compression_table.py sweeps/gender/artifacts sweeps/reid-small/artifacts --budget 0.5 --budget 1.0

Reads what `handlens export --max-drop 100 --out DIR` or `handlens sweep --out DIR` (its DIR/artifacts) left. A network
is all artifacts of one training run; its float32 must be among them. "smallest" is decided twice, by the bytes of the
file and by those after gzip -9, which is what a download costs; where both choose the same file there is one row. With
--time the chosen files and the float32 ones are timed in turns by the report's clock (one thread, one run a network).
--all lists every artifact instead, smallest first. Prints Markdown.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from handlens.artifact import Artifact
from handlens_export.report.collect import collect
from handlens_export.report.measure import measure_all
from handlens_export.report.rows import PairedDrop, ReportRow, Score

_HEAD = ("network", "smallest within", "recipe", "bytes", "of float32", "gzip", "of float32")
_HEAD += ("metric", "loss, points", "n", "ms")


@dataclass(frozen=True, slots=True)
class Item:
    """An artifact: its row of the report, the figure that its gate looked at, and the file."""

    row: ReportRow
    score: Score
    drop: PairedDrop | None
    artifact: Artifact

    @property
    def loss(self) -> float:
        """Points (hundredths) of the primary metric below float32; 0 for float32 itself."""
        return 0.0 if self.drop is None else -100 * self.drop.value

    def loss_text(self) -> str:
        """The loss with the 95% interval of the paired difference."""
        if self.drop is None:
            return ""
        low, high = (0.0 if end is None else -100 * end for end in (self.drop.high, self.drop.low))
        return f"{self.loss + 0.0:.2f} ({low + 0.0:.2f} to {high + 0.0:.2f})"


def networks(folders: Sequence[Path]) -> dict[str, list[Item]]:
    """All measured artifacts by the name of their network; an artifact that is in two folders counts once."""
    found: dict[str, dict[tuple[str, str], Item]] = {}
    for folder in folders:
        collected = collect(folder)
        for row, artifact in zip(collected.rows, collected.artifacts, strict=True):
            drop = row.drops[0] if row.drops else None
            score = _primary(row, drop)
            if score is not None and (drop is not None or row.recipe == "float32"):
                found.setdefault(row.name, {})[row.recipe, row.format] = Item(row, score, drop, artifact)
    return {name: list(items.values()) for name, items in found.items()}


def _primary(row: ReportRow, drop: PairedDrop | None) -> Score | None:
    for measured in sorted(row.measured, key=lambda measured: measured.split != "val"):
        name = measured.primary if drop is None else drop.metric
        if drop is None or (measured.dataset, measured.split) == (drop.dataset, drop.split):
            return measured.score(name) or (measured.scores[0] if measured.scores else None)
    return None


def chosen(items: Sequence[Item], budget: float) -> list[tuple[str, Item]]:
    """(" as it is" or " gzipped", artifact) of those that lose at most `budget` points; none where none does."""
    within = [item for item in items if item.row.recipe != "float32" and item.loss <= budget]
    if not within:
        return []
    by_file = min(within, key=lambda item: item.row.size)
    by_gzip = min(within, key=lambda item: item.row.gzip_size)
    if by_file is by_gzip:
        return [("", by_file)]
    return [(" as it is", by_file), (" gzipped", by_gzip)]


def times(items: Sequence[Item], rounds: int) -> dict[Path, float]:
    """The median milliseconds of each file's network, measured in turns."""
    pairs = {str(item.artifact.path): item.artifact for item in items}
    timed = measure_all(list(pairs.items()), rounds=rounds, progress=lambda text: print(text, file=sys.stderr))
    return {Path(name): timing.p50_ms for name, timing in timed.items() if not isinstance(timing, str)}


def main() -> None:
    """Reads the folders, chooses, times, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--budget", action="append", type=float, help="points; default 0.5 and 1.0")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    table: list[tuple[str, Item]] = []
    references: dict[str, Item] = {}
    for name, items in sorted(networks(options.folders).items()):
        full = [item for item in items if item.row.recipe == "float32"]
        if not full:
            print(f"{name}: no float32 artifact among them; left out", file=sys.stderr)
            continue
        references[name] = next((item for item in full if item.row.format == "tflite"), full[0])
        if options.all:
            table += [("", item) for item in sorted(items, key=lambda item: item.row.size)]
            continue
        table.append(("", references[name]))
        picked: dict[Path, tuple[list[str], Item]] = {}
        for budget in options.budget or (0.5, 1.0):
            picks = chosen(items, budget)
            for what, item in picks:
                picked.setdefault(item.artifact.path, ([], item))[0].append(f"{budget:.1f}{what}")
            if not picks:
                print(f"{name}: nothing within {budget:g} points", file=sys.stderr)
        table += [(", ".join(words), item) for words, item in picked.values()]
    clock = times([item for _, item in table], options.rounds) if options.time else {}
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}")
    for what, item in table:
        row, size = item.row, references[item.row.name].row.size
        milliseconds = clock.get(item.artifact.path)
        cells = (
            row.name,
            what,
            f"`{row.recipe}`" + ("" if row.format == "tflite" else f" .{row.format}"),
            f"{row.size:,}",
            f"{row.size / size:.3f}",
            f"{row.gzip_size:,}",
            f"{row.gzip_size / size:.3f}",
            f"{item.score.name} {item.score.value:.3f}",
            item.loss_text(),
            f"{item.score.n:,}",
            "" if milliseconds is None else f"{milliseconds:.3f}",
        )
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
