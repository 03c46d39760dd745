"""Figures as text for a terminal: a table for each target and device, what is known beside it, the sustained mode."""

from collections.abc import Iterable, Sequence

from handlens.bench.figures import Figure, Times

_GAP = "  "
_NAMES = ("file", "engine")

Column = tuple[str, str, list[str]]
"""Heading, name, and a cell for each row."""


def lines(figures: Sequence[Figure]) -> list[str]:
    """All figures, grouped by target and device in the order they came; times in milliseconds, memory in MiB."""
    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.target, figure.device), []).append(figure)
    result: list[str] = []
    for (target, device), members in groups.items():
        result += ["", *_group(f"{target}: {device}", members)] if result else _group(f"{target}: {device}", members)
    return result


def _group(title: str, figures: Sequence[Figure]) -> list[str]:
    engines = [_engine(figure) for figure in figures]
    same = len(set(engines)) == 1
    columns: list[Column] = [
        ("", "file", [figure.artifact for figure in figures]),
        ("", "engine", [""] if same else engines),
        ("", "threads", [str(figure.threads) for figure in figures]),
        ("", "cold", [_ms(figure.cold_ms) for figure in figures]),
        ("", "first", [_ms(figure.warmup_ms) for figure in figures]),
        *_columns("model alone", [figure.model for figure in figures]),
        *_columns("whole pipeline", [figure.pipeline for figure in figures]),
        ("", "memory", [_memory(figure) for figure in figures]),
        ("", "°C", [_change(figure.temperature_c) for figure in figures]),
        ("", "MHz", [_change(figure.clock_mhz) for figure in figures]),
    ]
    # A column that this target cannot fill is left out; the file's name never is.
    rows = _rows([column for column in columns if any(column[2])])
    facts = [title, *([engines[0]] if same else []), "milliseconds, MiB"]
    return [" · ".join(facts), *rows, *_stages(figures), *_sustained(figures), *_notes(figures)]


def _columns(heading: str, times: Sequence[Times | None]) -> list[Column]:
    return [
        (heading, "p50", [_ms(each.p50_ms) if each else "" for each in times]),
        (heading, "p90", [_ms(each.p90_ms) if each else "" for each in times]),
        (heading, "p95", [_ms(each.p95_ms) if each else "" for each in times]),
        (heading, "p99", [_ms(each.p99_ms) if each else "" for each in times]),
    ]


def _rows(columns: Sequence[Column]) -> list[str]:
    """Aligned text: names to the left, numbers to the right; over neighbours of one heading, that."""
    widths = [max(len(name), *map(len, values)) for _, name, values in columns]

    def row(cells: Iterable[str]) -> str:
        padded = [
            cell.ljust(width) if name in _NAMES else cell.rjust(width)
            for (_, name, _), cell, width in zip(columns, cells, widths, strict=True)
        ]
        return ("  " + _GAP.join(padded)).rstrip()

    body = [row(values) for values in zip(*(values for _, _, values in columns), strict=True)]
    return [*filter(None, [_headings(columns, widths)]), row(name for _, name, _ in columns), *body]


def _headings(columns: Sequence[tuple[str, str, list[str]]], widths: Sequence[int]) -> str:
    result, at, last = "", 2, ""
    for (heading, _, _), width in zip(columns, widths, strict=True):
        if heading and heading != last:
            result = result.ljust(at) + heading
        last, at = heading, at + width + len(_GAP)
    return result.rstrip()


def _stages(figures: Sequence[Figure]) -> list[str]:
    told = [figure for figure in figures if figure.stages_ms]
    if not told:
        return []
    result = ["  the pipeline's parts, p50:"]
    for figure in told:
        parts = ", ".join(f"{name} {_ms(value)}" for name, value in figure.stages_ms.items())
        result.append(f"    {_title(figure)}: {parts}")
    return result


def _sustained(figures: Sequence[Figure]) -> list[str]:
    result = []
    for figure in figures:
        if not figure.sustained:
            continue
        first, last = figure.sustained[0], figure.sustained[-1]
        result.append(f"  {last.seconds:.0f} s without a pause, {_title(figure)}:")
        columns = [
            ("", "seconds", [f"{moment.seconds:.0f}" for moment in figure.sustained]),
            ("", "p50", [_ms(moment.p50_ms) for moment in figure.sustained]),
            ("", "p90", [_ms(moment.p90_ms) for moment in figure.sustained]),
            ("", "MHz", [_number(moment.clock_mhz) for moment in figure.sustained]),
            ("", "°C", [_number(moment.temperature_c) for moment in figure.sustained]),
        ]
        result += ["  " + row for row in _rows([column for column in columns if any(column[2])])]
        if last is not first and first.p50_ms:
            result.append(f"    the last ten seconds over the first: {last.p50_ms / first.p50_ms:.2f}")
    return result


def _notes(figures: Sequence[Figure]) -> list[str]:
    """Each note once, with whom it is about where that is not all."""
    by_note: dict[str, list[Figure]] = {}
    for figure in figures:
        for note in figure.notes:
            by_note.setdefault(note, []).append(figure)
    result = []
    for note, about in by_note.items():
        whom = "" if len(about) == len(figures) else f"{', '.join(_title(figure) for figure in about)}: "
        result.append(f"  note: {whom}{note}")
    return result


def _title(figure: Figure) -> str:
    threads = f"{figure.threads} thread{'' if figure.threads == 1 else 's'}"
    return f"{figure.artifact}, {threads if figure.accelerator == 'cpu' else figure.accelerator}"


def _engine(figure: Figure) -> str:
    name = " ".join(filter(None, (figure.engine, figure.engine_version)))
    return name if figure.accelerator == "cpu" else f"{name} on {figure.accelerator}"


def _memory(figure: Figure) -> str:
    if figure.peak_memory_mb is None:
        return ""
    if figure.base_memory_mb is None:
        return f"{figure.peak_memory_mb:.0f}"
    model = max(figure.peak_memory_mb - figure.base_memory_mb, 0)
    return f"{figure.peak_memory_mb:.0f}, model {model:.0f}"


def _change(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.0f} > {pair[1]:.0f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _ms(value: float | None) -> str:
    """Three digits, but never a part of a microsecond."""
    if value is None:
        return ""
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"
