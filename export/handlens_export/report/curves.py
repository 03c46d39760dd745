"""From a board's entries to the curves that ride along with them: DET, reliability."""

from collections.abc import Collection

from handlens_export.report import det, reliability
from handlens_export.report.boards import Board, Entry
from handlens_export.report.markup import Markup
from handlens_export.report.table import is_solid
from handlens_export.report.verdict import label_of

COLOURS = 8
# Title, caption and drawing of a figure.
Drawn = tuple[str, str, Markup]


def family_of(entry: Entry, board: Board) -> int:
    """Which of the colours an entry has."""
    return board.families.index(entry.row.family) % COLOURS


def det_figure(board: Board, chosen: Collection[str]) -> Drawn | None:
    """The DET curves of a board, where artifacts carry some.

    Args:
        board: the entries.
        chosen: paths of the artifacts worth a name.
    """
    lines = []
    for entry in board.entries:
        curves, counts = entry.measured.curves, entry.measured.counts
        points = tuple((x, y) for x, y in curves.get("det", ()) if x > 0)
        if len(points) > 1:
            lines.append(
                det.Line(
                    label=label_of(entry, board) if entry.row.path in chosen else "",
                    points=points,
                    low=curves.get("det-low", ()),
                    high=curves.get("det-high", ()),
                    impostors=counts.get("impostors", 0),
                    genuine=counts.get("genuine", 0),
                    row=entry.row.path,
                    family=family_of(entry, board),
                    heavy=is_solid(entry),
                )
            )
    if not lines:
        return None
    caption = (
        "Lower and further left is better. Shaded: 95% interval over people. Dashed: fewer than three errors would be "
        "expected there, so the comparisons do not carry the rate (rule of three). Broad: integer weights."
    )
    return "DET", caption, det.det(lines)


def reliability_figure(board: Board, chosen: Collection[str]) -> Drawn | None:
    """What the confidence is worth, where artifacts carry the curve; of those worth a name only."""
    lines = [
        reliability.Line(label_of(entry, board), points, entry.row.path, family_of(entry, board))
        for entry in board.entries
        if entry.row.path in chosen and (points := entry.measured.curves.get("reliability", ()))
    ]
    if not lines:
        return None
    caption = (
        "Below the diagonal the model is surer than it is right. Each point is a bin of answers of like confidence."
    )
    return "Reliability", caption, reliability.reliability(lines)
