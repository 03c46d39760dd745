"""How far a network's outputs are from those in float: the harm that costs no evaluation to see."""

from collections.abc import Mapping

import numpy as np

from handlens_export.matching import LOGIT_LIMIT
from handlens_train.exportable import Match

_TINY = 1e-12


def output_error(
    wanted: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], matching: Mapping[str, Match]
) -> float:
    """The error of the outputs as a share of their spread: 0 is the same, 1 as far off as another image's would be.

    The root of the mean squared error over the variance across images (and cells, or pixels), averaged over the
    outputs. An embedding is taken at length 1, a logit within the limits where a sigmoid still moves, and the cells of
    a detector weigh as much as the probability that something is there.

    Args:
        wanted: in float, (N, ...) by name.
        got: the same outputs of another network.
        matching: what each output is; one that is not named is taken as plain values.
    """
    return float(np.mean([_error(name, wanted, got, matching.get(name, Match("value"))) for name in wanted]))


def _error(name: str, wanted: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray], match: Match) -> float:
    a, b = (_comparable(x[name].astype(np.float64), match) for x in (wanted, got))
    weight = np.ones((1,) * a.ndim)
    if match.weight is not None and match.weight in wanted and wanted[match.weight].shape[:-1] == a.shape[:-1]:
        weight = 1 / (1 + np.exp(-wanted[match.weight].astype(np.float64)))
    total = np.broadcast_to(weight, a.shape)
    axes = 0 if a.ndim <= 2 else tuple(range(a.ndim - 1))
    centre = (total * a).sum(axis=axes, keepdims=True) / np.maximum(total.sum(axis=axes, keepdims=True), _TINY)
    spread = float((weight * (a - centre) ** 2).sum())
    off = float((weight * (b - a) ** 2).sum())
    return float(np.sqrt(off / spread)) if spread > _TINY else float(off > _TINY)


def _comparable(values: np.ndarray, match: Match) -> np.ndarray:
    if match.kind == "cosine":
        return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), _TINY))
    return np.clip(values, -LOGIT_LIMIT, LOGIT_LIMIT) if match.kind == "logit" else values
