"""Which people one model finds and another does not: a table, a scatter and a sheet, on the same probes."""

import csv
import io
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens.errors import DataError
from handlens.files import write_bytes
from handlens_train.evidence.drawing import FAINT, PLAIN, SERIES, Cell, Line, colour_image, figure, sheet
from handlens_train.evidence.matches import Crowd, Matches
from handlens_train.evidence.mistakes import nearest_cells


def tabulate_wins(a: Matches, b: Matches, output: Path) -> list[dict[str, float]]:
    """Rank-1 share and average precision of each identity under both models, as CSV and as rows, `a`'s gains first.

    Raises:
        DataError: the models were not matched on the same probes.
    """
    ids = a.ranking.probe_ids
    if not np.array_equal(ids, b.ranking.probe_ids):
        raise DataError(f"{a.name} and {b.name} were matched on different probes. Match both on the same split.")
    rows = []
    for person in np.unique(ids):
        mine = ids == person
        row: dict[str, float] = {"identity": int(person), "probes": int(mine.sum())}
        for key, model in (("a", a), ("b", b)):
            row[f"rank1_{key}"] = round(float(model.ranking.hits(1)[mine].mean()), 4)
            row[f"ap_{key}"] = round(float(model.ranking.average_precision[mine].mean()), 4)
        row["ap_difference"] = round(row["ap_a"] - row["ap_b"], 4)
        rows.append(row)
    rows.sort(key=lambda row: -row["ap_difference"])
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(output, buffer.getvalue().encode())
    return rows


def compare(a: Matches, b: Matches) -> str:
    """One sentence: who finds what the other does not, and the paired difference in rank-1 with its interval."""
    first, second = a.ranking.hits(1), b.ranking.hits(1)
    gap = metrics.paired_bootstrap(first, second, a.ranking.probe_ids)
    both, neither = np.sum(first * second), np.sum((1 - first) * (1 - second))
    only_a, only_b = np.sum(first * (1 - second)), np.sum(second * (1 - first))
    verdict = "the interval leaves out zero" if gap.low > 0 or gap.high < 0 else "which may be chance"
    return (
        f"Of {len(first)} probes both find {both:.0f} at rank 1, only {a.name} {only_a:.0f}, "
        f"only {b.name} {only_b:.0f}, neither {neither:.0f}. Rank-1 differs by {100 * gap.value:+.1f} points "
        f"[{100 * gap.low:+.1f}, {100 * gap.high:+.1f}], {verdict}."
    )


def draw_wins(a: Matches, b: Matches, rows: list[dict[str, float]], output: Path) -> None:
    """Each identity's mean average precision under both models; above the diagonal `a` wins."""
    x, y = (np.array([row[key] for row in rows]) for key in ("ap_b", "ap_a"))
    with figure(output, 5.2, 5.2) as fig:
        axes = fig.subplots()
        axes.plot([0, 1], [0, 1], color=FAINT, lw=1.2, zorder=1)
        colours = np.array([SERIES[1], PLAIN, SERIES[0]])[np.sign(y - x).astype(int) + 1]
        axes.scatter(x, y, s=26, c=colours, alpha=0.8, edgecolor="white", linewidth=0.5, zorder=2)
        ends = np.argsort(y - x)
        for i in {*ends[:3], *ends[-3:]}:
            label = f"{rows[i]['identity']:.0f}"
            axes.annotate(label, (x[i], y[i]), xytext=(4, 4), textcoords="offset points", fontsize=7.5)
        axes.text(0, 1.05, f"{a.name} wins: {np.sum(y > x)} people", color=SERIES[0], fontweight="bold")
        axes.text(1, -0.08, f"{b.name} wins: {np.sum(y < x)} people", color=SERIES[1], ha="right", fontweight="bold")
        axes.set(xlabel=f"average precision, {b.name}", ylabel=f"average precision, {a.name}", title="Person by person")
        axes.set(xlim=(-0.03, 1.06), ylim=(-0.12, 1.12), aspect="equal")


def draw_win_sheet(
    a: Matches, b: Matches, probe_crowd: Crowd, gallery_crowd: Crowd, output: Path, *, rows: int = 8
) -> str:
    """Probes that `a` finds at rank 1 and `b` puts farthest down, one a person; returns a caption."""
    won = np.flatnonzero((a.ranking.first_match == 0) & (b.ranking.first_match > 0))
    order = won[np.argsort(-b.ranking.first_match[won], kind="stable")]
    _, leaders = np.unique(probe_crowd.ids[order], return_index=True)
    lines = []
    for probe in order[np.sort(leaders)][:rows]:
        person = probe_crowd.ids[probe]
        cells: list[Cell | None] = [Cell(colour_image(probe_crowd.images[probe])), None]
        cells += nearest_cells(a, probe, person, gallery_crowd, 3)
        cells += [None, *nearest_cells(b, probe, person, gallery_crowd, 3)]
        lines.append(Line(f"person {person}\n{b.name}\nrank {b.ranking.first_match[probe] + 1}", cells))
    header = ("probe", "", f"{a.name}:", "", "", "", f"{b.name}:", "", "")
    sheet(output, f"Found by {a.name}, missed by {b.name}", lines, header)
    if not len(won):
        return f"No probe is found at rank 1 by {a.name} and missed by {b.name}."
    found = f"{len(won)} probes are found at rank 1 by {a.name} and missed by {b.name}"
    return f"{found}; the {len(lines)} clearest, one a person."
