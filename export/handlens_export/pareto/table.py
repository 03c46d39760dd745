"""The table of all rows: every column sorts, and the page's script filters it."""

from collections.abc import Mapping, Sequence

from handlens_export.pareto.panels import tip
from handlens_export.pareto.rows import DONE, Row
from handlens_export.pareto.smallest import change_text
from handlens_export.report import words
from handlens_export.report.columns import Cell, Column, cell, heading
from handlens_export.report.markup import Markup, el, join
from handlens_export.report.rows import metric_label


def table(rows: Sequence[Row], fronts: Mapping[str, Sequence[str]]) -> Markup:
    """Draws it: fronts are the names of those that a row is on, by its key."""
    columns = _columns(fronts)
    head = el("tr", [heading(column) for column in columns])
    body = el("tbody", [_row(row, columns, fronts) for row in rows], class_="sortable", id="rows")
    whole = el("table", el("thead", head), body)
    return el("div", whole, class_="scroll", tabindex=0, role="region", aria_label="table of all rows")


def _columns(fronts: Mapping[str, Sequence[str]]) -> list[Column]:
    return [
        Column("artifact", "", "model and recipe; the file or the trial below", lambda r: _artifact(r, fronts), False),
        Column("metric", "%", "the primary metric, with its 95% interval", _metric),
        Column("change", "points", "against float32: paired difference with its 95% interval", _change),
        Column("size", "bytes", "of the file, and as a share of float32", lambda r: _bytes(r.size, r.size_ratio)),
        Column("gzip", "bytes", "after gzip -9: a download", lambda r: _bytes(r.gzip_size, r.gzip_ratio)),
        Column("p50", "ms", "median time of one run of the model alone, and 90th percentile", _time),
        Column("time", "× float32", "where both were timed in turns", _ratio),
        Column("task", "", "and the data it was measured on", _task, False),
        Column("state", "", "how the trial ended", _state, False),
        Column("more", "", "calibration, seed, and what the trial took", _more, False),
    ]


def _row(row: Row, columns: Sequence[Column], fronts: Mapping[str, Sequence[str]]) -> Markup:
    cells = [cell(column, row) for column in columns]
    return el(
        "tr",
        cells,
        data_row=row.key,
        data_tip=" · ".join(tip(row)),
        data_task=row.task,
        data_model=row.model,
        data_recipe=row.recipe,
        data_format=row.format,
        data_state=row.state,
        data_origin=row.origin,
        data_front="1" if row.key in fronts else None,
    )


def _artifact(row: Row, fronts: Mapping[str, Sequence[str]]) -> Cell:
    on = fronts.get(row.key)
    badge = el("span", "Pareto", class_="badge", title="on the front of " + ", ".join(on)) if on else None
    if row.state != DONE:
        badge = el("span", row.state, class_="badge failed", title=row.reason)
    where = f"{row.origin}/{row.path}" if row.number is None else f"{row.origin}, trial {row.number}"
    return Cell(join([el("span", row.label, title=row.path or "no artifact"), badge]), where, row.label, "artifact")


def _task(row: Row) -> Cell:
    if row.metric is None:
        return Cell(row.task or words.NONE, "", row.task)
    return Cell(row.task, f"{row.metric.dataset} · {row.metric.split} · {row.metric.n:,}", row.task, "data")


def _state(row: Row) -> Cell:
    return Cell(row.state, row.reason, row.state, "" if row.state == DONE else "over state")


def _metric(row: Row) -> Cell:
    metric = row.metric
    if metric is None:
        return Cell(words.NONE)
    ends = f"{words.percent(metric.low)}{words.DASH}{words.percent(metric.high)}"
    return Cell(words.percent(metric.value), f"{metric_label(metric.name)} {ends}", float(metric.value), "primary")


def _change(row: Row) -> Cell:
    if row.change is None:
        return Cell("reference" if row.recipe == "float32" and row.metric else words.NONE, "", None, "quiet")
    main, _, ends = change_text(row).partition(" (")
    return Cell(main, ends.rstrip(")"), float(row.change.value))


def _bytes(count: int | None, ratio: float | None) -> Cell:
    if count is None:
        return Cell(words.NONE)
    return Cell(words.bytes_(count), words.share(ratio) if ratio else "", float(count))


def _time(row: Row) -> Cell:
    if row.p50_ms is None:
        return Cell(words.NONE)
    return Cell(words.figure_ms(row.p50_ms), f"p90 {words.figure_ms(row.p90_ms)}" if row.p90_ms else "", row.p50_ms)


def _ratio(row: Row) -> Cell:
    return Cell(words.ratio(row.time_ratio), "", row.time_ratio) if row.time_ratio else Cell(words.NONE)


def _more(row: Row) -> Cell:
    facts = dict(row.facts)
    first, seed = facts.pop("calibration", ""), facts.pop("seed", "")
    drawn = ", ".join(part for part in (first, f"seed {seed}" if seed else "") if part)
    rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name not in ("parameters", "engine", "host"))
    return Cell(drawn or words.NONE, rest, first, "more")
