"""Pictures of a fitted recommender: the BIC curve, and what each cluster likes more or less than everybody."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handlens_train.evidence.drawing import PLAIN, SERIES, figure
from handlens_train.recommender_mixture import Fit


def draw_bic(output: Path, fits: Sequence[Fit], chosen: int) -> None:
    """BIC against the number of components: every seed a dot, the best of each number a line."""
    counts = sorted({one.components for one in fits})
    lowest = [min(one.bic for one in fits if one.components == count) for count in counts]
    with figure(output, 6.5, 3.6) as fig:
        axes = fig.subplots()
        axes.scatter([one.components for one in fits], [one.bic for one in fits], s=12, color=PLAIN, label="each seed")
        axes.plot(counts, lowest, color=SERIES[0], marker="o", markersize=4, label="best seed")
        axes.axvline(chosen, color=SERIES[1], linestyle="--", linewidth=1.2, label=f"kept: {chosen}")
        axes.set(title="BIC of the mixture (lower is better)", xlabel="components", ylabel="BIC")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend()


def draw_clusters(output: Path, differences: np.ndarray, users: np.ndarray, genres: Sequence[str]) -> None:
    """Each cluster's mean rating of a genre less everybody's, (K, G) stars, as a table of shades."""
    bound = max(float(np.abs(differences).max()), 0.1)
    with figure(output, 9, 1.8 + 0.32 * len(differences)) as fig:
        axes = fig.subplots()
        shown = axes.imshow(differences, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
        axes.set_xticks(range(len(genres)), genres, rotation=45, ha="right")
        axes.set_yticks(range(len(users)), [f"cluster {index}: {count} people" for index, count in enumerate(users)])
        axes.set(title="Mean rating of a genre against everybody's")
        axes.grid(False)
        if len(differences) <= 8:
            for (row, column), value in np.ndenumerate(differences):
                ink = "white" if abs(value) > 0.6 * bound else "black"
                axes.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=6.5, color=ink)
        fig.colorbar(shown, ax=axes, label="stars")
