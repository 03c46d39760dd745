"""Confusion matrices as shaded tables: a row a true class, a column an answer; one artifact's, the one that matters."""

from collections.abc import Sequence

from handlens_export.report import words
from handlens_export.report.boards import Board, Entry
from handlens_export.report.markup import Markup, el
from handlens_export.report.rows import metric_label
from handlens_export.report.verdict import label_of
from handlens_train.evaluation import Matrix

NAMED = 12  # columns that have room for a name; more are numbered
SHADES = 10


def matrices(board: Board, chosen: Sequence[str]) -> Markup | None:
    """The matrices of the board's smallest artifact among those that matter; None where none has any.

    Args:
        board: the rows.
        chosen: paths of the artifacts that matter most.
    """
    drawn = [entry for entry in board.entries if entry.measured.matrices]
    if not drawn:
        return None
    entry = min(drawn, key=lambda e: (e.row.path not in chosen, e.row.foreign, e.row.size, e.row.path))
    hidden = len(drawn) - 1
    more = f" {hidden} more in their files." if hidden else ""
    note = f"What {label_of(entry, board)} answers for what: rows are the truth, in % of the row.{more}"
    figures = [_figure(matrix, entry) for matrix in entry.measured.matrices]
    return el(
        "div",
        el("h3", "Confusions"),
        el("p", note, class_="note"),
        el("div", figures, class_="breakdowns"),
        class_="matrices",
    )


def _figure(matrix: Matrix, entry: Entry) -> Markup:
    numbered = len(matrix.labels) > NAMED
    heads = [
        el("th", str(index) if numbered else label, scope="col", class_="num", title=label)
        for index, label in enumerate(matrix.labels, 1)
    ]
    body = [
        el(
            "tr",
            el("th", f"{index} {label}" if numbered else label, scope="row"),
            el("td", f"{sum(row):,}", class_="num"),
            _cells(row),
        )
        for index, (label, row) in enumerate(zip(matrix.labels, matrix.counts, strict=True), 1)
    ]
    title = metric_label(matrix.name)
    head = el("tr", el("th", "truth", scope="col"), el("th", "n", scope="col", class_="num"), heads)
    listing = el("table", el("thead", head), el("tbody", body))
    return el(
        "figure",
        el("h3", title),
        el("div", listing, class_="scroll", tabindex=0, role="region", aria_label=f"{title}, confusion"),
        class_="breakdown matrix",
        data_row=entry.row.path,
    )


def _cells(row: Sequence[int]) -> list[Markup]:
    total = sum(row)
    if not total:
        return [el("td", words.NONE, class_="num quiet") for _ in row]
    return [
        el(
            "td",
            f"{100 * count / total:.0f}" if count else "",
            class_=f"num s{round(SHADES * count / total)}",
            title=count,
        )
        for count in row
    ]
