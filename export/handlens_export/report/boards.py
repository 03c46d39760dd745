"""Artifacts measured on the same items, side by side.

A *board* is one (task, data set, split): figures of two boards are never mixed. A *family* is one trained model in all
its compressed forms; its float32 form is what the others are compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report.rows import METRIC_LABELS, Measured, PairedDrop, ReportRow, Score, lower_is_better

PRIMARY = ("rank1", "accuracy", "ap", "tar@1e-2", "mean_accuracy")


@dataclass(frozen=True, slots=True)
class Entry:
    """One artifact on one board, with everything relative worked out.

    Attributes:
        row: the artifact.
        measured: its metrics on this board.
        primary: the score the board is judged by; None where this artifact lacks it.
        reference: the float32 file it is compared with; None for that file itself, or where there is none.
        drop: primary metric against the reference, in fractions, negative when worse; None without a reference.
    """

    row: ReportRow
    measured: Measured
    primary: Score | None
    reference: ReportRow | None
    drop: PairedDrop | None


@dataclass(frozen=True, slots=True)
class Board:
    """All artifacts measured on one (task, data set, split), in the order of family, then falling size."""

    task: str
    dataset: str
    split: str
    primary: str
    metrics: tuple[str, ...]
    entries: tuple[Entry, ...]
    families: tuple[str, ...]

    @property
    def n(self) -> tuple[int, ...]:
        """The different counts of items behind the primary metric; one where all artifacts saw the same items."""
        return tuple(sorted({entry.primary.n for entry in self.entries if entry.primary}))

    @property
    def small(self) -> bool:
        """Whether it stands beside another board: measured along with it, or by a metric that must be low."""
        return lower_is_better(self.primary) or all(entry.measured.beside for entry in self.entries)

    @property
    def peers(self) -> tuple[Entry, ...]:
        """The entries that were brought along, not trained by handlens."""
        return tuple(entry for entry in self.entries if entry.row.foreign)

    @property
    def own(self) -> tuple[Entry, ...]:
        """The entries that handlens trained; all where it trained none."""
        return tuple(entry for entry in self.entries if not entry.row.foreign) or self.entries

    def entry(self, row: "ReportRow | None") -> Entry | None:
        """The entry of an artifact, or None where it is not on this board."""
        return next((entry for entry in self.entries if row and entry.row.path == row.path), None)


def boards(rows: Sequence[ReportRow]) -> tuple[Board, ...]:
    """Sorts artifacts into boards: by task, test before the other splits, boards with more artifacts first.

    Boards that stand beside others come last in their task.

    An artifact appears on every board it has metrics for; one without metrics appears on none.
    """
    keys: dict[tuple[str, str, str], list[ReportRow]] = {}
    for row in rows:
        for measured in row.measured:
            if measured.scores:
                keys.setdefault((row.task, measured.dataset, measured.split), []).append(row)
    made = [_board(*key, members) for key, members in keys.items()]
    order = sorted(made, key=lambda b: (b.task, b.small, b.split != "test", -len(b.entries)))
    return tuple(order)


def reference_of(row: ReportRow, rows: Sequence[ReportRow]) -> ReportRow | None:
    """The float32 file to compare with: same family and format, else the family's float32 `.tflite`, else None."""
    floats = [other for other in rows if other.family == row.family and other.recipe == "float32"]
    if row.recipe == "float32":
        return None
    return next(
        (other for wanted in (row.format, "tflite") for other in floats if other.format == wanted),
        floats[0] if floats else None,
    )


def unmeasured(rows: Sequence[ReportRow]) -> Board | None:
    """The artifacts that carry no metric at all, as a board without metrics; None when all carry some."""
    bare = [row for row in rows if not any(m.scores for m in row.measured)]
    return _board("", "", "", bare) if bare else None


def _board(task: str, dataset: str, split: str, rows: Sequence[ReportRow]) -> Board:
    nothing = Measured(dataset, split, ())
    measured = {row.path: row.on(dataset, split) or nothing for row in rows}
    names = list(dict.fromkeys(score.name for m in measured.values() for score in m.scores))
    shared = [name for name in names if all(m.score(name) for m in measured.values())] or names
    said = dict.fromkeys(m.primary for m in measured.values() if m.scores)
    wanted = [*said, *PRIMARY] if len(said) == 1 else PRIMARY
    primary = next((name for name in wanted if name in shared), shared[0] if shared else "")
    largest: dict[str, int] = {}
    for row in rows:
        largest[row.family] = max(largest.get(row.family, 0), row.size)
    brought = {row.family for row in rows if row.foreign}
    families = tuple(sorted(largest, key=lambda family: (family in brought, largest[family], family)))
    order = sorted(rows, key=lambda r: (r.foreign, families.index(r.family), r.format != "tflite", -r.size, r.path))
    entries = []
    for row in order:
        mine = measured[row.path]
        score = mine.score(primary)
        reference = reference_of(row, rows)
        drop = _drop(row, reference, dataset, split, score) if score else None
        entries.append(Entry(row, mine, score, reference, drop))
    return Board(task, dataset, split, primary, _ordered(names), tuple(entries), families)


def _drop(row: ReportRow, reference: ReportRow | None, dataset: str, split: str, score: Score) -> PairedDrop | None:
    """The recorded paired difference where there is one, else the plain difference without an interval."""
    for drop in row.drops:
        if (drop.dataset, drop.split, drop.metric) == (dataset, split, score.name):
            return drop
    theirs = reference.on(dataset, split) if reference else None
    base = theirs.score(score.name) if theirs else None
    return PairedDrop(dataset, split, score.name, score.value - base.value) if base else None


def _ordered(names: Sequence[str]) -> tuple[str, ...]:
    """Known metrics in their customary order, then the others as they came."""
    known = [name for name in METRIC_LABELS if name in names]
    return tuple(known + [name for name in names if name not in METRIC_LABELS])
