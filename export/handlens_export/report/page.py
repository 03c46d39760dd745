"""The page: header with the verdict, the boards, what could not be read, details, terms. One file, nothing fetched."""

from importlib.resources import files

from handlens_export.report.boards import Board, boards, unmeasured
from handlens_export.report.markup import Markup, el, join
from handlens_export.report.reference import published_for
from handlens_export.report.rows import BrokenRow, Report, ReportRow
from handlens_export.report.sections import key, plots
from handlens_export.report.table import anchor, table
from handlens_export.report.terms import TERMS
from handlens_export.report.verdict import Verdict, judge

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page(report: Report) -> str:
    """The whole HTML document, well-formed as XML too, with no reference to anything outside itself."""
    made = boards(report.rows)
    verdicts = [judge(board, report.max_drop) for board in made]
    body = [
        _header(report, verdicts),
        *[
            _board(board, verdict, report, first=i == 0)
            for i, (board, verdict) in enumerate(zip(made, verdicts, strict=True))
        ],
        _bare(report),
        _broken(report.broken),
        _details(report.rows),
        _terms(),
        el("footer", f"Written by handlens {report.version}, {report.created}. This file fetches nothing."),
    ]
    html = el(
        "html",
        _head(report.title),
        el("body", el("main", body), el("div", id="tip", role="status"), _script()),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + html + "\n"


def board_title(board: Board) -> str:
    """The data set, split and count of a board: "market1501 · test · 301 items"."""
    counts = board.n
    items = f"{counts[0]} items" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} items" if counts else ""
    return " · ".join(part for part in (board.dataset, board.split, items) if part)


def _head(title: str) -> Markup:
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("title", f"{title}: handlens report"),
        el("style", _inline("style.css")),
    )


def _inline(name: str) -> Markup:
    text = (files("handlens_export.report") / name).read_text(encoding="utf-8")
    return Markup(f"/*<![CDATA[*/\n{text}/*]]>*/")


def _script() -> Markup:
    return el("script", _inline("script.js"))


def _header(report: Report, verdicts: list[Verdict]) -> Markup:
    if verdicts:
        sentence = verdicts[0].sentence
    elif report.rows:
        sentence = "No artifact here carries a metric, so there is nothing to weigh size against."
    else:
        sentence = "No artifact here could be read."
    facts = el("dl", ([el("dt", label), el("dd", value)] for label, value in report.host))
    busy = el("p", report.busy, class_="busy") if report.busy else None
    host = el("aside", el("h2", "What measured it"), facts, busy, class_="host") if report.host else None
    button = el(
        "button", "light / dark", type="button", id="theme", title="switch between the light and the dark scheme"
    )
    brand = el(
        "div", el("span", "handlens", class_="brand"), el("span", report.title, class_="title"), button, class_="bar"
    )
    count = len(report.rows)
    about = f"{count} artifact{'' if count == 1 else 's'}, every figure computed from the files in this folder"
    left = el("div", el("h1", sentence), el("p", about, class_="about"), class_="say")
    return el("header", brand, el("div", left, host, class_="lead"))


def _board(board: Board, verdict: Verdict, report: Report, *, first: bool) -> Markup:
    published = published_for(board)
    drawn = plots(board, verdict, published, report.max_drop)
    cards = el(
        "div",
        (
            el(
                "div",
                el("h3", card.question),
                el("p", card.figure, class_="figure-value"),
                el("p", el("a", card.label, href=f"#{anchor(card.path)}"), class_="who"),
                [el("p", note, class_="note") for note in card.notes if note],
                class_="card",
                data_row=card.path,
            )
            for card in verdict.cards
        ),
        class_="cards",
    )
    models = el(
        "div",
        el("h3", "Smallest of each model within the budget"),
        el("ul", (el("li", line) for line in verdict.models)),
        class_="models",
    )
    return el(
        "section",
        el("div", el("h2", board_title(board)), el("span", board.task, class_="task"), class_="board-title"),
        None if first else el("p", verdict.sentence, class_="sentence"),
        cards,
        models if verdict.models else None,
        key(board),
        drawn.figures,
        table(board, drawn.fronts, report.max_drop, published),
        class_="board",
    )


def _bare(report: Report) -> Markup | None:
    board = unmeasured(report.rows)
    if board is None:
        return None
    return el(
        "section",
        el("h2", "Artifacts without a metric"),
        el("p", "Their manifests carry no figure: run handlens evaluate, or export them through the gate."),
        table(board, {}, report.max_drop),
        class_="board",
    )


def _broken(broken: tuple[BrokenRow, ...]) -> Markup | None:
    if not broken:
        return None
    rows = (
        el("tr", el("td", b.path, class_="artifact"), el("td", el("code", b.error)), el("td", b.reason)) for b in broken
    )
    head = el("tr", (el("th", text, scope="col") for text in ("file", "error", "why")))
    listing = el("div", el("table", el("thead", head), el("tbody", rows)), class_="scroll")
    return el("section", el("h2", "Files that could not be read"), listing, class_="board broken")


def _details(rows: tuple[ReportRow, ...]) -> Markup | None:
    if not rows:
        return None
    return el("section", el("h2", "Every artifact in detail"), [_detail(row) for row in rows], class_="details")


def _detail(row: ReportRow) -> Markup:
    groups = [
        el(
            "div",
            el("h4", heading),
            el("dl", ([el("dt", label), el("dd", value)] for label, value in facts)),
            class_="group",
        )
        for heading, facts in row.details
    ]
    problem = el("p", row.timing_problem, class_="busy") if row.timing_problem else None
    summary = el("summary", el("span", row.path, class_="path"), el("span", f"{row.name}, {row.recipe}", class_="what"))
    return el("details", summary, problem, el("div", groups, class_="groups"), id=anchor(row.path))


def _terms() -> Markup:
    items = join([el("div", el("dt", term), el("dd", meaning)) for term, meaning in TERMS])
    return el("section", el("h2", "Terms"), el("dl", items, class_="terms"), class_="legend")
