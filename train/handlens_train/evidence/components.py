"""What a fitted baseline keeps: the explained-variance curve, the principal images, and reconstructions."""

from pathlib import Path

import numpy as np

from handlens_train.baselines import Baseline
from handlens_train.evidence.drawing import PLAIN, SERIES, Cell, Line, colour_image, figure, sheet

TARGETS = (0.90, 0.95, 0.99)


def draw_explained(baseline: Baseline, output: Path) -> str:
    """Cumulative explained variance with the customary 90/95/99% marks; returns a caption."""
    total = np.cumsum(baseline.spectrum, dtype=np.float64)
    kept = len(baseline.components)
    count = np.arange(1, len(total) + 1)
    with figure(output, 7.2, 3.8) as fig:
        axes = fig.subplots()
        axes.plot(count, total, color=SERIES[0])
        axes.fill_between(count[:kept], total[:kept], color=SERIES[0], alpha=0.12, lw=0)
        for target in TARGETS:
            needed = baseline.components_for(target)
            if needed is not None:
                axes.plot([needed], [target], "o", color=SERIES[1], markersize=5)
                text = f"{target:.0%}: {needed}"
                axes.annotate(text, (needed, target), xytext=(5, -11), textcoords="offset points", fontsize=8.5)
        axes.axvline(kept, color=PLAIN, lw=1, ls=":")
        axes.text(kept, 0.04, f"kept: {kept} ", ha="right", fontsize=8.5)
        axes.set(title="Explained variance", xlabel="components (log scale)", ylabel="share of the pixels' variance")
        axes.set(xscale="log", xlim=(1, len(total)), ylim=(0, 1.02))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    size = f"{baseline.height}x{baseline.width}x{baseline.channels}"
    held = f"{baseline.explained:.1%} of the variance"
    return f"Principal components of {baseline.images} images of {size}; the {kept} kept hold {held}."


def draw_reconstructions(baseline: Baseline, images: np.ndarray, output: Path, *, columns: int = 10) -> str:
    """Images, uint8 (N, H, W, C), and what ever more components remember of them; returns a caption."""
    shown = images[:columns]
    kept = len(baseline.components)
    counts = [count for count in (10, 50, 200) if count < kept] + [kept]
    lines = [Line("original", [Cell(colour_image(image)) for image in shown])]
    for count in counts:
        rebuilt = baseline.reconstruct(shown, count)
        error = float(np.sqrt(np.mean((rebuilt.astype(np.float32) - shown) ** 2)))
        name = f"{count} components\n{baseline.spectrum[:count].sum():.0%} of variance\nerror {error:.1f} of 255"
        lines.append(Line(name, [Cell(colour_image(image)) for image in rebuilt]))
    lines.append(
        Line("principal\nimages 1, 2, ...", [Cell(image) for image in _principal_images(baseline, len(shown))])
    )
    sheet(output, "What the components remember", lines)
    return (
        "Images that took no part in the fit, rebuilt from ever more components; the error is the root mean square. "
        "Last line: the first principal images."
    )


def _principal_images(baseline: Baseline, count: int) -> list[np.ndarray]:
    """The first directions as images about mid-grey, each stretched to its own largest value."""
    shape = baseline.height, baseline.width, baseline.channels
    rows = baseline.components[:count]
    stretched = 127.5 + 127.5 * rows / np.abs(rows).max(axis=1, keepdims=True)
    return [colour_image(row.astype(np.uint8).reshape(shape)) for row in stretched]
