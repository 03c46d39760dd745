"""The table of layers: error, metric, range and histogram of each; it sorts where scripts run."""

from handlens_export.harm.evidence import Layer, Sensitivity
from handlens_export.harm.lane import Histogram
from handlens_export.report import words
from handlens_export.report.columns import titled
from handlens_export.report.markup import Markup, el

LONGEST = 34  # letters of a name where room is short
_WIDTH, _HEIGHT = 150.0, 34.0
_BARS = 48
_HEADINGS = (
    ("#", "", "order of execution", True),
    ("layer", "", "with what is fused into it", False),
    ("weights", "count", "parameters", True),
    ("output error", "% of the spread", "of the outputs when this layer alone is int8", True),
    ("metric lost alone", "points", "by the task's metric when this layer alone is int8, and the 95% interval", True),
    ("int8 range", "", "of what the layer gives, from calibration", True),
    ("steps used", "of 256", "that hold the middle 99% of the values", True),
    ("values", "in float", "a histogram; the lines are the ends of the int8 range, counts by square root", False),
)


def table(found: Sensitivity) -> Markup:
    """Every layer, in order of execution."""
    highest = max((layer.error for layer in found.layers), default=0.0) or 1.0
    head = el("tr", (titled(*heading) for heading in _HEADINGS))
    rows = [_row(index, layer, highest, found.max_drop) for index, layer in enumerate(found.layers, 1)]
    whole = el("table", el("thead", head), el("tbody", rows, class_="sortable"))
    return el("div", whole, class_="scroll", tabindex=0, role="region", aria_label="table of layers")


def short(name: str) -> str:
    """A name that fits beside a plot: its end says more than its beginning."""
    return name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]


def _row(index: int, layer: Layer, highest: float, max_drop: float) -> Markup:
    unit = layer.unit
    badge = el("span", "float", class_="badge", title="left in float by the repair") if layer.back else None
    if layer.left:
        badge = el("span", "always float", class_="badge quiet", title="in float in every file")
    drop = None if layer.alone is None else layer.alone.drop
    lost, below = ("", "") if layer.alone is None else ("refused", "")
    if drop is not None:
        lost = words.signless(f"{drop.value:.1f}")
        below = f"{words.signless(f'{drop.low:.1f}')} to {words.signless(f'{drop.high:.1f}')}"
    over = layer.alone is not None and not layer.alone.holds(max_drop)
    low, high = layer.range or (0.0, 0.0)
    ends = f"{_number(low)} to {_number(high)}" if layer.range else ""
    bar = el("span", class_="error-bar", style=f"width:{max(1.0, 100 * layer.error / highest):.0f}%")
    return el(
        "tr",
        el("td", index, class_="num", data_sort=index),
        el(
            "td",
            el("span", unit.name, class_="path"),
            badge,
            el("small", unit.kind),
            class_="layer",
            data_sort=unit.name,
        ),
        el("td", words.count(unit.parameters) if unit.parameters else "", class_="num", data_sort=unit.parameters),
        el("td", f"{layer.error * 100:.2f}", el("small", bar), class_="num error", data_sort=repr(layer.error)),
        el(
            "td",
            lost,
            el("small", below) if below else None,
            class_="num over" if over else "num",
            data_sort=repr(drop.value) if drop else "",
        ),
        el("td", ends, class_="num", data_sort=repr(high - low) if layer.range else ""),
        el(
            "td",
            "" if layer.steps is None else f"{layer.steps:.0f}",
            class_="num",
            data_sort="" if layer.steps is None else repr(layer.steps),
        ),
        el("td", None if layer.histogram is None else _histogram(layer.histogram, layer.range), data_sort=""),
        data_row=unit.name,
    )


def _number(value: float) -> str:
    return words.signless(f"{value:.3g}") if abs(value) < 1e5 else words.signless(f"{value:.2e}")


def _histogram(seen: Histogram, ends: tuple[float, float] | None) -> Markup:
    """Values over their range and that of int8 together; what lies beyond int8's is drawn as clipped."""
    low, high = (min(seen.low, ends[0]), max(seen.high, ends[1])) if ends else (seen.low, seen.high)
    spread = max(high - low, 1e-9)
    counts = _fewer(seen.counts)
    tallest = max(counts) ** 0.5 or 1.0
    width = (seen.high - seen.low) / len(counts)
    bars = []
    for index, count in enumerate(counts):
        if not count:
            continue
        left = (seen.low + index * width - low) / spread * _WIDTH
        middle = seen.low + (index + 0.5) * width
        height = max(1.0, count**0.5 / tallest * (_HEIGHT - 4))
        beyond = ends is not None and not ends[0] - width <= middle <= ends[1] + width
        bars.append(
            el(
                "rect",
                x=left,
                y=_HEIGHT - height,
                width=max(width / spread * _WIDTH - 0.4, 0.8),
                height=height,
                class_="clipped" if beyond else None,
            )
        )
    lines = [
        el("line", x1=at, x2=at, y1=0, y2=_HEIGHT, class_="end")
        for at in ((end - low) / spread * _WIDTH for end in ends or ())
    ]
    label = f"values from {_number(seen.low)} to {_number(seen.high)}"
    return el(
        "svg",
        bars,
        lines,
        viewBox=f"-1 0 {_WIDTH + 2:.0f} {_HEIGHT:.0f}",
        role="img",
        aria_label=label,
        class_="histogram",
        xmlns="http://www.w3.org/2000/svg",
    )


def _fewer(counts: tuple[int, ...]) -> list[int]:
    """At most 48 bins of the same width."""
    step = max(1, round(len(counts) / _BARS))
    return [sum(counts[start : start + step]) for start in range(0, len(counts), step)]
