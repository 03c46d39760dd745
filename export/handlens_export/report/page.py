"""The page: header with the verdict, the boards, what could not be read, details, terms. One file, nothing fetched."""

from handlens_export.report import document
from handlens_export.report.boards import Board, boards, unmeasured
from handlens_export.report.breakdowns import breakdowns
from handlens_export.report.devices import devices
from handlens_export.report.markup import Markup, el, join
from handlens_export.report.matrices import matrices
from handlens_export.report.reference import published_for
from handlens_export.report.rows import BrokenRow, Report, ReportRow
from handlens_export.report.sections import key, plots, worth_a_name
from handlens_export.report.table import anchor, main_metrics, small_table, table
from handlens_export.report.terms import terms_for
from handlens_export.report.verdict import Verdict, judge
from handlens_train import tasks


def page(report: Report) -> str:
    """The whole HTML document, well-formed as XML too, with no reference to anything outside itself."""
    judged = [(board, judge(board, report.max_drop)) for board in boards(report.rows)]
    first: dict[str, Verdict] = {}
    for board, verdict in judged:
        first.setdefault(board.task, verdict)
    many = len(first) > 1
    body = [
        _header(report, first),
        *[_task(index, task, judged, report, many=many) for index, task in enumerate(first)],
        _bare(report),
        devices(report.devices),
        _broken(report.broken),
        _details(report.rows),
        _terms(report),
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
    items = f"{counts[0]:,} items" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} items" if counts else ""
    return " · ".join(part for part in (board.dataset, board.split, items) if part)


def task_label(task: str) -> str:
    """A task's name for a person: its module's TITLE, or "own-task" as "Own task"."""
    plain = task.replace("-", " ").capitalize()
    return getattr(tasks.get(task), "TITLE", plain) if task in tasks.names() else plain


def _head(title: str) -> Markup:
    return document.head(f"{title}: handlens report", document.inline("report", "style.css"))


def _script() -> Markup:
    return el("script", document.inline("report", "script.js"))


def _header(report: Report, verdicts: dict[str, Verdict]) -> Markup:
    if len(verdicts) > 1:
        sentence = f"{len(verdicts)} tasks: the artifact to take for each."
    elif verdicts:
        sentence = next(iter(verdicts.values())).sentence
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
    each = [
        el("li", el("a", task_label(task), href=f"#task-{i}"), el("span", verdict.sentence))
        for i, (task, verdict) in enumerate(verdicts.items())
    ]
    listed = el("ul", each, class_="tasks") if len(verdicts) > 1 else None
    left = el("div", el("h1", sentence), listed, el("p", about, class_="about"), _pages(report), class_="say")
    return el("header", brand, el("div", left, host, class_="lead"))


def _pages(report: Report) -> Markup | None:
    """Links to what `handlens sensitivity` wrote into the folder."""
    if not report.pages:
        return None
    links = [el("li", el("a", label, href=href)) for label, href in report.pages]
    return el("div", el("h3", "What int8 does to each layer"), el("ul", links), class_="models")


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
    chosen = sorted(worth_a_name(board.entries, verdict))
    return el(
        "section",
        _title(board),
        None if first else el("p", verdict.sentence, class_="sentence"),
        cards,
        _lines("Smallest of each model within the budget", verdict.models),
        _lines("Beside the peers, measured and timed in the same run", verdict.peers),
        key(board),
        drawn.figures,
        table(board, drawn.fronts, report.max_drop, published),
        _further(board),
        breakdowns(board, chosen),
        matrices(board, chosen),
        class_="board",
    )


def _task(index: int, task: str, judged: list[tuple[Board, Verdict]], report: Report, *, many: bool) -> Markup:
    """All boards of a task: the leading one and other splits in full, what stands beside them below."""
    mine = [(board, verdict) for board, verdict in judged if board.task == task]
    full = [pair for pair in mine if not pair[0].small] or mine[:1]
    # The only task's first verdict is the page's own headline.
    boards_ = [_board(*pair, report, first=pair is full[0] and not many) for pair in full]
    small = [_small(*pair) for pair in mine if pair not in full]
    beside = el("div", small, class_="smalls") if small else None
    title = el("h2", task_label(task), class_="task-title") if many else None
    return el("section", title, boards_, beside, class_="of-task", id=f"task-{index}")


def _small(board: Board, verdict: Verdict) -> Markup:
    """A data set measured beside another: its figures and what they take apart, without plots."""
    chosen = sorted(worth_a_name(board.entries, verdict))
    apart = [breakdowns(board, chosen), matrices(board, chosen)]
    return el("section", _title(board), small_table(board), apart, class_="board small")


def _title(board: Board) -> Markup:
    said = {entry.measured.protocol for entry in board.entries}
    protocol = el("p", said.pop(), class_="protocol") if len(said) == 1 and any(said) else None
    title = el("div", el("h2", board_title(board)), el("span", board.task, class_="task"), class_="board-title")
    return join([title, protocol])


def _further(board: Board) -> Markup | None:
    """The metrics that the table had no room for."""
    rest = [name for name in board.metrics if name not in main_metrics(board)]
    return el("div", el("h3", "Further figures"), small_table(board, rest), class_="further") if rest else None


def _lines(heading: str, lines: tuple[str, ...]) -> Markup | None:
    if not lines:
        return None
    return el("div", el("h3", heading), el("ul", (el("li", line) for line in lines)), class_="models")


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


def _terms(report: Report) -> Markup:
    terms = terms_for(report.rows, devices=bool(report.devices))
    items = join([el("div", el("dt", term), el("dd", meaning)) for term, meaning in terms])
    return el("section", el("h2", "Terms"), el("dl", items, class_="terms"), class_="legend")
