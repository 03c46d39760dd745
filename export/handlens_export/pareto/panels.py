"""The plots: every artifact against its own float32, then each task's metric against size and against time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handlens_export.pareto.anchors import Anchor, anchors, float_of, of_task
from handlens_export.pareto.plot import Axes, Drawn, Mark, Point, scatter
from handlens_export.pareto.rows import Row
from handlens_export.pareto.smallest import change_text, smallest
from handlens_export.report import words
from handlens_export.report.markup import Markup, el, join
from handlens_export.report.rows import metric_label
from handlens_export.report.table import glyph

CHANGE = "change of the metric against float32, points"
KEYED = 24  # models beyond that are told apart by the pointer and the table alone


@dataclass(frozen=True, slots=True)
class Panels:
    """The sections, and the fronts that each row is on: key to names such as "size"."""

    markup: Markup
    fronts: dict[str, list[str]]


def panels(rows: Sequence[Row]) -> Panels:
    """Draws everything that was measured."""
    fronts: dict[str, list[str]] = {}
    sections: list[Markup | None] = []
    tasks = sorted({row.task for row in rows if row.metric})
    sections.append(_overview([row for row in rows if row.change and row.size_ratio], tasks))
    boards = dict.fromkeys(row.board for row in rows if row.board)
    for board in sorted(boards, key=lambda b: (b[0], b[2] != "val", b)):
        sections.append(_board(board, [row for row in rows if row.board == board], fronts))
    return Panels(join(sections), fronts)


def _overview(rows: Sequence[Row], tasks: Sequence[str]) -> Markup | None:
    if not rows:
        return None
    return el(
        "section",
        el("div", el("h2", "What each network can be made into"), class_="board-title"),
        smallest(rows),
        *(_all_tasks(rows, tasks) if len({row.board for row in rows}) > 1 else ()),
        class_="board",
    )


def _all_tasks(rows: Sequence[Row], tasks: Sequence[str]) -> Iterable[Markup]:
    """Every artifact against its own float32: they do not compete, so there is no front."""
    figures = []
    for name, title in (
        ("size", "size as a share of float32"),
        ("gzip", "size after gzip -9 as a share of the float32 file"),
    ):
        points = [_changed(row, tasks.index(row.task), gzip=name == "gzip") for row in rows]
        axes = Axes(title, CHANGE, lambda v: words.trim(f"{v * 100:.1f}") + "%", words.tick_points)
        drawn = scatter(points, _compressed() if name == "size" else [], axes, level=0.0)
        figures.append(_figure(drawn, "", name, hidden=name == "gzip"))
    caption = (
        "Each artifact against the float32 network that it was made from; the whiskers are 95% intervals of the paired "
        "difference, where outcomes by item are known. Diamonds: what others published for their own networks."
    )
    return (
        _key(list(tasks), front=False),
        el("div", figures, class_="figures n1"),
        el("p", caption, class_="protocol"),
    )


def _board(board: tuple[str, str, str, str], rows: Sequence[Row], fronts: dict[str, list[str]]) -> Markup:
    task, dataset, split, metric = board
    models = sorted({row.model for row in rows}, key=lambda name: (-_largest(rows, name), name))
    published = of_task(task)
    y_title = f"{metric_label(metric)}, %"
    figures: list[Markup | None] = []
    for name, title in (("size", "file size"), ("gzip", "file size after gzip -9")):
        having = [row for row in rows if row.size and row.gzip_size]
        if having:
            points = [_valued(row, models.index(row.model), name) for row in having]
            axes = Axes(title, y_title, words.tick_bytes, words.tick_percent)
            drawn = scatter(points, _marks(published, metric) if name == "size" else [], axes)
            _note(fronts, drawn, name)
            figures.append(_figure(drawn, f"{metric_label(metric)} against size", name, hidden=name == "gzip"))
    timed = [row for row in rows if row.p50_ms]
    if timed:
        points = [_valued(row, models.index(row.model), "time") for row in timed]
        axes = Axes("median time of one run, model alone", y_title, words.tick_milliseconds, words.tick_percent)
        drawn = scatter(points, [], axes)
        _note(fronts, drawn, "time")
        figures.append(_figure(drawn, f"{metric_label(metric)} against time", "time", hidden=False))
    counts = sorted({row.metric.n for row in rows if row.metric})
    items = f"{counts[0]:,} items" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} items"
    heading = f"{task}: {dataset} · {split} · {items}"
    return el(
        "section",
        el(
            "div",
            el("h2", heading),
            el("span", f"{len(rows)} row{'s' * (len(rows) != 1)}", class_="task"),
            class_="board-title",
        ),
        _key(models),
        el("div", figures, class_="figures"),
        _published(published),
        class_="board",
    )


def _largest(rows: Sequence[Row], model: str) -> int:
    return max((row.size or 0) for row in rows if row.model == model)


def _note(fronts: dict[str, list[str]], drawn: Drawn, name: str) -> None:
    for key in drawn.front:
        fronts.setdefault(key, []).append(name)


def _figure(drawn: Drawn, title: str, axis: str, *, hidden: bool) -> Markup:
    below = f"{drawn.below} more below this axis (triangles)." if drawn.below else ""
    heading = el("h3", title) if title else None
    caption = el("figcaption", below) if below else None
    return el("figure", heading, drawn.svg, caption, data_axis=axis, hidden=hidden)


def _key(names: Sequence[str], *, front: bool = True) -> Markup:
    listed = [el("li", glyph(i, square=False, solid=True), name) for i, name in enumerate(names[:KEYED])]
    if len(names) > KEYED:
        listed.append(el("li", f"and {len(names) - KEYED} more"))
    listed += [
        el("li", glyph(-1, square=False, solid=True), "filled: integer weights"),
        el("li", glyph(-1, square=True, solid=False), "square: .onnx"),
        el("li", el("span", class_="key-whisker"), f"95% interval{'; in time: median to 90th percentile' * front}"),
    ]
    if front:
        listed.append(el("li", el("span", class_="key-front"), "Pareto front"))
    return el("ul", listed, class_="key")


def _valued(row: Row, family: int, axis: str) -> Point:
    assert row.metric is not None
    cost = {"size": row.size, "gzip": row.gzip_size, "time": row.p50_ms}[axis]
    return _point(
        row, family, float(cost or 0), (row.metric.value, row.metric.low, row.metric.high), time=axis == "time"
    )


def _changed(row: Row, family: int, *, gzip: bool) -> Point:
    assert row.change is not None
    change, ratio = row.change, row.gzip_ratio if gzip else row.size_ratio
    low = change.value if change.low is None else change.low
    high = change.value if change.high is None else change.high
    return _point(row, family, float(ratio or 1), (change.value, low, high), time=False)


def _point(row: Row, family: int, cost: float, gain: tuple[float, float, float], *, time: bool) -> Point:
    return Point(
        key=row.key,
        cost=cost,
        cost_high=max(cost, row.p90_ms or 0.0) if time else cost,
        gain=gain[0],
        low=gain[1],
        high=gain[2],
        label=row.label,
        tip=tuple(tip(row)),
        family=family,
        square=row.format == "onnx",
        solid=row.integer,
    )


def tip(row: Row) -> Iterable[str]:
    """What the pointer shows of a row, a line each."""
    yield row.label
    if row.metric is not None:
        m = row.metric
        ends = f"{words.percent(m.low)}{words.DASH}{words.percent(m.high)}"
        yield f"{metric_label(m.name)} {words.percent(m.value)} ({ends}), n {m.n:,}"
    if row.change is not None:
        yield f"against float32 {change_text(row)} points"
    if row.size and row.gzip_size:
        share = f", {words.share(row.size_ratio)} of float32" if row.size_ratio else ""
        yield f"{words.bytes_(row.size)} ({words.bytes_(row.gzip_size)} after gzip){share}"
    if row.p50_ms:
        ratio = f", {words.ratio(row.time_ratio)} float32's" if row.time_ratio else ""
        yield f"{words.milliseconds(row.p50_ms)}{ratio}"
    yield row.origin if row.number is None else f"{row.origin}, trial {row.number}"


def _marks(published: Sequence[Anchor], metric: str) -> list[Mark]:
    """The anchors of a task that measure the same thing and have a size."""
    return [
        Mark(anchor.size[0], anchor.value, anchor.name, tuple(_anchor_tip(anchor)))
        for anchor in published
        if anchor.size is not None and anchor.value is not None and anchor.metric == metric
    ]


def _compressed() -> list[Mark]:
    """The anchors that compress another whose size is known, too."""
    found = []
    for anchor in anchors():
        parent = float_of(anchor)
        if parent and parent.value is not None and anchor.value is not None and anchor.bytes and parent.bytes:
            change = anchor.value - parent.value
            found.append(Mark(anchor.bytes / parent.bytes, change, anchor.name, tuple(_anchor_tip(anchor))))
    return found


def _anchor_tip(anchor: Anchor) -> Iterable[str]:
    yield f"{anchor.name}, as published"
    if anchor.value is not None:
        yield f"{metric_label(anchor.metric)} {words.trim(f'{anchor.value * 100:.2f}')} on {anchor.dataset}"
    if anchor.size is not None:
        yield words.bytes_(anchor.size[0]) + (", worked out from its parameters" if anchor.size[1] else "")
    if anchor.note:
        yield anchor.note
    yield f"{anchor.source.title}; {f'looked up {anchor.checked}' if anchor.checked else 'from memory'}"


def _published(listed: Sequence[Anchor]) -> Markup | None:
    if not listed:
        return None
    rows = [
        el(
            "tr",
            el("td", anchor.name),
            el("td", words.trim(f"{anchor.value * 100:.2f}") if anchor.value is not None else words.NONE, class_="num"),
            el("td", metric_label(anchor.metric)),
            el("td", ("~" if anchor.size[1] else "") + words.bytes_(anchor.size[0]) if anchor.size else words.NONE),
            el("td", anchor.dataset),
            el("td", f"{anchor.source.title}, {anchor.checked or 'from memory'}"),
        )
        for anchor in listed
    ]
    names = ("model", "%", "metric", "size", "data and protocol", "source, looked up")
    head = el("tr", [el("th", name, scope="col", class_="num" if name == "%" else None) for name in names])
    note = "Published elsewhere: other data or protocols, so they show where the field stands and decide nothing"
    whole = el("table", el("thead", head), el("tbody", rows))
    listing = el("div", whole, class_="scroll", tabindex=0, role="region", aria_label="published figures")
    return el("details", el("summary", note), listing, class_="elsewhere")
