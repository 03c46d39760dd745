"""Ranking and retrieval: CMC and mean average precision, by the protocol of Market-1501."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from handlens.errors import InputError, ProbeWithoutMatch
from handlens.metrics._arrays import Floats, Integers

# Identity of a gallery image that Market-1501 neither rewards nor punishes (a bad detection of somebody).
JUNK = -1


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Where each probe's matches landed in the gallery sorted by similarity.

    Attributes:
        first_match: (P,) int64, 0-based rank of the first correct gallery item.
        average_precision: (P,) float64, 0..1.
        probe_ids: (P,) int64, the identity of each probe (the groups to resample in a bootstrap).
    """

    first_match: Integers
    average_precision: Floats
    probe_ids: Integers

    def hits(self, rank: int) -> Floats:
        """Returns (P,) float64: 1.0 where a correct item is among the first `rank` (1-based), else 0.0."""
        return (self.first_match < rank).astype(np.float64)


def rank(
    similarity: ArrayLike,
    probe_ids: ArrayLike,
    gallery_ids: ArrayLike,
    probe_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
) -> Ranking:
    """Ranks the gallery for each probe, by the protocol of Market-1501 (Zheng et al., ICCV 2015).

    Gallery items of the probe's identity seen by the probe's own camera are left out, as are those of identity -1
    (junk). Distractors (identity 0 there) stay in; they match nobody, as no probe has their identity. Without cameras
    nothing but junk is left out. Among equal similarities the wrong items come first, so a model that answers the same
    for everybody scores nothing.

    Average precision is the mean, over the correct items, of the precision at each (as scikit-learn has it, without the
    trapezoids of the data set's first MATLAB code, which score slightly higher).

    Args:
        similarity: (P, G), higher is more alike; finite.
        probe_ids: (P,) integers.
        gallery_ids: (G,) integers.
        probe_cameras: (P,) integers; give both cameras or neither.
        gallery_cameras: (G,) integers.

    Raises:
        InputError: shapes disagree, or a similarity is not finite.
        ProbeWithoutMatch: a probe has no correct item left in the gallery; the message names the identities.
    """
    scores = np.asarray(similarity)
    probes, gallery = _integers(probe_ids, "probe_ids"), _integers(gallery_ids, "gallery_ids")
    if scores.shape != (len(probes), len(gallery)):
        raise InputError(
            f"similarity has shape {scores.shape}; expected (probes, gallery) = ({len(probes)}, {len(gallery)})"
        )
    if (probe_cameras is None) != (gallery_cameras is None):
        raise InputError("cameras are given for the probes or the gallery only; give both or neither")
    cameras: tuple[Integers, Integers] | None = None
    if probe_cameras is not None and gallery_cameras is not None:
        cameras = _integers(probe_cameras, "probe_cameras"), _integers(gallery_cameras, "gallery_cameras")
        got = len(cameras[0]), len(cameras[1])
        if got != scores.shape:
            raise InputError(f"cameras for {got} probes and gallery items; expected one each, {scores.shape}")
    first = np.zeros(len(probes), np.int64)
    precision = np.zeros(len(probes), np.float64)
    unmatched: list[int] = []
    for index, identity in enumerate(probes):
        row = np.asarray(scores[index], np.float64)
        if not np.isfinite(row).all():
            raise InputError(f"similarity of probe {index} is not finite; check the embeddings")
        match = gallery == identity
        keep = gallery != JUNK
        if cameras is not None:
            keep &= ~(match & (cameras[1] == cameras[0][index]))
        match, row = match[keep], row[keep]
        if not match.any():
            unmatched.append(int(identity))
            continue
        positions = np.flatnonzero(match[np.lexsort((match, -row))])
        first[index] = positions[0]
        precision[index] = np.mean(np.arange(1, len(positions) + 1) / (positions + 1))
    if unmatched:
        _refuse(unmatched, len(probes), cameras is not None)
    return Ranking(first, precision, probes)


def cmc(ranking: Ranking, max_rank: int) -> Floats:
    """Returns the cumulative match characteristic, (max_rank,) float64: element k - 1 is the share hit by rank k.

    Raises:
        InputError: `max_rank` is below 1, or there is no probe.
    """
    if max_rank < 1:
        raise InputError(f"max_rank is {max_rank}; valid: 1 or more")
    if not len(ranking.first_match):
        raise InputError("a CMC of no probes; the probe set is empty")
    hits: Floats = np.mean(ranking.first_match[:, None] < np.arange(1, max_rank + 1), axis=0, dtype=np.float64)
    return hits


def mean_average_precision(ranking: Ranking) -> float:
    """Returns the mean of the probes' average precisions, 0..1.

    Raises:
        InputError: there is no probe.
    """
    if not len(ranking.average_precision):
        raise InputError("a mean average precision of no probes; the probe set is empty")
    return float(np.mean(ranking.average_precision))


def _integers(values: ArrayLike, name: str) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} has shape {array.shape} and type {array.dtype}; expected a list of integers")
    return array.astype(np.int64)


def _refuse(unmatched: list[int], probes: int, cameras: bool) -> None:
    names = ", ".join(map(str, sorted(set(unmatched))[:5])) + (" ..." if len(set(unmatched)) > 5 else "")
    where = "from another camera " if cameras else ""
    raise ProbeWithoutMatch(
        f"{len(unmatched)} of {probes} probes have no image of their identity {where}in the gallery "
        f"(identity {names}); every probe needs one: add it to the gallery or remove the probe"
    )
