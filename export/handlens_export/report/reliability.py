"""The reliability diagram: how often answers of a confidence are right; on the diagonal it means what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report import plot, words
from handlens_export.report.labels import spread, text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.scale import Scale
from handlens_train.evaluation import Points

LABEL_SIZE = 12.0


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact: (mean confidence, accuracy) of each bin, rising; its name, its path, its colour."""

    label: str
    points: Points
    row: str
    family: int


def reliability(lines: Sequence[Line]) -> Markup:
    """Draws the curves; at least one, with at least one point each."""
    right = min(230.0, 22 + max(text_width(line.label, LABEL_SIZE) for line in lines))
    box = plot.inner(right)
    low = min(min(x, y) for line in lines for x, y in line.points)
    low = min(low - 0.02, 0.95)
    x, y = Scale(low, 1.0, box.left, box.right), Scale(low, 1.0, box.bottom, box.top)
    marks = [el("line", class_="diagonal", x1=x(low), y1=y(low), x2=x(1.0), y2=y(1.0))]
    marks += [_line(line, x, y) for line in lines]
    ends = [y(line.points[-1][1]) for line in lines]
    for position, line in zip(spread(ends, LABEL_SIZE * 1.25, box.top, box.bottom), lines, strict=True):
        spot = {"x": box.right + 10, "y": position + 4}
        marks.append(el("text", line.label, class_=f"label curve-name f{line.family}", **spot))
    return plot.figure(
        plot.Axis(x, "mean confidence, %", words.tick_percent),
        plot.Axis(y, "right, %", words.tick_percent),
        marks,
        label=f"reliability of the confidence of {len(lines)} artifacts",
        right=right,
    )


def _line(line: Line, x: Scale, y: Scale) -> Markup:
    spots = [(x(a), y(b)) for a, b in line.points]
    dots = [
        el(
            "circle",
            cx=px,
            cy=py,
            r=3.5,
            fill="currentColor",
            class_=f"f{line.family}",
            data_tip=f"{line.label} · confidence {words.percent(a)}%: right {words.percent(b)}%",
        )
        for (px, py), (a, b) in zip(spots, line.points, strict=True)
    ]
    return el("g", el("path", d=plot.path(spots), class_=f"curve f{line.family}"), dots, data_row=line.row)
