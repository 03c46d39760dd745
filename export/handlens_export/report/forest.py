"""What compression cost: each artifact's difference against float32 with its interval, and the budget as a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report import plot, words
from handlens_export.report.labels import text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.rows import PairedDrop
from handlens_export.report.scale import Scale, fit

LABEL_SIZE = 12.0
ROW = 21.0
TOP, BOTTOM = 34.0, 46.0


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact's change: its name, the difference in fractions, which artifact, how it is drawn."""

    label: str
    drop: PairedDrop
    row: str
    family: int
    square: bool
    solid: bool


def forest(changes: Sequence[Change], *, max_drop: float, metric: str) -> Markup:
    """Draws one line an artifact, the kindest at the top within each family as given.

    Args:
        changes: at least one, in the order to be drawn.
        max_drop: the budget, points.
        metric: its name for a person.
    """
    height = max(TOP + ROW * len(changes) + BOTTOM, 200.0)
    left = 18 + max(text_width(change.label, LABEL_SIZE) for change in changes)
    right = plot.WIDTH - 66
    ends = [0.0, -max_drop / 100]
    for change in changes:
        ends += [change.drop.value, *(v for v in (change.drop.low, change.drop.high) if v is not None)]
    x = fit(ends, left, right, margin=0.05)
    bottom = TOP + ROW * len(changes)
    marks = [_ground(x, bottom, max_drop)]
    for index, change in enumerate(changes):
        marks.append(_change(change, x, TOP + ROW * (index + 0.5), left, max_drop))
    title = el(
        "text", f"{metric} against float32, points", class_="axis-title", x=right, y=bottom + 38, text_anchor="end"
    )
    return el(
        "svg",
        marks,
        title,
        viewBox=f"0 0 {plot.WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=f"change in {metric} of {len(changes)} artifacts against float32, budget {max_drop:.1f} points",
        class_="plot",
        xmlns="http://www.w3.org/2000/svg",
    )


def _ground(x: Scale, bottom: float, max_drop: float) -> Markup:
    parts = []
    for value in x.ticks(7):
        at = x(value)
        kind = "axis" if abs(value) < 1e-12 else "grid"
        parts.append(el("line", class_=kind, x1=at, x2=at, y1=TOP, y2=bottom))
        parts.append(el("text", words.tick_points(value), class_="tick", x=at, y=bottom + 18, text_anchor="middle"))
    limit = x(-max_drop / 100)
    over = el("rect", class_="beyond", x=x.start, y=TOP, width=max(limit - x.start, 0.0), height=bottom - TOP)
    line = el("line", class_="limit", x1=limit, x2=limit, y1=TOP - 6, y2=bottom)
    budget = f"budget {words.points(-max_drop / 100)}"
    near = x(0.0) - limit < 80
    left, right = ("end", "start") if near else ("middle", "middle")
    name = el("text", budget, class_="limit-name", x=limit, y=TOP - 11, text_anchor=left)
    zero = el("text", "float32", class_="tick", x=x(0.0), y=TOP - 11, text_anchor=right)
    return el("g", over, parts, line, name, zero)


def _change(change: Change, x: Scale, y: float, left: float, max_drop: float) -> Markup:
    drop = change.drop
    at = x(drop.value)
    interval = None
    if drop.low is not None and drop.high is not None:
        interval = el("path", d=f"M{x(drop.low):.1f},{y:.1f}H{x(drop.high):.1f}", class_="span")
    if change.square:
        shape = el("rect", x=at - 4, y=y - 4, width=8, height=8, rx=1)
    else:
        shape = el("circle", cx=at, cy=y, r=4.5)
    value, text = words.drop_of(drop)
    tip = " · ".join([change.label, change.row, f"{value} points" + (f" [{text}]" if text else "")])
    over = drop.value * 100 < -max_drop - 1e-9
    return el(
        "g",
        el("text", change.label, class_="label", x=left - 14, y=y + 4, text_anchor="end"),
        el("g", interval, shape, class_=f"point f{change.family} {'solid' if change.solid else 'hollow'}"),
        el(
            "text",
            value,
            class_="label on-front over" if over else "label on-front",
            x=plot.WIDTH - 8,
            y=y + 4,
            text_anchor="end",
        ),
        el("rect", class_="hit", x=0, y=y - ROW / 2, width=plot.WIDTH, height=ROW, data_tip=tip),
        data_row=change.row,
        class_="change",
    )
