"""From folders to rows: the trials of every sweep below a folder, and the artifacts that lie outside of sweeps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handlens.artifact import KINDS
from handlens.errors import DataError, EmptyFolder, InputError, SchemaTooNew
from handlens_export.pareto.rows import Change, Content, Metric, Row
from handlens_export.report.boards import Board, Entry, boards, reference_of
from handlens_export.report.collect import collect as collect_artifacts
from handlens_export.report.rows import ReportRow
from handlens_export.sweep.database import ARTIFACTS, FILE, Database
from handlens_export.sweep.database import Row as Kept
from handlens_export.sweep.trial import Figures, Trial


@dataclass(frozen=True, slots=True)
class Found:
    """The page's content, and where the artifact of each row that has one lies, by key."""

    content: Content
    files: dict[str, Path]


def collect(folders: Sequence[Path], title: str = "") -> Found:
    """Reads every sweep and every other artifact below the folders; hidden folders are left out.

    Args:
        folders: each the folder of a sweep, a folder of such folders, or of artifacts.
        title: of the page; the folders' names when empty.

    Raises:
        InputError: one of them is no folder.
        EmptyFolder: one holds neither a sweep nor an artifact.
        DataError, SchemaTooNew: a given folder's own database is damaged or of a newer handlens; one of those below
            it is listed as unread.
    """
    rows: list[Row] = []
    files: dict[str, Path] = {}
    origins: list[str] = []
    unread: list[tuple[str, str]] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; expected that of handlens sweep (its --out), or of artifacts")
        sweeps = [found.parent for found in sorted(folder.rglob(FILE)) if not _hidden(found, folder)]
        for sweep in sweeps:
            if sweep.resolve() in seen:
                continue
            seen.add(sweep.resolve())
            name = _name(sweep, folder)
            try:
                mine = _of_sweep(sweep, name, len(rows), files)
            except (DataError, SchemaTooNew) as error:
                if sweep == folder:
                    raise
                unread.append(
                    (f"{name}/{FILE}", str(error).replace(str(sweep.absolute()), name).replace(str(sweep), name))
                )
                continue
            rows += mine
            done = sum(row.state == "done" for row in mine)
            origins.append(f"{name}: a sweep of {len(mine)} trials, {done} with an artifact")
        others = [path for path in _models(folder) if not any(sweep in path.parents for sweep in sweeps)]
        if others:
            mine, broken = _of_folder(folder, others, len(rows), files)
            rows += mine
            unread += broken
            origins.append(f"{folder.name}: {len(others)} artifact{'' if len(others) == 1 else 's'}")
        if not sweeps and not others:
            raise EmptyFolder(f"{folder} holds no {FILE} and no artifact; write some with handlens sweep or export")
    name = title or " + ".join(dict.fromkeys(folder.resolve().name for folder in folders))
    return Found(Content(title=name, rows=tuple(rows), origins=tuple(origins), unread=tuple(unread)), files)


def _name(sweep: Path, folder: Path) -> str:
    return sweep.resolve().name if sweep == folder else f"{folder.name}/{sweep.relative_to(folder).as_posix()}"


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _models(folder: Path) -> list[Path]:
    endings = {f".{kind}" for kind in KINDS}
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in endings and not _hidden(path, folder)]


def _of_sweep(folder: Path, origin: str, first: int, files: dict[str, Path]) -> list[Row]:
    with Database(folder, read_only=True) as database:
        kept = database.rows()
        reference = next((row for row in kept if row.trial.key == database.facts().get("reference")), None)
    base = reference.outcome.figures if reference and reference.outcome else None
    rows = []
    for index, one in enumerate(kept, first):
        row = _of_trial(one, f"r{index}", origin, base, reference)
        figures = one.outcome.figures if one.outcome else None
        if figures is not None:
            files[row.key] = folder / ARTIFACTS / figures.artifact
        rows.append(row)
    return rows


def _of_trial(kept: Kept, key: str, origin: str, base: Figures | None, reference: Kept | None) -> Row:
    trial, outcome = kept.trial, kept.outcome
    figures = outcome.figures if outcome else None
    row = Row(
        key=key,
        origin=origin,
        number=kept.number,
        task=figures.task if figures else base.task if base else "",
        model=Path(trial.source).stem if Path(trial.source).suffix else Path(trial.source).name,
        recipe=trial.recipe,
        format=trial.format,
        state=kept.state,
        reason=outcome.reason if outcome else "",
        p50_ms=kept.p50_ms,
        p90_ms=kept.p90_ms,
        facts=tuple(_facts(trial, kept)),
    )
    if figures is None:
        return row
    changed = base is not None and reference is not None and trial.key != reference.trial.key
    timed = reference is not None and kept.timed is not None and kept.timed == reference.timed
    return replace(
        row,
        path=f"{ARTIFACTS}/{figures.artifact}",
        size=figures.size,
        gzip_size=figures.gzip_size,
        size_ratio=figures.size / base.size if base else None,
        gzip_ratio=figures.gzip_size / base.size if base else None,
        metric=Metric(
            figures.metric, figures.dataset, figures.split, figures.n, figures.value, figures.low, figures.high
        ),
        # A sweep counts what is lost, in points; its ends change places.
        change=Change(-figures.loss / 100, -figures.loss_high / 100, -figures.loss_low / 100) if changed else None,
        time_ratio=_ratio(kept.p50_ms, reference.p50_ms) if timed and changed and reference else None,
    )


def _ratio(mine: float | None, its: float | None) -> float | None:
    return mine / its if mine and its else None


def _facts(trial: Trial, kept: Kept) -> Iterable[tuple[str, str]]:
    if trial.calibration:
        yield "calibration", Path(trial.calibration).name
    elif trial.calibration_images is not None:
        yield "calibration", f"{trial.calibration_images} images"
    if trial.seed is not None:
        yield "seed", str(trial.seed)
    if trial.steps is not None:
        yield "steps", str(trial.steps)
    outcome = kept.outcome
    if outcome is None:
        return
    if outcome.figures is not None:
        yield "sparsity", f"{outcome.figures.sparsity:.2f}"
        yield "parameters", f"{outcome.figures.parameters:,}"
        yield "engine", outcome.figures.engine
    yield "took", f"{outcome.seconds:.0f} s, {outcome.peak_memory_mb:.0f} MiB"
    if outcome.host:
        yield "host", outcome.host


def _of_folder(
    folder: Path, wanted: Sequence[Path], first: int, files: dict[str, Path]
) -> tuple[list[Row], list[tuple[str, str]]]:
    """Rows of artifacts outside of sweeps: one for each board that an artifact is on, and one where it is on none.

    Figures that stand beside others, or must be low, make no row.
    """
    names = {path.relative_to(folder).as_posix() for path in wanted}
    collected = collect_artifacts(folder)
    reported = [row for row in collected.rows if row.path in names]
    entries = [(board, entry) for board in boards(reported) if not board.small for entry in board.entries]
    rows = [
        _of_artifact(entry.row, entry.reference, board, entry, f"r{first + index}", folder.name)
        for index, (board, entry) in enumerate((b, e) for b, e in entries if e.primary)
    ]
    shown = {row.path for row in rows}
    for bare in (row for row in reported if row.path not in shown):  # nobody has measured it: a row all the same
        rows.append(_of_artifact(bare, reference_of(bare, reported), None, None, f"r{first + len(rows)}", folder.name))
    files |= {row.key: folder / row.path for row in rows}
    return rows, [(row.path, row.reason) for row in collected.broken if row.path in names]


def _of_artifact(
    row: ReportRow, reference: ReportRow | None, board: Board | None, entry: Entry | None, key: str, origin: str
) -> Row:
    score, drop = (entry.primary, entry.drop) if entry else (None, None)
    parent = row if row.recipe == "float32" else reference
    whole = parent.size if parent else 0
    metric = None
    if score is not None and board is not None:
        metric = Metric(score.name, board.dataset, board.split, score.n, score.value, score.low, score.high)
    return Row(
        key=key,
        origin=origin,
        task=row.task,
        model=row.name,
        recipe=row.recipe,
        format=row.format,
        path=row.path,
        size=row.size,
        gzip_size=row.gzip_size,
        size_ratio=row.size / whole if whole else None,
        gzip_ratio=row.gzip_size / whole if whole else None,
        metric=metric,
        change=Change(drop.value, drop.low, drop.high) if drop else None,
        facts=(("sparsity", f"{row.sparsity:.2f}"), ("parameters", f"{row.parameters:,}")),
    )
