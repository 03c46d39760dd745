"""What `handlens bench` measured, as a table: a row a figure, sortable, with what its reader must know below."""

from collections.abc import Sequence

from handlens.bench import Figure, Times
from handlens.bench.sustained import slowdown
from handlens_export.report import words
from handlens_export.report.markup import Markup, el
from handlens_export.report.rows import DeviceRow
from handlens_export.report.table import anchor

# Heading, unit, explanation, whether it holds numbers.
_COLUMNS = (
    ("artifact", "", "file, by its path in the reported folder", False),
    ("target", "", "where it was measured, and on what device", False),
    ("engine", "", "that ran the model", False),
    ("threads", "", "of the engine", True),
    ("cold", "ms", "from opening the file to the first answer, in a fresh process", True),
    ("first", "ms", "the first run after the model was loaded", True),
    ("model p50", "ms", "median of the model alone", True),
    ("p90", "ms", "of the model alone", True),
    ("p99", "ms", "of the model alone", True),
    ("whole p50", "ms", "median of decode, prepare, run and answer together", True),
    ("whole p99", "ms", "of the whole way", True),
    ("memory", "MiB", "largest resident memory of the process", True),
    ("slowdown", "", "last ten seconds over the first ten, without a pause between", True),
)

Cell = tuple[str, str, float | str | None]
"""What it shows, a smaller line below, what it sorts by."""


def devices(rows: Sequence[DeviceRow]) -> Markup | None:
    """The section with all figures; None without any."""
    if not rows:
        return None
    filled = [[_cells(row)[index] for row in rows] for index in range(len(_COLUMNS))]
    # A column that no target could fill is left out; those of text never are.
    kept = [index for index, cells in enumerate(filled) if index < 4 or any(cell[0] != words.NONE for cell in cells)]
    head = el("tr", (_heading(*_COLUMNS[index]) for index in kept))
    body = [
        el("tr", (_td(row, index, filled[index][at]) for index in kept), data_row=row.path or None)
        for at, row in enumerate(rows)
    ]
    listing = el("table", el("thead", head), el("tbody", body, class_="sortable"))
    return el(
        "section",
        el("div", el("h2", "Where it runs"), el("span", "handlens bench", class_="task"), class_="board-title"),
        el("p", "Measured by handlens bench, not in turns with the artifacts above: compare within a device."),
        el("div", listing, class_="scroll", tabindex=0, role="region", aria_label="table of devices"),
        _notes(rows),
        class_="board devices",
    )


def _cells(row: DeviceRow) -> list[Cell]:
    figure = row.figure
    return [
        (row.path or figure.artifact, "" if row.path else "not in this folder", row.path or figure.artifact),
        (figure.target, figure.device, f"{figure.target} {figure.device}"),
        (f"{figure.engine} {figure.engine_version}".strip(), _accelerator(figure), figure.engine),
        (str(figure.threads), "", float(figure.threads)),
        _ms(figure.cold_ms),
        _ms(figure.warmup_ms),
        *(_ms(getattr(figure.model, name, None)) for name in ("p50_ms", "p90_ms")),
        _high(figure.model),
        _ms(getattr(figure.pipeline, "p50_ms", None)),
        _high(figure.pipeline),
        _memory(figure),
        _slowdown(figure),
    ]


def _accelerator(figure: Figure) -> str:
    return "" if figure.accelerator == "cpu" else f"on {figure.accelerator}"


def _ms(value: float | None) -> Cell:
    return (words.NONE, "", None) if value is None else (words.figure_ms(value), "", float(value))


def _high(times: Times | None) -> Cell:
    """The 99th percentile; where a target tells the 95th alone, that, and so named."""
    if times is None or (times.p99_ms is None and times.p95_ms is not None):
        shown, _, sort = _ms(times.p95_ms if times else None)
        return shown, "p95" if times else "", sort
    return _ms(times.p99_ms)


def _memory(figure: Figure) -> Cell:
    if figure.peak_memory_mb is None:
        return words.NONE, "", None
    base = figure.base_memory_mb
    below = f"{max(figure.peak_memory_mb - base, 0):.0f} over base" if base is not None else ""
    return f"{figure.peak_memory_mb:.0f}", below, float(figure.peak_memory_mb)


def _slowdown(figure: Figure) -> Cell:
    factor = slowdown(figure)
    if factor is None:
        return words.NONE, "", None
    return words.ratio(factor), f"after {figure.sustained[-1].seconds / 60:.3g} min", float(factor)


def _heading(title: str, unit: str, hint: str, numeric: bool) -> Markup:
    inside = el(
        "button", el("span", title), el("span", unit, class_="unit") if unit else None, type="button", title=hint
    )
    return el("th", inside, scope="col", aria_sort="none", class_="num" if numeric else None)


def _td(row: DeviceRow, index: int, cell: Cell) -> Markup:
    main, below, sort = cell
    first = index == 0
    shown: object = el("a", main, href=f"#{anchor(row.path)}") if first and row.path else main
    return el(
        "td",
        shown,
        el("small", below) if below else None,
        class_="artifact" if first else "num" if _COLUMNS[index][3] else None,
        data_sort="" if sort is None else repr(sort) if isinstance(sort, float) else sort,
    )


def _notes(rows: Sequence[DeviceRow]) -> Markup | None:
    said: dict[str, list[str]] = {}
    for row in rows:
        for note in row.figure.notes:
            count = row.figure.threads
            whom = f"{row.figure.artifact} on {row.figure.target}, {count} thread{'' if count == 1 else 's'}"
            said.setdefault(note, []).append(whom)
    lines = [f"{'; '.join(whom)}: {note}" if len(whom) < len(rows) else note for note, whom in said.items()]
    return el("ul", (el("li", line) for line in lines), class_="note") if lines else None
