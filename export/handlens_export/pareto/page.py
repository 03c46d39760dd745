"""The page: header, filters, plots, the table, what could not be read. One file that fetches nothing."""

from collections.abc import Collection, Sequence

from handlens_export.pareto.panels import panels
from handlens_export.pareto.rows import DONE, RUNNING, Content, Row
from handlens_export.pareto.table import table
from handlens_export.report import document
from handlens_export.report.markup import Markup, el

MANY = 1000  # rows
FILTERS = (
    ("task", "task"),
    ("model", "model"),
    ("recipe", "recipe"),
    ("format", "format"),
    ("state", "state"),
    ("origin", "from"),
)


def page(content: Content) -> str:
    """The whole HTML document, well-formed as XML too."""
    drawn = panels(content.rows)
    body = [
        _header(content, drawn.fronts.keys()),
        _filters(content.rows),
        drawn.markup,
        el(
            "section",
            el(
                "div",
                el("h2", "All trials and artifacts"),
                el("span", f"{len(content.rows):,} rows", id="count", class_="task", role="status"),
                class_="board-title",
            ),
            table(content.rows, drawn.fronts),
            el("p", el("button", "", type="button", id="more", hidden=True), class_="further"),
            class_="board",
        ),
        _unread(content),
        el("footer", f"Written by handlens {content.version}, {content.created}. This file fetches nothing."),
    ]
    html = el(
        "html",
        document.head(
            f"{content.title}: handlens pareto",
            document.inline("report", "style.css"),
            document.inline("pareto", "style.css"),
        ),
        el(
            "body",
            el("main", body),
            el("div", id="tip", role="status"),
            el("script", document.inline("pareto", "script.js")),
            class_="many" if len(content.rows) > MANY else None,
        ),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + html + "\n"


def _header(content: Content, fronts: Collection[str]) -> Markup:
    rows = content.rows
    made = len({(row.origin, row.path) for row in rows if row.state == DONE})
    front = len({(row.origin, row.path) for row in rows if row.key in fronts})
    running = sum(row.state == RUNNING for row in rows)
    failed = sum(row.state not in (DONE, RUNNING) for row in rows)
    models = len({(row.origin, row.model) for row in rows})
    tasks = len({row.task for row in rows if row.task})
    sentence = (
        f"{_count(made, 'artifact')} of {_count(models, 'model')} in {_count(tasks, 'task')}; {front:,} "
        f"{'is' if front == 1 else 'are'} on a Pareto front."
        + (f" {_count(failed, 'trial')} made none." if failed else "")
        + (f" {_count(running, 'trial')} still to end." if running else "")
    )
    button = el(
        "button", "light / dark", type="button", id="theme", title="switch between the light and the dark scheme"
    )
    bar = el(
        "div", el("span", "handlens", class_="brand"), el("span", content.title, class_="title"), button, class_="bar"
    )
    about = el("ul", [el("li", origin) for origin in content.origins], class_="origins")
    timed = el("p", content.timed, class_="about") if content.timed else None
    return el("header", bar, el("div", el("div", el("h1", sentence), timed, about, class_="say"), class_="lead one"))


def _count(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _filters(rows: Sequence[Row]) -> Markup:
    """Works with the script alone, which shows it."""
    parts: list[Markup] = [
        el(
            "label",
            el("span", "find"),
            el("input", type="search", id="find", placeholder="words, such as pruned int8", autocomplete="off"),
            class_="find",
        )
    ]
    for name, title in FILTERS:
        values = sorted({str(getattr(row, name)) for row in rows} - {""})
        if len(values) > 1:
            options = [el("option", "all", value=""), *(el("option", value, value=value) for value in values)]
            parts.append(el("label", el("span", title), el("select", options, data_filter=name)))
    parts += [
        el("label", el("input", type="checkbox", id="front"), "on a front", class_="check"),
        el("label", el("input", type="checkbox", id="gzip"), "sizes after gzip", class_="check"),
        el("label", el("input", type="checkbox", id="anchors", checked=True), "published marks", class_="check"),
        el("button", "reset", type="reset"),
    ]
    return el("form", parts, id="filters", hidden=True, aria_label="filters")


def _unread(content: Content) -> Markup | None:
    if not content.unread:
        return None
    rows = [el("tr", el("td", path, class_="artifact"), el("td", reason)) for path, reason in content.unread]
    head = el("tr", el("th", "file", scope="col"), el("th", "why", scope="col"))
    listing = el("div", el("table", el("thead", head), el("tbody", rows)), class_="scroll")
    return el("section", el("h2", "Files that could not be read"), listing, class_="board broken")
