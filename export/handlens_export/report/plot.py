"""The frame of a plot: grid, axes and titles as SVG that follows the page's colours through CSS classes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from handlens_export.report.labels import Box, text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.scale import Scale

WIDTH, HEIGHT = 660.0, 420.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 30.0, 46.0
TICK_SIZE = 11.5


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale, what it shows, and how a tick is written."""

    scale: Scale
    title: str
    write: Callable[[float], str]
    ticks: int = 6


def inner(right: float = RIGHT) -> Box:
    """The rectangle inside the axes, in pixels of the viewBox."""
    return Box(LEFT, TOP, WIDTH - right, HEIGHT - BOTTOM)


def figure(x: Axis, y: Axis, marks: Iterable[Markup], *, label: str, right: float = RIGHT) -> Markup:
    """A whole plot.

    Args:
        x: horizontal axis, its scale over `inner().left .. right`.
        y: vertical axis, its scale from `inner().bottom` up to `top`.
        marks: what is drawn, back to front.
        label: one sentence for a screen reader.
        right: free space right of the axes, for labels at line ends.
    """
    box = inner(right)
    grid = []
    for value in y.scale.ticks(y.ticks):
        at = y.scale(value)
        grid.append(el("line", class_="grid", x1=box.left, x2=box.right, y1=at, y2=at))
        grid.append(el("text", y.write(value), class_="tick", x=box.left - 8, y=at + 4, text_anchor="end"))
    free = 0.0
    for value in x.scale.ticks(x.ticks):
        at, text = x.scale(value), x.write(value)
        grid.append(el("line", class_="grid", x1=at, x2=at, y1=box.top, y2=box.bottom))
        half = text_width(text, TICK_SIZE) / 2
        if at - half >= free:
            grid.append(el("text", text, class_="tick", x=at, y=box.bottom + 18, text_anchor="middle"))
            free = at + half + 5
    grid.append(el("line", class_="axis", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom))
    titles = [
        el("text", x.title, class_="axis-title", x=box.right, y=HEIGHT - 8, text_anchor="end"),
        el("text", y.title, class_="axis-title", x=8.0, y=16.0),
    ]
    return el(
        "svg",
        el("g", grid),
        el("g", titles),
        el("g", marks),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=label,
        class_="plot",
        xmlns="http://www.w3.org/2000/svg",
    )


def path(points: Iterable[tuple[float, float]]) -> str:
    """An SVG path through the points."""
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
