"""Triplets as the loss sees them: an anchor, the same person, the nearest stranger, and their distances."""

from pathlib import Path

import numpy as np

from handlens.errors import DataError
from handlens_train.evidence.drawing import RIGHT, WRONG, Cell, Line, colour_image, figure, sheet
from handlens_train.evidence.matches import Crowd, normalised

_ROWS = 4
_GROUPS = ("worst", "about zero", "safest")


def draw_triplets(
    probes: np.ndarray, gallery: np.ndarray, probe_crowd: Crowd, gallery_crowd: Crowd, output: Path, *, seed: int = 0
) -> str:
    """A sheet of triplets: the worst margins, those about zero, and the safest; returns a caption.

    The positive is another camera's image of the anchor's person, drawn with `seed`; the negative is the nearest image
    of anybody else; the margin is the distance of the negative less that of the positive.

    Args:
        probes: embeddings (P, D) of the anchors.
        gallery: embeddings (G, D) of positives and negatives.
        probe_crowd: who the probes are.
        gallery_crowd: who the gallery holds.
        output: the PNG.
        seed: of the anchors (one a person) and their positives.

    Raises:
        DataError: no person was seen by two cameras, or there is nobody else.
    """
    rng = np.random.default_rng(seed)
    distance = 1 - normalised(probes) @ normalised(gallery).T
    found = []
    for person in np.unique(probe_crowd.ids):
        anchor = rng.choice(np.flatnonzero(probe_crowd.ids == person))
        same = gallery_crowd.ids == person
        others = np.flatnonzero(same & (gallery_crowd.cameras != probe_crowd.cameras[anchor]))
        strangers = np.flatnonzero(~same & (gallery_crowd.ids > 0))
        if len(others) and len(strangers):
            found.append((anchor, rng.choice(others), strangers[distance[anchor, strangers].argmin()]))
    if not found:
        raise DataError("no triplet: nobody was seen by two cameras, or nobody else is there. Bring more people.")
    margins = np.array([distance[a, n] - distance[a, p] for a, p, n in found])
    order = np.argsort(margins)
    middle = int(np.clip(np.searchsorted(margins[order], 0) - _ROWS // 2, 0, max(len(order) - _ROWS, 0)))
    groups = order[:_ROWS], order[middle : middle + _ROWS], order[::-1][:_ROWS]
    lines = []
    for row in range(min(_ROWS, len(order))):
        cells: list[Cell | None] = []
        for group in groups:
            anchor, positive, negative = found[group[row]]
            cells += [
                Cell(colour_image(probe_crowd.images[anchor]), f"margin {margins[group[row]]:+.2f}"),
                Cell(colour_image(gallery_crowd.images[positive]), f"{distance[anchor, positive]:.2f}", True),
                Cell(colour_image(gallery_crowd.images[negative]), f"{distance[anchor, negative]:.2f}", False),
                None,
            ]
        lines.append(Line("", cells[:-1]))
    header = [text for group in _GROUPS for text in (f"{group}\nanchor", "same", "stranger", "")]
    sheet(output, "Triplets and their distances", lines, header)
    return (
        f"One triplet for each of {len(found)} people (seed {seed}); {np.mean(margins > 0):.0%} have a positive "
        "margin. "
        "Left the worst margins, then those about zero, then the safest. Numbers are cosine distances to the anchor; "
        "the stranger is the nearest image of anybody else, so this is the hardest test."
    )


def draw_distances(
    probes: np.ndarray, gallery: np.ndarray, probe_crowd: Crowd, gallery_crowd: Crowd, output: Path
) -> str:
    """How distances between the same person's and between different people's images spread; returns a caption.

    Pairs of one person under one camera are left out, as the ranking leaves them out.
    """
    distance = 1 - normalised(probes) @ normalised(gallery).T
    same = probe_crowd.ids[:, None] == gallery_crowd.ids[None]
    genuine = distance[same & (probe_crowd.cameras[:, None] != gallery_crowd.cameras[None])]
    impostor = distance[~same & (gallery_crowd.ids > 0)[None]]
    bins = np.linspace(0, max(1.0, float(np.quantile(impostor, 0.999))), 60)
    worst = float(np.quantile(impostor, 0.01))
    kept = float(np.mean(genuine < worst))
    with figure(output, 7.2, 3.6) as fig:
        axes = fig.subplots()
        for values, colour, name in ((genuine, RIGHT, "same person"), (impostor, WRONG, "different people")):
            label = f"{name} ({len(values):,} pairs, median {np.median(values):.2f})"
            axes.hist(values, bins, density=True, color=colour, alpha=0.5, label=label)
        axes.axvline(worst, color="black", lw=1, ls=":")
        axes.set(title="Cosine distances", xlabel="distance", yticks=[])
        axes.set_ylim(top=axes.get_ylim()[1] * 1.3)
        axes.text(worst, axes.get_ylim()[1] * 0.76, " 1% of strangers\n are nearer", fontsize=8, va="top")
        axes.legend(loc="upper right", fontsize=8)
    return f"With a threshold that 1% of strangers pass, {kept:.1%} of the pairs of one person pass, too."
