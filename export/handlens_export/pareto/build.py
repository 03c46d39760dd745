"""The whole of `handlens pareto`: collect, perhaps time, write."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from handlens.artifact import Artifact
from handlens.errors import HandlensError, InputError
from handlens.files import write_text
from handlens_export.pareto.collect import Found, collect
from handlens_export.pareto.page import page
from handlens_export.pareto.rows import Content, Row
from handlens_export.report import measure
from handlens_export.report.rows import Timing

RECORDED = (
    "Times are those that each sweep took on its own machine, its artifacts in turns, one thread; times of two sweeps "
    "compare only if their machines do."
)


def write_page(
    folders: Sequence[Path],
    out: Path,
    *,
    title: str = "",
    time: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Content:
    """Writes the page of all sweeps and artifacts below some folders.

    Args:
        folders: of sweeps, of artifacts, or of folders of both.
        out: the HTML file.
        title: of the page; the folders' names when empty.
        time: measures every artifact on this machine, in turns, and shows these times instead of recorded ones.
        progress: told what happens now.

    Raises:
        InputError, EmptyFolder, DataError, SchemaTooNew: as `collect`.
    """
    if out.is_dir():
        raise InputError(f"{out} is a folder; expected the HTML file to write, such as {out / 'pareto.html'}")
    found = collect(folders, title)
    content = _timed(found, progress) if time else found.content
    if not time and any(row.p50_ms for row in content.rows):
        content = replace(content, timed=RECORDED)
    content = replace(content, version=_version(), created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    progress(f"writing {out}")
    write_text(out, page(content))
    return content


def _timed(found: Found, progress: Callable[[str], None]) -> Content:
    """Every artifact timed here, and each compared with the float32 of its origin, model and format."""
    from handlens.bench import host

    keys: dict[Path, str] = {}  # an artifact on two boards is timed once
    opened: list[tuple[str, Artifact]] = []
    for key, path in found.files.items():
        if path not in keys:
            keys[path] = key
            try:
                opened.append((key, Artifact.open(path)))
            except HandlensError:
                continue
    times = measure.measure_all(opened, progress=progress)
    taken = {path: times.get(key) for path, key in keys.items()}

    def timing(row: Row) -> Timing | None:
        got = taken.get(found.files.get(row.key, Path()))
        return got if isinstance(got, Timing) else None

    floats = {(r.origin, r.model, r.format): timing(r) for r in found.content.rows if r.recipe == "float32"}
    rows = []
    for row in found.content.rows:
        mine, its = timing(row), floats.get((row.origin, row.model, row.format))
        ratio = mine.ratio(its) if mine and its and row.recipe != "float32" else None
        p50, p90 = (mine.p50_ms, mine.p90_ms) if mine else (None, None)
        rows.append(replace(row, p50_ms=p50, p90_ms=p90, time_ratio=ratio))
    said = f"Times of every artifact were taken here, in turns, one thread: {host().cpu}."
    return replace(found.content, rows=tuple(rows), timed=said)


def _version() -> str:
    try:
        return version("handlens")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return ""
