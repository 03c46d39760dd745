"""Accuracy against a cost (bytes or milliseconds): points, whiskers, the Pareto front, labels that do not overlap."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from handlens_export.report import plot
from handlens_export.report.labels import Box, Placed, Request, place, text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.pareto import pareto_front
from handlens_export.report.scale import Scale, fit

LABEL_SIZE = 12.0
NEAR = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One artifact in the plot.

    Attributes:
        cost: x, positive.
        gain: y.
        low: lower end of the interval of `gain`.
        high: upper end.
        label: its name, beside the point when it is on the front.
        short: a shorter one for the others, where the colour tells the model.
        tip: lines of the tooltip.
        row: path of the artifact, ties the point to its row in the table.
        family: index, chooses the colour.
        square: drawn as a square (ONNX), not a circle.
        solid: filled (integer weights), not hollow.
    """

    cost: float
    gain: float
    low: float
    high: float
    label: str
    short: str
    tip: tuple[str, ...]
    row: str
    family: int
    square: bool
    solid: bool


@dataclass(frozen=True, slots=True)
class Scatter:
    """A drawn plot, and how many points have no label for lack of space."""

    svg: Markup
    unlabelled: int
    front: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Lines:
    """What labels keep clear of: texts, the staircase, and the whisker of each point."""

    texts: list[Box]
    stairs: list[Box]
    bars: list[Box]


def scatter(
    points: Sequence[Point],
    *,
    x_title: str,
    y_title: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    lines: Mapping[str, float] | None = None,
) -> Scatter:
    """Draws the plot.

    Args:
        points: at least one.
        x_title: of the cost axis.
        y_title: of the gain axis.
        write_x: a cost as text.
        write_y: a gain as text.
        lines: published figures, name to gain, drawn as dashed levels where they are near the range and otherwise
            named at its lower edge.
    """
    box = plot.inner()
    x = fit([p.cost for p in points], box.left, box.right, log=True, margin=0.13)
    levels = [p.low for p in points] + [p.high for p in points]
    reach = max(levels) - min(levels)
    lines = dict(lines or {})
    near = {name: v for name, v in lines.items() if v >= min(levels) - max(reach * NEAR, 0.02)}
    y = fit([*levels, *near.values()], box.bottom, box.top, margin=0.05)
    front = pareto_front([p.cost for p in points], [p.gain for p in points])
    marks = [_front([points[i] for i in front], x, y, box)]
    marks += [_whisker(p, x, y, on_front=i in front) for i, p in enumerate(points) if p.high > p.low]
    obstacles: list[Box] = []
    for name, value in near.items():
        mark, text_box = _level(name, y(value), box)
        marks.append(mark)
        obstacles.append(text_box)
    below = {name: value for name, value in lines.items() if name not in near}
    if below:
        name, value = max(below.items(), key=lambda item: item[1])
        text = f"↓ {name}: {write_y(value)}, below this axis"
        marks.append(el("text", text, class_="level-name", x=box.left + 6, y=box.bottom - 7))
        obstacles.append(Box(box.left, box.bottom - 22, box.left + 12 + text_width(text, 11.5), box.bottom))
    lined = _Lines(obstacles, _stairs([points[i] for i in front], x, y), [_bar(p, x, y) for p in points])
    placed = _labels(points, front, [(x(p.cost), y(p.gain)) for p in points], box, lined)
    marks += [_leader(p, points[p.index], x, y) for p in placed if p.leader]
    marks += [_mark(p, x, y, on_front=i in front) for i, p in enumerate(points)]
    marks += [_label(p, points[p.index], on_front=p.index in front) for p in placed]
    svg = plot.figure(
        plot.Axis(x, x_title, write_x, 6),
        plot.Axis(y, y_title, write_y, 6),
        marks,
        label=f"{y_title} against {x_title}; {len(points)} artifacts, {len(front)} on the Pareto front",
    )
    return Scatter(svg, len(points) - len(placed), tuple(front))


def _front(points: Sequence[Point], x: Scale, y: Scale, box: Box) -> Markup:
    """The staircase through the front: what the best reachable gain is at each cost."""
    steps = [(x(points[0].cost), y(points[0].gain))]
    for before, after in zip(points, points[1:], strict=False):
        steps += [(x(after.cost), y(before.gain)), (x(after.cost), y(after.gain))]
    steps.append((box.right, y(points[-1].gain)))
    area = [(steps[0][0], box.bottom), *steps, (box.right, box.bottom)]
    return el(
        "g",
        el("path", d=plot.path(area) + "Z", class_="front-area"),
        el("path", d=plot.path(steps), class_="front"),
    )


def _stairs(points: Sequence[Point], x: Scale, y: Scale) -> list[Box]:
    """The staircase as thin boxes, for labels to keep clear of."""
    boxes = []
    for before, after in zip(points, points[1:], strict=False):
        left, right, low, high = x(before.cost), x(after.cost), y(before.gain), y(after.gain)
        boxes += [Box(left, low - 1, right, low + 1), Box(right - 1, high, right + 1, low)]
    last = points[-1]
    boxes.append(Box(x(last.cost), y(last.gain) - 1, x.stop, y(last.gain) + 1))
    return boxes


def _bar(point: Point, x: Scale, y: Scale) -> Box:
    return Box(x(point.cost) - 1, y(point.high), x(point.cost) + 1, y(point.low))


def _labels(
    points: Sequence[Point], front: Sequence[int], spots: Sequence[tuple[float, float]], box: Box, lines: _Lines
) -> list[Placed]:
    """Labels of the front first, which may cross a whisker; then the rest, clear of everything."""
    clear = [*(Box(x - 6, y - 6, x + 6, y + 6) for x, y in spots), *lines.texts]
    rest = [i for i in range(len(points)) if i not in front]
    passes: tuple[tuple[Sequence[int], list[Box]], ...] = (
        (front, lines.stairs),
        (front, []),  # those that found no place: over a line rather than left out
        (rest, [*lines.stairs, *lines.bars]),
    )
    placed: dict[int, Placed] = {}
    for members, avoided in passes:
        open_ = [i for i in members if i not in placed]
        wanted = [Request(points[i].label if i in front else points[i].short, *spots[i]) for i in open_]
        taken = [*clear, *avoided, *(p.box for p in placed.values())]
        for found in place(wanted, box, taken, size=LABEL_SIZE):
            placed[open_[found.index]] = dataclasses.replace(found, index=open_[found.index])
    return list(placed.values())


def _whisker(point: Point, x: Scale, y: Scale, *, on_front: bool) -> Markup:
    at, high, low = x(point.cost), y(point.high), y(point.low)
    d = f"M{at:.1f},{high:.1f}V{low:.1f}M{at - 3:.1f},{high:.1f}h6M{at - 3:.1f},{low:.1f}h6"
    return el("path", d=d, class_=f"whisker f{point.family}{'' if on_front else ' pale'}", data_row=point.row)


def _level(name: str, at: float, box: Box) -> tuple[Markup, Box]:
    width = text_width(name, 11.5)
    mark = el(
        "g",
        el("line", class_="level", x1=box.left, x2=box.right, y1=at, y2=at),
        el("text", name, class_="level-name", x=box.left + 6, y=at - 5),
    )
    return mark, Box(box.left, at - 18, box.left + width + 12, at + 1)


def _mark(point: Point, x: Scale, y: Scale, *, on_front: bool) -> Markup:
    at_x, at_y = x(point.cost), y(point.gain)
    radius = 5.5 if on_front else 4.5
    if point.square:
        side = radius * 1.8
        shape = el("rect", x=at_x - side / 2, y=at_y - side / 2, width=side, height=side, rx=1)
    else:
        shape = el("circle", cx=at_x, cy=at_y, r=radius)
    kind = f"point f{point.family} {'solid' if point.solid else 'hollow'}"
    return el(
        "g",
        el("circle", cx=at_x, cy=at_y, r=12, class_="halo"),
        shape,
        class_=kind,
        tabindex=0,
        role="img",
        aria_label=", ".join(point.tip),
        data_tip=" · ".join(point.tip),
        data_row=point.row,
    )


def _leader(placed: Placed, point: Point, x: Scale, y: Scale) -> Markup:
    at_x, at_y = x(point.cost), y(point.gain)
    end_x = min(max(at_x, placed.box.left), placed.box.right)
    end_y = min(max(at_y, placed.box.top), placed.box.bottom)
    return el("line", class_="leader", x1=at_x, y1=at_y, x2=end_x, y2=end_y)


def _label(placed: Placed, point: Point, *, on_front: bool) -> Markup:
    return el(
        "text",
        point.label if on_front else point.short,
        class_="label on-front" if on_front else "label",
        x=placed.x,
        y=placed.box.bottom - LABEL_SIZE * 0.3,
        text_anchor=placed.anchor,
        data_row=point.row,
    )
