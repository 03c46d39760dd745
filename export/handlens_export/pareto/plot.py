"""A metric against a cost for thousands of points: whiskers, the front, marks of published figures.

Each point carries its place in pixels and its row's key, so that the page's script can hide it and draw the front anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from handlens_export.report import plot
from handlens_export.report.labels import Box, Request, place
from handlens_export.report.markup import Markup, el
from handlens_export.report.pareto import pareto_front
from handlens_export.report.scale import Scale, fit

NAMED = 14  # points of a front that get their name beside them
MARKED = 8  # published figures likewise
DENSE = 120  # points from which whiskers off the front are left to the pointer
FAR = 10.0  # times beyond our own costs: a published figure farther out is not drawn
LEAST_REACH = 0.05
SIZE = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row in a plot.

    Attributes:
        key: of the row.
        cost: x, positive, with the ends of its whisker, equal where there is none.
        cost_high: upper end.
        gain: y.
        low: lower end of its interval.
        high: upper end.
        label: its name on the front.
        tip: in words, for those who do not see the plot; the pointer shows what the row says.
        family: index of a colour.
        square: ONNX.
        solid: integer weights.
    """

    key: str
    cost: float
    cost_high: float
    gain: float
    low: float
    high: float
    label: str
    tip: tuple[str, ...]
    family: int
    square: bool
    solid: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A published figure: cost, gain, name, and lines of the tooltip."""

    cost: float
    gain: float
    label: str
    tip: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Axes:
    """Titles of both axes, and how their values are written."""

    x_title: str
    y_title: str
    write_x: Callable[[float], str]
    write_y: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot, the keys of its front, how many points lie below it, and the marks that found a place."""

    svg: Markup
    front: tuple[str, ...]
    below: int
    marks: tuple[Mark, ...]


def scatter(points: Sequence[Point], marks: Sequence[Mark], axes: Axes, *, level: float | None = None) -> Drawn:
    """Draws the plot. What lies far below all others is a triangle on the lower edge, and on no front.

    Args:
        points: at least one.
        marks: published figures; those far beyond the points' costs or gains are left out.
        axes: what is on them.
        level: a gain to draw a line at, such as no change; such a plot is of points that do not compete: no front.
    """
    box = plot.inner()
    floor = _floor([p.gain for p in points])
    shown = [p for p in points if p.gain >= floor]
    order = pareto_front([p.cost for p in shown], [p.gain for p in shown]) if level is None else []
    costs = [p.cost for p in points]
    near = [m for m in marks if m.gain >= floor and min(costs) / FAR <= m.cost <= max(costs) * FAR]
    x = fit([*costs, *(m.cost for m in near)], box.left, box.right, log=True, margin=0.1)
    levels = [v for p in shown for v in (max(p.low, floor), p.high)] + [m.gain for m in near]
    y = fit([*levels, *([level] if level is not None else [])], box.bottom, box.top, margin=0.05)
    front = [shown[i] for i in order]
    names = {p.key for p in front}
    drawn: list[Markup] = [_front(front, x, y, box)] if front else []
    if level is not None:
        drawn.append(el("line", class_="level", x1=box.left, x2=box.right, y1=y(level), y2=y(level)))
    drawn += [_mark(m, x, y) for m in near]
    drawn += [_point(p, x, y, box, on_front=p.key in names) for p in (*_off(points, names), *front)]
    drawn += _names(front, near, points, x, y, box)
    svg = plot.figure(
        plot.Axis(x, axes.x_title, axes.write_x, 6),
        plot.Axis(y, axes.y_title, axes.write_y, 6),
        drawn,
        label=f"{axes.y_title} against {axes.x_title}: {len(points)} points, {len(front)} on the front",
    )
    kind = "cloud dense" if len(points) > DENSE else "cloud"
    whole = el("div", svg, class_=kind, data_right=box.right, data_bottom=box.bottom)
    return Drawn(whole, tuple(p.key for p in front), len(points) - len(shown), tuple(near))


def _floor(gains: Sequence[float]) -> float:
    """Below it a network is broken, and would squeeze all others into a line; half of the points are above."""
    best = max(gains)
    return best - max(LEAST_REACH, 2 * (best - median(gains)))


def _off(points: Sequence[Point], names: set[str]) -> list[Point]:
    return [p for p in points if p.key not in names]


def _front(front: Sequence[Point], x: Scale, y: Scale, box: Box) -> Markup:
    steps = [(x(front[0].cost), y(front[0].gain))]
    for before, after in zip(front, front[1:], strict=False):
        steps += [(x(after.cost), y(before.gain)), (x(after.cost), y(after.gain))]
    steps.append((box.right, y(front[-1].gain)))
    area = [(steps[0][0], box.bottom), *steps, (box.right, box.bottom)]
    return el(
        "g",
        el("path", d=plot.path(area) + "Z", class_="front-area"),
        el("path", d=plot.path(steps), class_="front"),
    )


def _point(point: Point, x: Scale, y: Scale, box: Box, *, on_front: bool) -> Markup:
    at, up = x(point.cost), y(point.gain)
    inside = up <= box.bottom
    parts: list[Markup | None] = [_whisker(point, x, y, box) if inside else None]
    radius = 5.0 if on_front else 4.0
    if not inside:
        up = box.bottom
        parts.append(el("path", d=f"M{at - 4:.1f},{up - 8:.1f}h8l-4,7z"))
    elif point.square:
        parts.append(el("rect", x=at - radius * 0.9, y=up - radius * 0.9, width=radius * 1.8, height=radius * 1.8))
    else:
        parts.append(el("circle", cx=at, cy=up, r=radius))
    kind = f"point f{point.family % 8} {'solid' if point.solid else 'hollow'}{' on' if on_front else ''}"
    return el(
        "g",
        parts,
        class_=kind,
        data_row=point.key,
        data_x=at,
        data_y=y(point.gain),
        tabindex=0 if on_front else None,
        role="img",
        aria_label=", ".join(point.tip) if on_front else None,
    )


def _whisker(point: Point, x: Scale, y: Scale, box: Box) -> Markup | None:
    at, up = x(point.cost), y(point.gain)
    d = ""
    if point.high > point.low:
        d = f"M{at:.1f},{max(y(point.high), box.top):.1f}V{min(y(point.low), box.bottom):.1f}"
    if point.cost_high > point.cost:
        d += f"M{at:.1f},{up:.1f}H{min(x(point.cost_high), box.right):.1f}"
    return el("path", d=d, class_="whisker") if d else None


def _mark(mark: Mark, x: Scale, y: Scale) -> Markup:
    at, up = x(mark.cost), y(mark.gain)
    shape = el("path", d=f"M{at:.1f},{up - 6:.1f}l6,6l-6,6l-6,-6z", class_="diamond")
    tip = " · ".join(mark.tip)
    return el("g", shape, class_="anchor", data_tip=tip, tabindex=0, role="img", aria_label=", ".join(mark.tip))


def _names(
    front: Sequence[Point], marks: Sequence[Mark], points: Sequence[Point], x: Scale, y: Scale, box: Box
) -> list[Markup]:
    """Names of the front and of the marks, where there is room; the others keep their tooltips."""
    chosen = _spread([p for p in front if y(p.gain) <= box.bottom], NAMED)
    anchored = marks[:MARKED]
    texts = [p.label for p in chosen] + [m.label for m in anchored]
    spots = [(x(p.cost), y(p.gain)) for p in chosen] + [(x(m.cost), y(m.gain)) for m in anchored]
    taken = [Box(a - 6, b - 6, a + 6, b + 6) for a, b in {*spots, *_places(points, x, y)}]
    wanted = [Request(text, a, b) for text, (a, b) in zip(texts, spots, strict=True)]
    found = []
    for name in place(wanted, box, [*taken, *_stairs(front, x, y)], size=SIZE):
        ours = name.index < len(chosen)
        if name.leader:
            a, b = spots[name.index]
            end = min(max(a, name.box.left), name.box.right), min(max(b, name.box.top), name.box.bottom)
            found.append(el("line", class_="leader", x1=a, y1=b, x2=end[0], y2=end[1]))
        found.append(
            el(
                "text",
                texts[name.index],
                class_="label on-front" if ours else "label published",
                x=name.x,
                y=name.box.bottom - SIZE * 0.3,
                text_anchor=name.anchor,
                data_row=chosen[name.index].key if ours else None,
            )
        )
    return found


def _stairs(front: Sequence[Point], x: Scale, y: Scale) -> list[Box]:
    """The staircase as thin boxes, for names to keep clear of."""
    boxes = []
    for before, after in zip(front, front[1:], strict=False):
        left, right, low, high = x(before.cost), x(after.cost), y(before.gain), y(after.gain)
        boxes += [Box(left, low - 1, right, low + 1), Box(right - 1, high, right + 1, low)]
    return boxes


def _spread(points: Sequence[Point], most: int) -> list[Point]:
    """As many as wanted, the ends among them, evenly along the way."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def _places(points: Sequence[Point], x: Scale, y: Scale) -> set[tuple[float, float]]:
    """Where points lie, on a grid of eight pixels: names keep clear of these, and thousands are a few hundred."""
    return {(round(x(p.cost) / 8) * 8.0, round(y(p.gain) / 8) * 8.0) for p in points}
