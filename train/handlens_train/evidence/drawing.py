"""What all pictures share: one look, PNG files written whole or not at all, and sheets of framed images."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import MissingExtra
from handlens.files import write_bytes

RIGHT, WRONG, PLAIN, INK, FAINT = "#1a9850", "#d73027", "#8a8f98", "#20242a", "#d9dce1"
# Okabe and Ito's palette, told apart by colour-blind readers; the yellow is left out, too pale on white.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": PLAIN,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceef1",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """A matplotlib Figure of `width` x `height` inches, written to `path` as PNG when the block ends without an error.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "train") from error
    # A Figure without pyplot draws with Agg: no display, no global state, nothing left open.
    with matplotlib.rc_context(_STYLE):
        made = Figure(figsize=(width, height), layout="constrained")
        yield made
        buffer = io.BytesIO()
        made.savefig(buffer, format="png", dpi=130)
    write_bytes(path, buffer.getvalue())


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One image of a sheet, uint8 (H, W, 3), with a caption below and a frame: True right, False wrong, None plain."""

    image: np.ndarray
    caption: str = ""
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sheet: a label at its left, then cells; None leaves a narrow gap."""

    label: str
    cells: Sequence[Cell | None]


def sheet(path: Path, title: str, lines: Sequence[Line], header: Sequence[str] = ()) -> None:
    """Lines of framed images with captions, as PNG; without any line it says "none".

    `header` names the columns, gaps counted (give "" there).

    All images are drawn at one size; a wrong one is framed red and dashed, so that the frame reads without colour, too.
    """
    high, wide, gap, pad = 1.3, 0.65, 0.3, 0.14
    label = 1.35 if any(line.label for line in lines) else 0.15
    lefts = [_lefts(line.cells, wide, gap, pad, label) for line in lines]
    width = max((row[-1] for row in lefts), default=label) + 0.1
    step, top = high + 0.36, 0.75 if header else 0.5
    height = top + max(step * len(lines), 0.3)
    with figure(path, max(width, 5.0), height) as fig:
        fig.set_layout_engine("none")
        axes = fig.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, max(width, 5.0)), ylim=(height, 0))
        axes.axis("off")
        axes.text(0.12, 0.24, title, fontsize=11, fontweight="bold", va="center")
        if not lines:
            axes.text(0.12, top, "none", va="center", color=PLAIN)
        for left, text in zip(lefts[0] if lefts else (), header, strict=False):
            axes.text(left + wide / 2, top - 0.1, text, ha="center", va="bottom", fontsize=8, color=PLAIN)
        for index, (line, row) in enumerate(zip(lines, lefts, strict=True)):
            y = top + index * step
            axes.text(0.12, y + high / 2, line.label, va="center", fontsize=8.5, linespacing=1.5)
            for left, cell in zip(row, line.cells, strict=False):
                if cell is not None:
                    _draw(axes, cell, left, y, wide, high)


def _lefts(cells: Sequence[Cell | None], wide: float, gap: float, pad: float, start: float) -> list[float]:
    """Left edge of every cell, then the right edge of the last."""
    lefts = [start]
    for cell in cells:
        lefts.append(lefts[-1] + (gap if cell is None else wide + pad))
    return lefts


def _draw(axes: Any, cell: Cell, left: float, top: float, wide: float, high: float) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(cell.image, extent=(left, left + wide, top + high, top), aspect="auto", interpolation="lanczos")
    colour = {True: RIGHT, False: WRONG, None: FAINT}[cell.right]
    thick, dashes = (1.0, "-") if cell.right is None else (2.8, "-" if cell.right else (0, (3, 1.2)))
    frame = Rectangle((left, top), wide, high, fill=False, edgecolor=colour, linewidth=thick, linestyle=dashes)
    axes.add_patch(frame)
    ink = INK if cell.right is None else colour
    axes.text(left + wide / 2, top + high + 0.13, cell.caption, ha="center", va="center", fontsize=7.5, color=ink)


def colour_image(image: np.ndarray) -> np.ndarray:
    """Any uint8 image (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    if image.ndim == 2:
        image = image[..., None]
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
