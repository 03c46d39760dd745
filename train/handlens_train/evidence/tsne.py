"""t-SNE of embeddings (van der Maaten and Hinton 2008; scikit-learn): one colour and one thumbnail an identity."""

from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError, MissingExtra
from handlens_train.evidence.drawing import INK, colour_image, figure
from handlens_train.evidence.matches import Crowd, normalised


def draw_tsne(
    embeddings: np.ndarray,
    crowd: Crowd,
    output: Path,
    *,
    identities: int = 20,
    per_identity: int = 25,
    seed: int = 0,
    title: str = "t-SNE of embeddings",
    of: tuple[str, str] = ("person", "people"),
) -> str:
    """A map of `identities` people drawn with `seed`, each image a dot tied to its person's middle; returns a caption.

    Args:
        embeddings: (N, D), of any length; compared by cosine.
        crowd: N images, ids and cameras.
        output: the PNG.
        identities: people to show; more than about 20 colours cannot be told apart.
        per_identity: images of each at most.
        seed: of the choice and of t-SNE.
        title: of the picture.
        of: what an identity is, one and several, for the caption.

    Raises:
        DataError: fewer than five images to lay out.
        MissingExtra: matplotlib or scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingExtra("scikit-learn", "train") from error
    chosen = _choose(crowd.ids, identities, per_identity, seed)
    if len(chosen) < 5:
        raise DataError(f"t-SNE needs five images or more; got {len(chosen)}.")
    unit, ids = normalised(embeddings)[chosen], crowd.ids[chosen]
    perplexity = min(20.0, (len(chosen) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", metric="cosine", random_state=seed)
    places = tsne.fit_transform(unit)
    with figure(output, 9, 7) as fig:
        axes = fig.subplots()
        colours = _colours(len(np.unique(ids)))
        middles = []
        for identity, colour in zip(np.unique(ids), colours, strict=True):
            mine = np.flatnonzero(ids == identity)
            middle = mine[np.linalg.norm(places[mine] - np.median(places[mine], axis=0), axis=1).argmin()]
            middles.append(middle)
            for point in places[mine]:
                axes.plot(*zip(places[middle], point, strict=True), color=colour, lw=0.5, alpha=0.45, zorder=1)
            axes.scatter(*places[mine].T, s=20, color=colour, edgecolor="white", linewidth=0.4, zorder=2)
        _thumbnails(axes, places, middles, [crowd.images[i] for i in chosen[middles]], colours)
        axes.set(title=title, xticks=[], yticks=[])
        axes.margins(0.08)
        for side in axes.spines.values():
            side.set_visible(False)
    return (
        f"{len(chosen)} images of {len(colours)} {of[1]}, drawn with seed {seed}. Each dot is tied to its {of[0]}'s "
        "middle image, which is shown; long ties are images that the model does not recognise. "
        f"Distances between clusters mean little (perplexity {perplexity:.0f})."
    )


def _choose(ids: np.ndarray, identities: int, per_identity: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values, counts = np.unique(ids[ids > 0], return_counts=True)
    several = values[counts > 1]
    people = rng.permutation(several)[:identities]
    return np.concatenate(
        [np.sort(rng.permutation(np.flatnonzero(ids == person))[:per_identity]) for person in people]
        or [np.empty(0, np.int64)]
    )


def _colours(count: int) -> list[tuple[float, ...]]:
    """Hues round the circle, neighbours a light and a dark one."""
    from matplotlib.colors import hsv_to_rgb

    return [tuple(hsv_to_rgb((i / count, 0.85, (0.85, 0.6)[i % 2]))) for i in range(count)]


def _thumbnails(axes: Any, places: np.ndarray, middles: list[int], images: list[np.ndarray], colours: list) -> None:
    """Each identity's middle image, where it hides few dots and no other thumbnail."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    low, spread = places.min(axis=0), np.ptp(places, axis=0)
    dots = (places - low) / spread
    taken: list[np.ndarray] = []
    for middle, image, colour in zip(middles, images, colours, strict=True):
        taken.append(_free_spot(dots[middle], dots, taken))
        axes.add_artist(
            AnnotationBbox(
                OffsetImage(colour_image(image), zoom=44 / image.shape[0], interpolation="lanczos"),
                places[middle],
                xybox=taken[-1] * spread + low,
                boxcoords="data",
                pad=0.12,
                bboxprops={"edgecolor": colour, "linewidth": 1.6},
                arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.6, "alpha": 0.6},
                zorder=3,
            )
        )


def _free_spot(anchor: np.ndarray, dots: np.ndarray, taken: list[np.ndarray]) -> np.ndarray:
    """The cheapest of the spots round `anchor`, in units of the drawing: hidden dots cost, hidden thumbnails more."""
    size = np.array([0.05, 0.13])  # of a thumbnail
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    best, least = anchor, np.inf
    for reach in (0.9, 1.2, 1.6, 2.1, 2.8):
        for spot in anchor + ring * size * reach:
            hidden = np.all(np.abs(dots - spot) < size * 0.58, axis=1).sum()
            covered = sum(bool(np.all(np.abs(other - spot) < size)) for other in taken)
            outside = np.any((spot < -0.06) | (spot > 1.06))
            cost = hidden + 50 * covered + 20 * outside + 2 * reach
            if cost < least:
                best, least = spot, cost
    return best
