"""Who was taken for whom: each probe's nearest gallery images and its nearest true match, by Market-1501's rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handlens.errors import DataError
from handlens.metrics import JUNK, Ranking, rank


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Images of people: `images` N times uint8 RGB (H, W, 3); `ids` and `cameras` int (N,)."""

    images: Sequence[np.ndarray]
    ids: np.ndarray
    cameras: np.ndarray

    def __post_init__(self) -> None:
        """Raises DataError when the parts differ in length."""
        if not len(self.images) == len(self.ids) == len(self.cameras):
            raise DataError(
                f"{len(self.images)} images, {len(self.ids)} ids, {len(self.cameras)} cameras: must be equal."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """How one model sorts a gallery for each probe. Distances are cosine distances, 0 (same) to 2.

    ranking: first match and average precision of each probe. nearest: int (P, K), gallery index of the K nearest that
    count. distances: float (P, K), theirs. truth: int (P,), gallery index of the nearest correct one. truth_distance:
    float (P,).
    """

    name: str
    ranking: Ranking
    nearest: np.ndarray
    distances: np.ndarray
    truth: np.ndarray
    truth_distance: np.ndarray


def match(
    name: str, probes: np.ndarray, gallery: np.ndarray, probe_crowd: Crowd, gallery_crowd: Crowd, top: int = 5
) -> Matches:
    """Sort the gallery for each probe.

    Args:
        name: of the model, for legends.
        probes: embeddings (P, D), of any length.
        gallery: embeddings (G, D).
        probe_crowd: who the probes are.
        gallery_crowd: who the gallery holds; may be the same as the probes (multi-shot: a probe's own image never
            counts, for it has the probe's identity and camera).
        top: nearest images to keep for each probe.

    Raises:
        ProbeWithoutMatch: a probe cannot be found. InputError: embeddings of another length than the crowd, or not
            finite.
    """
    ids, cameras = (probe_crowd.ids, gallery_crowd.ids), (probe_crowd.cameras, gallery_crowd.cameras)
    similarity = normalised(probes) @ normalised(gallery).T
    ranking = rank(similarity, ids[0], ids[1], cameras[0], cameras[1])
    same = ids[0][:, None] == ids[1][None]
    counts = ~(same & (cameras[0][:, None] == cameras[1][None])) & (ids[1] != JUNK)
    distance = np.where(counts, 1 - similarity, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :top]
    true_distance = np.where(same, distance, np.inf)
    truth = true_distance.argmin(axis=1)
    row = np.arange(len(truth))
    return Matches(name, ranking, nearest, distance[row[:, None], nearest], truth, true_distance[row, truth])


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """Rows of unit length, float32 (N, D)."""
    embeddings = np.asarray(embeddings, np.float32)
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
