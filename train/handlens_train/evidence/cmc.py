"""Cumulative match characteristics of several models on the same probes, with the bootstrap interval of rank-1."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens_train.evidence.drawing import SERIES, figure
from handlens_train.evidence.matches import Matches


def draw_cmc(models: Sequence[Matches], output: Path, *, max_rank: int = 20, title: str = "CMC") -> str:
    """One curve a model up to `max_rank`, best first in the legend; the first has a band. Returns a caption.

    Args:
        models: matches on the same probes.
        output: the PNG.
        max_rank: last rank drawn.
        title: of the picture.
    """
    ranks = np.arange(1, max_rank + 1)
    with figure(output, 7.2, 4.6) as fig:
        axes = fig.subplots()
        for index in sorted(range(len(models)), key=lambda i: -metrics.cmc(models[i].ranking, 1)[0]):
            model, colour = models[index], SERIES[index % len(SERIES)]
            ids = model.ranking.probe_ids
            first = metrics.bootstrap(model.ranking.hits(1), ids)
            curve = metrics.cmc(model.ranking, max_rank)
            label = f"{model.name}  {first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"
            style = "-" if index < len(SERIES) else "--"
            axes.plot(ranks, curve, style, color=colour, label=label, marker="o", markersize=3)
            if index == 0:
                band = [metrics.bootstrap(model.ranking.hits(int(k)), ids, resamples=500) for k in ranks]
                axes.fill_between(ranks, [b.low for b in band], [b.high for b in band], color=colour, alpha=0.13, lw=0)
        axes.set(title=title, xlabel="rank", ylabel="share of probes found", xlim=(0.5, max_rank + 0.5), ylim=(0, 1.01))
        axes.set_xticks([k for k in (1, 5, 10, 15, 20, 30, 40, 50) if k <= max_rank])
        axes.legend(loc="lower right", title="rank-1 [95% interval]", alignment="left", fontsize=8)
    return (
        f"{len(models[0].ranking.first_match)} probes. Intervals are 95% bootstraps over identities; "
        f"the band belongs to {models[0].name}."
    )
