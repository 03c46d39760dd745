"""DET curves: FNMR against FMR, both by logarithm; dashed where the comparisons no longer carry the rate.

With N comparisons a rate below 3 / N cannot be told from none (the rule of three), whatever the curve does there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report import plot
from handlens_export.report.labels import Box, Placed, Request, place
from handlens_export.report.markup import Markup, el
from handlens_export.report.scale import Scale
from handlens_train.evaluation import Points

LABEL_SIZE = 12.0
RULE_OF_THREE = 3.0
TARGETS = (1e-1, 1e-2, 1e-3, 1e-4)
# Where along its curve a label is tried, each line beginning at another.
SPOTS = (0.3, 0.45, 0.6, 0.15, 0.75, 0.05, 0.9)


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact's curve.

    Attributes:
        label: beside the curve; empty draws it thin, unlabelled and without its interval.
        points: (FMR, FNMR), rising FMR.
        low: lower ends of the interval of FNMR, at the same FMRs; empty where not measured.
        high: upper ends.
        impostors: comparisons of two people behind it.
        genuine: comparisons of one person.
        row: path of the artifact.
        family: index, chooses the colour.
        heavy: drawn with a broad stroke: weights kept as integers.
    """

    label: str
    points: Points
    low: Points
    high: Points
    impostors: int
    genuine: int
    row: str
    family: int
    heavy: bool = False


def det(lines: Sequence[Line]) -> Markup:
    """Draws the curves; at least one, with a point of positive rates each."""
    named = [line for line in lines if line.label]
    box = plot.inner()
    fmrs = [x for line in lines for x, _ in line.points if x > 0]
    genuine, impostors = max(line.genuine for line in lines), max(line.impostors for line in lines)
    floor = max(0.5 / max(genuine, 1), 1e-6)
    tops = [y for line in lines for _, y in [*line.points, *(line.high if line.label else ())] if y > 0]
    x = Scale(min(fmrs), max(fmrs), box.left, box.right, log=True)
    y = Scale(floor, max(min(max(tops, default=1.0) * 1.15, 1.0), floor * 10), box.bottom, box.top, log=True)
    marks = [_edge(x, y, box.left, box.right, impostors, genuine)]
    marks += [_band(line, x, y) for line in named if line.low and line.high]
    marks += [_line(line, x, y) for line in [*(line for line in lines if not line.label), *named]]
    marks += _labels(named, lines, x, y, box)
    return plot.figure(
        plot.Axis(x, "false match rate (FMR), %, log scale", _percent, 5),
        plot.Axis(y, "false non-match rate (FNMR), %, log scale", _percent, 5),
        marks,
        label=f"DET curves of {len(lines)} artifacts, from {impostors:,} comparisons of two people",
    )


def carried(line: Line, fmr: float, fnmr: float) -> bool:
    """Whether the comparisons behind a curve can carry a point of it."""
    return fmr * line.impostors >= RULE_OF_THREE - 1e-6 and fnmr * line.genuine >= RULE_OF_THREE - 1e-6


def at(points: Points, target: float) -> float | None:
    """FNMR at the largest measured FMR within a target; None where the curve starts above it."""
    return next((y for x, y in reversed(points) if x <= target * (1 + 1e-6)), None)


def _percent(rate: float) -> str:
    return f"{rate * 100:.4f}".rstrip("0").rstrip(".")


def _edge(x: Scale, y: Scale, left: float, right: float, impostors: int, genuine: int) -> Markup:
    """Where the rule of three ends: a line for the impostors, one for the genuine comparisons."""
    parts: list[Markup] = []
    if impostors and x.low < RULE_OF_THREE / impostors < x.high:
        spot = x(RULE_OF_THREE / impostors)
        parts.append(el("line", class_="level", x1=spot, x2=spot, y1=y.stop, y2=y.start))
        text = f"3 of {impostors:,}"
        parts.append(el("text", text, class_="level-name", x=spot + 5, y=y.stop + 12))
    if genuine and y.low < RULE_OF_THREE / genuine < y.high:
        spot = y(RULE_OF_THREE / genuine)
        parts.append(el("line", class_="level", x1=left, x2=right, y1=spot, y2=spot))
        text = f"3 of {genuine:,}"
        parts.append(el("text", text, class_="level-name", x=right - 5, y=spot - 5, text_anchor="end"))
    return el("g", parts)


def _band(line: Line, x: Scale, y: Scale) -> Markup:
    ups = [(x(a), y(min(max(b, y.low), y.high))) for a, b in line.high if a > 0]
    downs = [(x(a), y(min(max(b, y.low), y.high))) for a, b in line.low if a > 0]
    return el("path", d=plot.path([*ups, *reversed(downs)]) + "Z", class_=f"band f{line.family}", data_row=line.row)


def _line(line: Line, x: Scale, y: Scale) -> Markup:
    """Pieces of the curve, solid where both rates are carried; it lies on the lower edge where no error is left."""
    shown = [(a, b) for a, b in line.points if a > 0]
    thin = "" if line.heavy else " light"
    thin = thin if line.label else " thin"
    pieces: list[tuple[bool, list[tuple[float, float]]]] = []
    for before, after in zip(shown, shown[1:], strict=False):
        solid = carried(line, *before) and carried(line, *after)
        if not pieces or pieces[-1][0] is not solid:
            pieces.append((solid, [before]))
        pieces[-1][1].append(after)
    tips = [f"FNMR {_percent(v)}% at FMR {_percent(t)}%" for t in TARGETS if (v := at(line.points, t)) is not None]
    tip = " · ".join([line.label or line.row, *tips])
    drawn = [
        el(
            "path",
            d=plot.path([(x(a), y(max(b, y.low))) for a, b in points]),
            class_=f"curve f{line.family}{thin}{'' if solid else ' dashed'}",
        )
        for solid, points in pieces
    ]
    spots = [(x(a), y(max(b, y.low))) for a, b in shown]
    hit = el("path", d=plot.path(spots), class_="curve-hit", data_tip=tip) if spots else None
    return el("g", drawn, hit, data_row=line.row)


def _labels(named: Sequence[Line], lines: Sequence[Line], x: Scale, y: Scale, box: Box) -> list[Markup]:
    """A name beside each named curve, clear of every curve and of the other names."""
    spots = {line.row: [(x(a), y(max(b, y.low))) for a, b in line.points if a > 0] for line in lines}
    curves = [Box(px - 3, py - 3, px + 3, py + 3) for points in spots.values() for px, py in _dense(points)]
    taken: list[Box] = []
    marks = []
    for index, line in enumerate(named):
        points = spots[line.row]
        turned = [SPOTS[(index + step) % len(SPOTS)] for step in range(len(SPOTS))]
        for share in turned:
            at_x, at_y = points[round(share * (len(points) - 1))]
            found = place([Request(line.label, at_x, at_y)], box, [*curves, *taken], size=LABEL_SIZE, radius=2.0)
            if found:
                taken.append(found[0].box)
                marks.append(_label(line, found[0], at_x, at_y))
                break
    return marks


def _label(line: Line, placed: Placed, at_x: float, at_y: float) -> Markup:
    end_x = min(max(at_x, placed.box.left), placed.box.right)
    end_y = min(max(at_y, placed.box.top), placed.box.bottom)
    leader = el("line", class_="leader", x1=at_x, y1=at_y, x2=end_x, y2=end_y)
    base = placed.box.bottom - LABEL_SIZE * 0.3
    name = el(
        "text", line.label, class_=f"label curve-name f{line.family}", x=placed.x, y=base, text_anchor=placed.anchor
    )
    return el("g", leader, name, data_row=line.row)


def _dense(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points with others between them, at most 6 pixels apart."""
    filled = list(points[:1])
    for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
        steps = max(1, round(max(abs(bx - ax), abs(by - ay)) / 6))
        filled += [(ax + (bx - ax) * step / steps, ay + (by - ay) * step / steps) for step in range(1, steps + 1)]
    return filled
