"""The smallest artifact of each network that loses no more than so many points."""

from collections.abc import Sequence

from handlens_export.pareto.rows import Row
from handlens_export.report import words
from handlens_export.report.markup import Markup, el

ALLOWED = (0.5, 1.0)  # points


def change_text(row: Row) -> str:
    """The change in points with its interval, where there is one: "+0.1 (-0.3 to +0.5)"."""
    if row.change is None:
        return words.NONE
    if row.change.low is None or row.change.high is None:
        return words.points(row.change.value)
    return f"{words.points(row.change.value)} ({words.points(row.change.low)} to {words.points(row.change.high)})"


def within(rows: Sequence[Row], points: float, *, gzip: bool = False) -> Row | None:
    """The smallest file whose metric is at most so many points below its float32's; None where there is none."""
    kept = [row for row in rows if row.change and row.size and row.change.value * 100 >= -points - 1e-9]
    return min(kept, key=lambda row: (row.gzip_size if gzip else row.size) or 0, default=None)


def smallest(rows: Sequence[Row]) -> Markup:
    """A line for each board and place that rows come from: the reference of a sweep is its first network."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        # In a sweep all networks of a ladder are compared with the first one's float32; in a folder each with its own.
        groups.setdefault((row.board, row.origin, row.model if row.number is None else ""), []).append(row)
    lines = [_line(group) for _, group in sorted(groups.items(), key=lambda item: str(item[0]))]
    head = [el("th", "network", scope="col"), el("th", "measured on", scope="col")]
    head += [el("th", _heading(points), scope="col") for points in ALLOWED]
    whole = el("table", el("thead", el("tr", head)), el("tbody", lines))
    return el("div", whole, class_="scroll smallest", tabindex=0, role="region", aria_label="smallest artifacts")


def _heading(points: float) -> str:
    return f"smallest within {points:g} point{'s' * (points != 1)}"


def _line(group: Sequence[Row]) -> Markup:
    row = group[0]
    assert row.metric is not None
    models = ", ".join(dict.fromkeys(one.model for one in group))
    data = f"{row.metric.dataset} · {row.metric.split} · n {row.metric.n:,}"
    cells = [el("td", models, el("small", row.origin), class_="artifact"), el("td", row.task, el("small", data))]
    many = ", " in models
    return el("tr", cells, [_found(group, points, many=many) for points in ALLOWED])


def _found(group: Sequence[Row], points: float, *, many: bool) -> Markup:
    """The smallest file, and below it the one that is smaller after gzip, if that is another."""
    found = dict.fromkeys(row for gzip in (False, True) if (row := within(group, points, gzip=gzip)))
    if not found:
        nearest = max(group, key=lambda row: row.change.value if row.change else -1.0)
        name = nearest.label if many else nearest.label.removeprefix(f"{nearest.model} ")
        near = el("small", f"nearest: {name}, {change_text(nearest)} points")
        return el("td", el("span", words.NONE), near, class_="quiet", data_head=_heading(points), data_row=nearest.key)
    return el("td", [el("div", _told(row, many=many), data_row=row.key) for row in found], data_head=_heading(points))


def _told(row: Row, *, many: bool) -> list[Markup]:
    share = f" ({words.share(row.size_ratio)})" if row.size_ratio else ""
    packed = f" ({words.share(row.gzip_ratio)})" if row.gzip_ratio else ""
    time = f"; {words.ratio(row.time_ratio)} the time" if row.time_ratio else ""
    name = row.label if many else row.label.removeprefix(f"{row.model} ")
    size = f"{words.bytes_(row.size or 0)}{share}, gzip {words.bytes_(row.gzip_size or 0)}{packed}{time}"
    return [el("strong", name), el("small", size), el("small", f"{change_text(row)} points")]
