"""The plot of a network's output errors, layer by layer in order of execution."""

from handlens_export.harm.evidence import Layer, Sensitivity
from handlens_export.report import plot, words
from handlens_export.report.labels import text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.scale import Scale

NAMED = 4  # layers whose name is drawn
_SIZE = 12.0


def figure(found: Sensitivity) -> Markup:
    """Bars, one a layer; those that the repair gives back are drawn in another colour."""
    box = plot.inner()
    highest = max((layer.error for layer in found.layers), default=0.0) or 1.0
    x = Scale(0.0, len(found.layers), box.left, box.right)
    y = Scale(0.0, highest * 1.16, box.bottom, box.top)
    width = max(1.5, min(14.0, 0.7 * (x(1) - x(0))))
    marks = [_bar(layer, x(index + 0.5), y, width) for index, layer in enumerate(found.layers)]
    svg = plot.figure(
        plot.Axis(x, "layer, in order of execution", _count),
        plot.Axis(y, "output error, % of the spread", words.tick_percent),
        [*marks, *_names(found, x, y)],
        label=f"output error of each of {len(found.layers)} layers alone in int8",
    )
    caption = "How far the outputs move when one layer alone is int8."
    if found.given_back:
        caption += " Marked: left in float by the repair."
    return el("figure", el("h3", "Output error, layer by layer"), svg, el("figcaption", caption))


def _count(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else ""


def _bar(layer: Layer, at: float, y: Scale, width: float) -> Markup:
    top = min(y(layer.error), y(0.0) - 1.0)
    tip = f"{layer.unit.name} · {layer.unit.kind} · output error {layer.error * 100:.2f}%"
    if layer.back or layer.left:
        tip += " · always float" if layer.left else " · left in float"
    kind = "error back" if layer.back else "error left" if layer.left else "error"
    return el(
        "g",
        el("rect", class_=kind, x=at - width / 2, y=top, width=width, height=y(0.0) - top, rx=1),
        el("rect", class_="hit", x=at - width, y=plot.TOP, width=2 * width, height=y(0.0) - plot.TOP, data_tip=tip),
        data_row=layer.unit.name,
        class_="change",
    )


def _names(found: Sensitivity, x: Scale, y: Scale) -> list[Markup]:
    """The names of the worst layers, those that have room for it."""
    worst = sorted(range(len(found.layers)), key=lambda index: -found.layers[index].error)[:NAMED]
    drawn: list[tuple[float, float, float]] = []
    labels = []
    for index in worst:
        name = found.layers[index].unit.name
        at, top, half = x(index + 0.5), y(found.layers[index].error) - 6, text_width(name, _SIZE) / 2
        middle = min(max(at, x.start + half + 2), x.stop - half)
        if any(abs(middle - other) < half + reach + 8 and abs(top - height) < 15 for other, reach, height in drawn):
            continue
        crossed = (
            y(layer.error) < top + 2
            for i, layer in enumerate(found.layers)
            if i != index and abs(x(i + 0.5) - middle) < half + 3
        )
        if any(crossed):
            continue
        drawn.append((middle, half, top))
        labels.append(el("text", name, class_="label on-front", x=middle, y=top, text_anchor="middle"))
    return labels
