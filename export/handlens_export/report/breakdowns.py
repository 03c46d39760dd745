"""Figures taken apart, as tables: a row a group (an age band, a range of face heights), a column an artifact."""

from collections.abc import Sequence

from handlens_export.report import words
from handlens_export.report.boards import Board, Entry
from handlens_export.report.markup import Markup, el
from handlens_export.report.rows import Score, metric_label
from handlens_export.report.table import glyph_of, mini
from handlens_export.report.verdict import label_of
from handlens_train.evaluation import Breakdown, Row

COLUMNS = 6
TOO_FEW = "too few"


def breakdowns(board: Board, chosen: Sequence[str]) -> Markup | None:
    """A table for each breakdown of the board; None where there is none.

    Args:
        board: the rows.
        chosen: paths of the artifacts that matter most; these come first where not all fit.
    """
    tables: dict[tuple[str, str], list[tuple[Entry, Breakdown]]] = {}
    for entry in board.entries:
        for item in entry.measured.breakdowns:
            tables.setdefault((item.name, item.metric or board.primary), []).append((entry, item))
    if not tables:
        return None
    drawn = [_table(name, metric, members, board, chosen) for (name, metric), members in tables.items()]
    return el("div", drawn, class_="breakdowns")


def _table(
    name: str, metric: str, members: list[tuple[Entry, Breakdown]], board: Board, chosen: Sequence[str]
) -> Markup:
    first = sorted(members, key=lambda m: (m[0].row.path not in chosen, not m[0].row.foreign))[:COLUMNS]
    shown = [m for m in members if m in first]
    labels = list(dict.fromkeys(row.label for _, item in shown for row in item.rows))
    found = {(entry.row.path, row.label): row for entry, item in shown for row in item.rows}
    values = [row for row in found.values() if row.value is not None]
    low = min((row.value if row.low is None else row.low for row in values if row.value is not None), default=0.0)
    high = max((row.value if row.high is None else row.high for row in values if row.value is not None), default=1.0)
    body = []
    for label in labels:
        cells = [found.get((entry.row.path, label)) for entry, _ in shown]
        counts = sorted({cell.n for cell in cells if cell is not None})
        n = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
        filled = [_cell(cell, (low, high)) for cell in cells]
        body.append(el("tr", el("th", label, scope="row"), el("td", n, class_="num"), filled))
    heads = [
        el("th", glyph_of(entry, board), label_of(entry, board), scope="col", class_="num", data_row=entry.row.path)
        for entry, _ in shown
    ]
    head = el("tr", el("th", name, scope="col"), el("th", "n", scope="col", class_="num"), heads)
    hidden = len(members) - len(shown)
    more = f"; {hidden} more artifacts in their files" if hidden else ""
    caption = f"{metric_label(metric)} by {name}, %, with 95% intervals{more}"
    listing = el("table", el("thead", head), el("tbody", body))
    return el(
        "figure",
        el("h3", caption),
        el("div", listing, class_="scroll", tabindex=0, role="region", aria_label=caption),
        class_="breakdown",
    )


def _cell(row: Row | None, span: tuple[float, float]) -> Markup:
    if row is None:
        return el("td", words.NONE, class_="num")
    if row.value is None:
        return el("td", TOO_FEW, class_="num quiet")
    if row.low is None or row.high is None:
        return el("td", words.percent(row.value), class_="num")
    score = Score("", row.value, row.low, row.high, row.n)
    return el("td", mini(score, span), words.percent(row.value), el("small", words.interval_of(score)), class_="num")
