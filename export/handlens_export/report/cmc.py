"""CMC curves: the chance that the right identity is among the first k, against k."""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report import plot, words
from handlens_export.report.labels import spread, text_width
from handlens_export.report.markup import Markup, el
from handlens_export.report.reference import Published
from handlens_export.report.scale import Scale, fit

RANKS = 20
SHOWN = (1, 5, 10, 15, 20)
LABEL_SIZE = 12.0


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact's curve.

    Attributes:
        label: at its right end; empty draws it thin and unlabelled.
        curve: (K,) fractions, rank 1 first.
        row: path of the artifact.
        family: index, chooses the colour.
    """

    label: str
    curve: tuple[float, ...]
    row: str
    family: int


@dataclass(frozen=True, slots=True)
class RankScale(Scale):
    """Ranks, with the customary ones as ticks."""

    def ticks(self, wanted: int = 6) -> list[float]:
        """Ranks 1, 5, 10, ... up to the last."""
        return [float(rank) for rank in SHOWN if rank <= self.high]


def cmc(lines: Sequence[Line], published: Sequence[Published] = ()) -> Markup:
    """Draws the curves up to rank 20, the published figures as diamonds.

    Args:
        lines: at least one, with at least one rank each.
        published: of the same protocol.
    """
    last = min(RANKS, max(len(line.curve) for line in lines))
    names = [line.label for line in lines if line.label] + [p.model for p in published if len(p.ranks) > 1]
    right = min(230.0, 22 + max((text_width(name, LABEL_SIZE) for name in names), default=0))
    box = plot.inner(right)
    x = RankScale(1, max(last, 2), box.left + 10, box.right)
    values = [v for line in lines for v in line.curve[:last]] + [v for p in published for _, v in p.ranks]
    y = fit([*values, 1.0], box.bottom, box.top, margin=0.03)
    thin = [line for line in lines if not line.label]
    named = [line for line in lines if line.label]
    marks = [_line(line, x, y, last) for line in [*thin, *named]]
    ends = [y(line.curve[:last][-1]) for line in named]
    tails = [p for p in published if len(p.ranks) > 1]
    ends += [y(p.ranks[-1][1]) for p in tails]
    labelled: list[Line | Published] = [*named, *tails]
    for position, line, end in zip(spread(ends, LABEL_SIZE * 1.25, box.top, box.bottom), labelled, ends, strict=True):
        marks.append(_end(line, position, end, x, box.right))
    marks += [_diamonds(p, x, y) for p in published]
    return plot.figure(
        plot.Axis(x, "rank", lambda rank: f"{rank:.0f}"),
        plot.Axis(y, "found within the rank, %", lambda v: f"{v * 100:.0f}"),
        marks,
        label=f"CMC curves of {len(lines)} artifacts up to rank {last}",
        right=right,
    )


def _line(line: Line, x: Scale, y: Scale, last: int) -> Markup:
    curve = line.curve[:last]
    points = [(x(rank), y(value)) for rank, value in enumerate(curve, start=1)]
    shown = [rank for rank in (1, 5, 10, 20) if rank <= len(curve)]
    tip = " · ".join([line.label or line.row, *(f"rank-{rank}: {words.percent(curve[rank - 1])}%" for rank in shown)])
    return el(
        "g",
        el("path", d=plot.path(points), class_=f"curve f{line.family}" + ("" if line.label else " thin")),
        el("path", d=plot.path(points), class_="curve-hit", data_tip=tip),
        data_row=line.row,
    )


def _end(line: Line | Published, position: float, end: float, x: Scale, right: float) -> Markup:
    if isinstance(line, Published):
        start, name, kind = x(line.ranks[-1][0]), line.model, "label published"
    else:
        start, name, kind = right, line.label, f"label curve-name f{line.family}"
    leader = el(
        "path",
        d=f"M{start + 4:.1f},{end:.1f}L{right + 4:.1f},{end:.1f}L{right + 14:.1f},{position:.1f}",
        class_="leader",
    )
    return el("g", leader, el("text", name, class_=kind, x=right + 18, y=position + 4))


def _diamonds(published: Published, x: Scale, y: Scale) -> Markup:
    marks = []
    for rank, value in published.ranks:
        at_x, at_y = x(rank), y(value)
        origin = f"published ({published.source}), not measured here"
        tip = f"{published.model} · {origin} · rank-{rank}: {words.percent(value)}%"
        d = f"M{at_x:.1f},{at_y - 5:.1f}l5,5l-5,5l-5,-5Z"
        marks.append(el("path", d=d, class_="diamond", data_tip=tip, tabindex=0, role="img", aria_label=tip))
    points = [(x(rank), y(value)) for rank, value in published.ranks]
    return el("g", el("path", d=plot.path(points), class_="published-line") if len(points) > 1 else None, marks)
