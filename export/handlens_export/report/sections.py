"""The plots of a board: from its entries to points and lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handlens_export.report import words
from handlens_export.report.boards import Board, Entry
from handlens_export.report.cmc import Line, cmc
from handlens_export.report.curves import det_figure, family_of, reliability_figure
from handlens_export.report.forest import Change, forest
from handlens_export.report.markup import Markup, el
from handlens_export.report.reference import Published
from handlens_export.report.rows import metric_label
from handlens_export.report.scatter import Point, Scatter, scatter
from handlens_export.report.table import glyph, is_solid
from handlens_export.report.verdict import Verdict, family_label, label_of, short_label


@dataclass(frozen=True, slots=True)
class Plots:
    """The drawn plots of a board, and which Pareto fronts each artifact is on (path to names)."""

    figures: Markup
    fronts: dict[str, list[str]]


def plots(board: Board, verdict: Verdict, published: tuple[Published, ...], max_drop: float) -> Plots:
    """Draws size-accuracy, latency-accuracy, and where there is something to draw: CMC, the change against float32."""
    scored = [entry for entry in board.entries if entry.primary]
    lines = {f"published, {p.model}": p.ranks[0][1] for p in published[:1]}
    unit = next((e.primary.unit for e in scored if e.primary), "fraction")
    y_title = metric_label(board.primary) + (", %" if unit == "fraction" else f", {unit}")
    fronts: dict[str, list[str]] = {}
    figures = []

    def add(
        name: str, x_title: str, members: list[Entry], cost: Callable[[Entry], float], write: Callable[[float], str]
    ) -> None:
        drawn = scatter(
            [_point(entry, board, cost(entry)) for entry in members],
            x_title=x_title,
            y_title=y_title,
            write_x=write,
            write_y=words.tick_percent if unit == "fraction" else words.digits,
            lines=lines,
        )
        for index in drawn.front:
            fronts.setdefault(members[index].row.path, []).append(name.lower())
        figures.append(_figure(name, _scatter_caption(drawn), drawn.svg))

    add("Accuracy against size", "bytes of the file, log scale, smaller is better", scored, _bytes, words.tick_bytes)
    timed = [entry for entry in scored if entry.row.timing]
    if timed:
        add("Accuracy against latency", "p50 of one run, 1 thread, log scale", timed, _latency, words.tick_milliseconds)
    curved = [entry for entry in scored if entry.measured.curve]
    if curved:
        named = worth_a_name(curved, verdict)
        drawn = [
            Line(label_of(e, board) if e.row.path in named else "", e.measured.curve, e.row.path, family_of(e, board))
            for e in curved
        ]
        caption = "How often the right identity is among the first k of the gallery. "
        caption += "Named: the verdict's artifacts and each float32."
        if published:
            caption += " Diamonds: published figures, not measured here."
        figures.append(_figure("CMC", caption, cmc(drawn, published)))
    chosen = worth_a_name(board.entries, verdict)
    figures += [_figure(*drawn) for drawn in (det_figure(board, chosen), reliability_figure(board, chosen)) if drawn]
    changed = [entry for entry in scored if entry.drop]
    if changed:
        svg = forest([_change(e, board) for e in changed], max_drop=max_drop, metric=metric_label(board.primary))
        paired = all(entry.drop.low is not None for entry in changed if entry.drop)
        caption = "" if paired else "Without a bar: the exporter recorded no paired interval on this split."
        figures.append(_figure("What compression cost", caption, svg))
    return Plots(el("div", figures, class_=f"figures n{len(figures)}"), fronts)


def key(board: Board) -> Markup:
    """What colours and marks mean on this board."""
    items = []
    if len(board.families) > 1:
        for family in board.families:
            entry = next(e for e in board.entries if e.row.family == family)
            mark = glyph(family_of(entry, board), square=False, solid=True)
            items.append(el("li", mark, family_label(entry, board)))
    kinds = {(entry.row.format == "onnx", is_solid(entry)) for entry in board.entries}
    for square, solid in sorted(kinds):
        name = f"{'onnx' if square else 'tflite'}, {'integer' if solid else 'float'} weights"
        items.append(el("li", glyph(-1, square=square, solid=solid), name))
    items.append(el("li", el("span", class_="key-front"), "Pareto front: no other is both cheaper and better"))
    items.append(el("li", el("span", class_="key-whisker"), "95% interval"))
    return el("ul", items, class_="key")


def _many(entry: Entry, board: Board) -> bool:
    """Whether a family has so many points that its colour is learnt; a lone one is named in full."""
    return sum(other.row.family == entry.row.family for other in board.entries) > 2


def _bytes(entry: Entry) -> float:
    return float(entry.row.size)


def _latency(entry: Entry) -> float:
    return entry.row.timing.p50_ms if entry.row.timing else 0.0


def worth_a_name(curved: Sequence[Entry], verdict: Verdict) -> set[str]:
    """Artifacts worth a label: the verdict's, the float32 `.tflite` of each family, and the peers."""
    floats = {e.row.path for e in curved if e.row.recipe == "float32" and e.row.format == "tflite"}
    return floats | {e.row.path for e in curved if e.row.foreign} | {card.path for card in verdict.cards} or {
        curved[0].row.path
    }


def _point(entry: Entry, board: Board, cost: float) -> Point:
    score = entry.primary
    if score is None:
        raise ValueError(f"{entry.row.path} has no {board.primary}")
    tip = [label_of(entry, board), entry.row.path]
    tip.append(f"{metric_label(score.name)} {words.value_of(score)} [{words.interval_of(score)}]")
    if entry.drop:
        value, interval = words.drop_of(entry.drop)
        tip.append(f"{value} points against float32" + (f" [{interval}]" if interval else ""))
    tip.append(f"{words.bytes_(entry.row.size)}, gzip {words.bytes_(entry.row.gzip_size)}")
    if entry.row.timing:
        timing = entry.row.timing
        tip.append(f"p50 {words.milliseconds(timing.p50_ms)}, p90 {words.milliseconds(timing.p90_ms)}")
    return Point(
        cost=cost,
        gain=score.value,
        low=score.low,
        high=score.high,
        label=label_of(entry, board),
        short=short_label(entry, board) if _many(entry, board) else label_of(entry, board),
        tip=tuple(tip),
        row=entry.row.path,
        family=family_of(entry, board),
        square=entry.row.format == "onnx",
        solid=is_solid(entry),
    )


def _change(entry: Entry, board: Board) -> Change:
    if entry.drop is None:
        raise ValueError(f"{entry.row.path} has no float32 to compare with")
    square = entry.row.format == "onnx"
    return Change(label_of(entry, board), entry.drop, entry.row.path, family_of(entry, board), square, is_solid(entry))


def _scatter_caption(drawn: Scatter) -> str:
    if not drawn.unlabelled:
        return ""
    many = drawn.unlabelled > 1
    return f"{drawn.unlabelled} point{'s have' if many else ' has'} no room for a label: hover, or see the table."


def _figure(title: str, caption: str, svg: Markup) -> Markup:
    return el("figure", el("h3", title), svg, el("figcaption", caption) if caption else None)
