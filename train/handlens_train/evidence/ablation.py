"""What each part of the augmentation is worth: one recipe with parts of it switched off, on the same probes."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens import metrics
from handlens.errors import DataError
from handlens.files import write_bytes
from handlens_train.evidence.drawing import PLAIN, RIGHT, WRONG, figure
from handlens_train.evidence.matches import Matches


@dataclass(frozen=True, slots=True)
class Ablation:
    """One variant: rank-1 and mAP with intervals, and the paired difference in rank-1 from the full recipe."""

    name: str
    rank1: metrics.Interval
    mean_ap: metrics.Interval
    difference: metrics.Interval

    @property
    def cells(self) -> list[str]:
        """As the page shows them: name, rank-1, mAP, difference in points."""
        gap = self.difference
        points = f"{100 * gap.value:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
        return [self.name, *(f"{m.value:.3f} [{m.low:.3f}, {m.high:.3f}]" for m in (self.rank1, self.mean_ap)), points]


HEADER = ("augmentation", "rank-1", "mAP", "rank-1 against the full recipe, points")


def describe(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """How `other`'s augmentation differs from `base`'s: "without flip", "none", "shift 8 -> 4"."""
    changed = [key for key in base if other.get(key) != base[key]]
    if not changed:
        return "as the recipe"
    if not any(other.get(key) for key in base):
        return "none"
    return ", ".join(f"{k} {base[k]} → {other.get(k)}" if other.get(k) else f"without {k}" for k in changed)


def ablate(full: Matches, variants: Sequence[tuple[str, Matches]]) -> list[Ablation]:
    """The full recipe first, then each named variant, measured on the same probes.

    Raises:
        DataError: a variant was matched on other probes.
    """
    rows, ids = [], full.ranking.probe_ids
    for name, model in (("as the recipe", full), *variants):
        if not np.array_equal(model.ranking.probe_ids, ids):
            raise DataError(f"{model.name} was matched on other probes than {full.name}. Match both on the same split.")
        hits = model.ranking.hits(1)
        rows.append(
            Ablation(
                name,
                metrics.bootstrap(hits, ids),
                metrics.bootstrap(model.ranking.average_precision, ids),
                metrics.paired_bootstrap(hits, full.ranking.hits(1), ids),
            )
        )
    return rows


def draw_ablation(rows: Sequence[Ablation], output: Path, table: Path) -> str:
    """Paired differences in rank-1 as dots with 95% intervals, and the table as CSV; returns a caption."""
    shown = sorted(rows[1:], key=lambda row: row.difference.value)
    with figure(output, 7.2, 1.2 + 0.42 * len(shown)) as fig:
        axes = fig.subplots()
        axes.axvline(0, color=PLAIN, lw=1)
        for place, row in enumerate(shown):
            gap = row.difference
            colour = WRONG if gap.high < 0 else RIGHT if gap.low > 0 else PLAIN
            axes.plot([100 * gap.low, 100 * gap.high], [place, place], color=colour, lw=2.2)
            axes.plot(100 * gap.value, place, "o", color=colour, markersize=7)
        axes.set_yticks(range(len(shown)), [row.name for row in shown])
        axes.set(title="Augmentation, part by part", ylim=(-0.6, len(shown) - 0.4))
        axes.set_xlabel(f"points of rank-1 against the full recipe ({rows[0].rank1.value:.3f})")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    parts = [f"{key}{end}" for key in ("rank1", "map", "difference") for end in ("", "_low", "_high")]
    writer.writerow(["augmentation", *parts])
    for row in rows:
        figures = [v for m in (row.rank1, row.mean_ap, row.difference) for v in (m.value, m.low, m.high)]
        writer.writerow([row.name, *(f"{value:.4f}" for value in figures)])
    write_bytes(table, buffer.getvalue().encode())
    return (
        "Same recipe, data and seed. Lines are 95% bootstrap intervals of the paired difference; grey ones hold zero."
    )
