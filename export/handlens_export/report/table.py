"""The table of a board: one row an artifact, sortable by every column, then the published rows."""

import re
from collections.abc import Callable, Sequence

from handlens_export.report import words
from handlens_export.report.boards import Board, Entry
from handlens_export.report.columns import Cell, Column, heading
from handlens_export.report.columns import cell as draw
from handlens_export.report.markup import Markup, el, join
from handlens_export.report.reference import Published
from handlens_export.report.rows import Score, metric_label

MINI_WIDTH = 48.0
PEERS = 3
METRICS = 5


def glyph(family: int, *, square: bool, solid: bool) -> Markup:
    """The artifact's mark as the plots draw it."""
    shape = el("rect", x=2.0, y=2.0, width=8.0, height=8.0, rx=1) if square else el("circle", cx=6.0, cy=6.0, r=4.4)
    kind = f"point f{family % 8} {'solid' if solid else 'hollow'}"
    return el("svg", el("g", shape, class_=kind), viewBox="0 0 12 12", class_="glyph", aria_hidden="true")


def glyph_of(entry: Entry, board: Board) -> Markup:
    """The mark of an entry of a board."""
    return glyph(board.families.index(entry.row.family), square=entry.row.format == "onnx", solid=is_solid(entry))


def is_solid(entry: Entry) -> bool:
    """Whether the mark is filled: weights kept as integers."""
    return "int" in entry.row.weights


def small_table(board: Board, names: Sequence[str] | None = None) -> Markup:
    """Artifacts and metrics alone: of a board that stands beside another, or those that `table` has no room for."""
    return _scroll([_name(board, {}), *_metrics(board, board.metrics if names is None else names)], board, None)


def main_metrics(board: Board) -> tuple[str, ...]:
    """The metrics that `table` shows: the primary and those that follow, without TAR where FNMR says the same."""
    names = [name for name in board.metrics if name.replace("tar@", "fnmr@") == name or name == board.primary]
    return tuple(sorted(names, key=lambda name: name != board.primary)[:METRICS])


def table(board: Board, fronts: dict[str, list[str]], max_drop: float, published: Sequence[Published] = ()) -> Markup:
    """Draws the table.

    Args:
        board: the rows.
        fronts: path of an artifact to the names of the Pareto fronts it is on.
        max_drop: the budget, points; a larger loss is marked.
        published: rows of earlier work, below the measured ones.
    """
    columns = _columns(board, fronts, max_drop)
    rows = [_published(row, columns, board) for row in published]
    note = "Published by the early reports on the same protocol. Not measured here: no interval, size or time is known."
    heading = el("tr", el("th", note, colspan=len(columns), scope="colgroup"))
    return _scroll(columns, board, el("tbody", heading, rows, class_="published") if rows else None)


def _scroll(columns: Sequence[Column], board: Board, below: Markup | None) -> Markup:
    head = el("tr", (heading(column) for column in columns))
    body = [el("tr", (draw(c, e) for c in columns), data_row=e.row.path) for e in board.entries]
    whole = el("table", el("thead", head), el("tbody", body, class_="sortable"), below)
    return el("div", whole, class_="scroll", tabindex=0, role="region", aria_label="table of artifacts")


def _name(board: Board, fronts: dict[str, list[str]]) -> Column:
    hint = "file, by its path in the reported folder"
    return Column("artifact", "", hint, lambda e: _artifact(e, board, fronts), False)


def _metrics(board: Board, names: Sequence[str]) -> list[Column]:
    """A column a metric; "FNMR at FMR 1e-2" has its condition under the heading, to stay narrow."""
    primary = [e.primary for e in board.entries if e.primary]
    span = (min(s.low for s in primary), max(s.high for s in primary)) if primary else (0.0, 1.0)
    columns = []
    for name in names:
        title, *condition = re.split(r" (?=at |from )", metric_label(name), maxsplit=1)
        unit = " ".join([_unit(board, name), *condition])
        cell = _metric(name, span if name == board.primary else None)
        columns.append(Column(title, unit, f"{metric_label(name)}: value and 95% interval", cell))
    return columns


def _columns(board: Board, fronts: dict[str, list[str]], max_drop: float) -> list[Column]:
    sparse = any(entry.row.sparsity > 0 for entry in board.entries)
    return [
        _name(board, fronts),
        Column("format", "", "of the model part", _format, False),
        Column("recipe", "", "of compression", lambda e: Cell(e.row.recipe, "", e.row.recipe), False),
        Column("size", "bytes", "of the whole file", _size),
        Column("gzip", "bytes", "of the whole file after gzip -9: what a download costs", _gzip),
        Column(
            "weights",
            "count",
            "parameters of the model",
            lambda e: Cell(words.count(e.row.parameters), "", e.row.parameters),
        ),
        *([Column("sparsity", "%", "share of prunable weights that are zero", _sparsity)] if sparse else []),
        *_metrics(board, main_metrics(board)),
        *([Column("Δ float32", "points", _DELTA, lambda e: _drop(e, max_drop))] if board.primary else []),
        Column("p50", "ms", "median time of one run of the model alone", _p50),
        Column("p90", "ms", "nine in ten runs are at least this quick", _p90),
        Column("time", "× float32", _RATIO, _ratio),
        *[Column("time", f"× {peer.row.name}", _RATIO, _against(peer)) for peer in board.peers[:PEERS]],
        Column("memory", "MiB", "resident peak of a fresh process that loads the file and runs it", _memory),
    ]


_RATIO = "median over rounds of the ratio within a round, so a changing load cancels"
_DELTA = (
    "primary metric minus that of the same model in float32; an interval where the exporter compared them item by item"
)


def _artifact(entry: Entry, board: Board, fronts: dict[str, list[str]]) -> Cell:
    mark = glyph_of(entry, board)
    on = fronts.get(entry.row.path, [])
    peer = (
        el("span", "peer", class_="badge quiet", title="imported, not trained by handlens") if entry.row.foreign else ""
    )
    badge = el("span", "Pareto", class_="badge", title="on the front of " + " and ".join(on)) if on else None
    link = el("a", entry.row.path, href=f"#{anchor(entry.row.path)}")
    return Cell(join([mark, link]), join([entry.row.name, peer, badge]), entry.row.path, "artifact")


def anchor(path: str) -> str:
    """An id for an artifact's details: letters, digits and hyphens, unique enough through the path's own bytes."""
    return "a-" + path.encode("utf-8", "surrogatepass").hex()


def _format(entry: Entry) -> Cell:
    engine = entry.row.timing.engine.split()[0] if entry.row.timing else ""
    return Cell(entry.row.format, engine, entry.row.format)


def _size(entry: Entry) -> Cell:
    if entry.row.foreign and entry.row.model_size:
        return Cell(words.bytes_(entry.row.size), f"model {words.bytes_(entry.row.model_size)}", entry.row.size)
    below = words.share(entry.row.size / entry.reference.size) if entry.reference else ""
    return Cell(words.bytes_(entry.row.size), below, entry.row.size)


def _gzip(entry: Entry) -> Cell:
    below = words.share(entry.row.gzip_size / entry.reference.gzip_size) if entry.reference else ""
    return Cell(words.bytes_(entry.row.gzip_size), below, entry.row.gzip_size)


def _sparsity(entry: Entry) -> Cell:
    value = entry.row.sparsity
    return Cell(f"{value * 100:.1f}" if value >= 5e-4 else "0", "", value)


def _unit(board: Board, name: str) -> str:
    scores = (entry.measured.score(name) for entry in board.entries)
    unit = next((score.unit for score in scores if score), "fraction")
    return "%" if unit == "fraction" else unit


def _metric(name: str, span: tuple[float, float] | None) -> Callable[[Entry], Cell]:
    def cell(entry: Entry) -> Cell:
        score = entry.measured.score(name)
        if score is None:
            return Cell(words.NONE)
        bar = mini(score, span) if span else None
        main = join([bar, words.value_of(score)])
        return Cell(main, words.interval_of(score), float(score.value), "primary" if span else "")

    return cell


def mini(score: Score, span: tuple[float, float]) -> Markup:
    """The interval as a bar on a scale that all rows share."""
    reach = (span[1] - span[0]) or 1.0
    low, at, high = ((v - span[0]) / reach * (MINI_WIDTH - 8) + 4 for v in (score.low, score.value, score.high))
    return el(
        "svg",
        el("line", x1=low, x2=high, y1=5, y2=5, class_="mini-bar"),
        el("circle", cx=at, cy=5, r=3, class_="mini-dot"),
        viewBox=f"0 0 {MINI_WIDTH:.0f} 10",
        class_="mini",
        role="img",
        aria_label=f"interval {words.interval_of(score)}",
    )


def _drop(entry: Entry, max_drop: float) -> Cell:
    if entry.drop is None:
        return Cell("reference" if entry.row.recipe == "float32" else words.NONE, "", None, "quiet")
    value, interval = words.drop_of(entry.drop)
    over = entry.drop.value * 100 < -max_drop - 1e-9
    return Cell(value, interval, float(entry.drop.value), "over" if over else "")


def _p50(entry: Entry) -> Cell:
    timing = entry.row.timing
    if timing is None:
        return Cell(el("span", words.NONE, title=entry.row.timing_problem or "not measured"))
    mark = (
        el("span", "≈", class_="wide", title="wide spread: the host was busy, trust the ratio more")
        if timing.wide
        else None
    )
    return Cell(join([mark, words.figure_ms(timing.p50_ms)]), "", float(timing.p50_ms))


def _p90(entry: Entry) -> Cell:
    timing = entry.row.timing
    return Cell(words.figure_ms(timing.p90_ms), "", float(timing.p90_ms)) if timing else Cell(words.NONE)


def _ratio(entry: Entry) -> Cell:
    timing, reference = entry.row.timing, entry.reference
    if timing is None or reference is None or reference.timing is None:
        return Cell("reference" if entry.row.recipe == "float32" and timing else words.NONE, "", None, "quiet")
    value = timing.ratio(reference.timing)
    return Cell(words.ratio(value), "", float(value))


def _against(peer: Entry) -> Callable[[Entry], Cell]:
    def cell(entry: Entry) -> Cell:
        timing, theirs = entry.row.timing, peer.row.timing
        if timing is None or theirs is None:
            return Cell(words.NONE, "", None, "quiet")
        if entry.row.path == peer.row.path:
            return Cell("peer", "", 1.0, "quiet")
        value = timing.ratio(theirs)
        return Cell(words.ratio(value), "", float(value))

    return cell


def _memory(entry: Entry) -> Cell:
    fresh = entry.row.timing.fresh if entry.row.timing else None
    if fresh is None or fresh.peak_mb is None:
        return Cell(words.NONE)
    below = f"{max(fresh.peak_mb - fresh.base_mb, 0):.0f} over base" if fresh.base_mb is not None else ""
    return Cell(f"{fresh.peak_mb:.0f}", below, float(fresh.peak_mb))


def _published(row: Published, columns: Sequence[Column], board: Board) -> Markup:
    known = {metric_label(f"rank{rank}"): value for rank, value in row.ranks}
    cells = []
    for index, column in enumerate(columns):
        if index == 0:
            cells.append(el("td", row.model, el("small", row.source), class_="artifact"))
        elif column.title in known:
            cells.append(el("td", words.percent(known[column.title]), class_="num"))
        else:
            cells.append(
                el(
                    "td",
                    words.NONE if index > 2 else "published" if index == 2 else "",
                    class_="num" if index > 2 else None,
                )
            )
    return el("tr", cells)
