"""The whole of `handlens report`: collect, measure, write."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from handlens import files
from handlens.bench import Bench, Figure, Host, host
from handlens.errors import InputError
from handlens_export.harm.pages import pages
from handlens_export.report import measure, words
from handlens_export.report.collect import Collected, collect
from handlens_export.report.page import page
from handlens_export.report.rows import DeviceRow, Report, ReportRow, Timing

BUSY_SHARE = 0.5


def write_report(
    folder: Path,
    out: Path,
    *,
    max_drop: float = 1.0,
    rounds: int = measure.ROUNDS,
    title: str = "",
    bench: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Reads all artifacts below a folder, times them here, and writes the page.

    Args:
        folder: searched recursively for `.tflite` and `.onnx`.
        out: the HTML file, written atomically.
        max_drop: the budget, points of each board's first metric.
        rounds: visits to each artifact when timing.
        title: of the page; the folder's name when empty.
        bench: files that `handlens bench --json` wrote; their figures become a table of their own.
        progress: told what happens now.

    Returns:
        What the page shows.

    Raises:
        InputError: no such folder, `out` is a folder, or a file of `bench` is none.
        EmptyFolder: no artifact in it.
    """
    if out.is_dir():
        raise InputError(
            f"{out} is a folder; expected the name of the HTML file to write, such as {out / 'report.html'}"
        )
    figures = [figure for file in bench for figure in _read(file)]
    collected = collect(folder)
    before = host()
    names = [row.path for row in collected.rows]
    timed = measure.measure_all(list(zip(names, collected.artifacts, strict=True)), rounds=rounds, progress=progress)
    after = host()
    made = Report(
        title=title or folder.resolve().name,
        rows=tuple(_with_timing(row, timed[row.path]) for row in collected.rows),
        broken=collected.broken,
        host=_host(before, after, timed.values(), rounds),
        busy=_busy(before, after),
        pages=tuple((found.label, _address(found.path, out)) for found in pages(folder)),
        max_drop=max_drop,
        devices=_devices(figures, collected),
        version=_version(),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    files.write_text(out, page(made))
    return made


def _address(page: Path, out: Path) -> str:
    """Of a page, relative to another, as a browser wants it."""
    return quote(Path(os.path.relpath(page.resolve(), out.resolve().parent)).as_posix())


def _read(file: Path) -> tuple[Figure, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error}); expected what handlens bench --json wrote") from None
    return Bench.from_json(text, str(file)).figures


def _devices(figures: Sequence[Figure], collected: Collected) -> tuple[DeviceRow, ...]:
    """Each figure with the row whose model it is of; of files with one model, that of the same name."""
    rows = []
    for figure in figures:
        same = [
            row.path
            for row, artifact in zip(collected.rows, collected.artifacts, strict=True)
            if artifact.manifest.model_id == figure.model_id
        ]
        named = [path for path in same if PurePosixPath(path).name == figure.artifact]
        rows.append(DeviceRow(next(iter(named or same), ""), figure))
    return tuple(rows)


def _with_timing(row: ReportRow, timed: Timing | str) -> ReportRow:
    if isinstance(timed, str):
        return dataclasses.replace(row, timing_problem=timed)
    pairs = [
        ("engine", timed.engine),
        ("p50, p90", f"{words.milliseconds(timed.p50_ms)}, {words.milliseconds(timed.p90_ms)}"),
        ("runs", f"{timed.runs} in {len(timed.rounds_ms)} rounds, {timed.threads} thread"),
    ]
    if timed.fresh:
        pairs.append(
            ("first answer", f"{words.milliseconds(timed.fresh.cold_ms)} after loading began, in a fresh process")
        )
        pairs.append(("with image", f"{words.milliseconds(timed.fresh.pipeline_ms)} with JPEG decoding and preparing"))
    return dataclasses.replace(row, timing=timed, details=(*row.details, ("Time on this host", tuple(pairs))))


def _host(before: Host, after: Host, timed: Iterable[Timing | str], rounds: int) -> tuple[tuple[str, str], ...]:
    engines = sorted({t.engine for t in timed if isinstance(t, Timing)})
    memory = f", {words.bytes_(before.memory_mb * 2**20)} memory" if before.memory_mb else ""
    facts = [
        ("CPU", f"{before.cpu}, {before.cores} core{'' if before.cores == 1 else 's'}{memory}"),
        ("system", f"{before.os} {before.architecture}, Python {before.python}"),
        ("engines", ", ".join(engines) or "none that could run these files"),
    ]
    if before.load_average is not None and after.load_average is not None:
        facts.append(("load", f"{before.load_average:.2f} before, {after.load_average:.2f} after"))
    facts.append(("method", f"{rounds} round{'' if rounds == 1 else 's'} of turns, 1 thread, batch 1"))
    return tuple(facts)


def _busy(before: Host, after: Host) -> str:
    """A warning when others wanted the cores: the load before, or the load after less the one core this run used."""
    if before.load_average is None or after.load_average is None:
        return ""
    others = max(before.load_average, after.load_average - 1.0)
    if others <= BUSY_SHARE * before.cores:
        return ""
    load = f"load {others:.1f} of others on {before.cores} cores"
    return f"This host was busy ({load}): read the ratios, not the milliseconds."


def _version() -> str:
    try:
        return version("handlens")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return ""
