"""Drawing a calibration set: at random, or spread over what a model tells apart."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handlens.errors import DataError
from handlens.manifest import InputSpec
from handlens_data.calibration.pool import Pixels, Pool, file_sha256
from handlens_data.calibration.sets import CalibrationSet

# Candidates that diversity chooses among, for each image wanted; each is decoded and goes through the model.
CANDIDATES = 10
MOST = 4000

Embed = Callable[[Pixels], NDArray[np.float32]]
"""From prepared uint8 images (n, H, W, C) to one row of numbers each, (n, D)."""


def pick(pool: Pool, spec: InputSpec, count: int, seed: int, embed: Embed | None = None) -> CalibrationSet:
    """Draws `count` images and prepares them for a model's input.

    Without `embed` at random, one of each group before a second of any. With it by k-centre over the embeddings of up
    to ten times as many random candidates: the next image is always the one farthest from all chosen ones (Gonzalez
    1985; for choosing data, Sener and Savarese 2018), so rare kinds of images come in and near-copies do not.

    Args:
        pool: to draw from.
        spec: of the model's input.
        count: of images.
        seed: of the draw.
        embed: the model's own view of images.

    Raises:
        DataError: `count` is not within 1 and the size of the pool, or too few images can be prepared.
        SplitLeak: a drawn image is also tested.
    """
    if not 1 <= count <= len(pool.paths):
        raise DataError(
            f"cannot pick {count} of the {len(pool.paths)} images of {pool.dataset}/{pool.split}; "
            f"valid: 1 to {len(pool.paths)}."
        )
    order = pool.turns(seed).tolist()
    by: Literal["random", "diversity"] = "random"
    wanted = count if embed is None else min(max(count, MOST), CANDIDATES * count)
    chosen, images = pool.usable(order, wanted, spec)
    if len(chosen) < count:
        raise DataError(
            f"only {len(chosen)} of the {len(order)} images of {pool.dataset}/{pool.split} can be prepared for this "
            f"model; cannot pick {count}."
        )
    if embed is not None:
        by, places = "diversity", k_centre(embed(images), count)
        chosen, images = [chosen[place] for place in places], images[places]
    pool.refuse_leaks(chosen)
    return CalibrationSet(
        images=images,
        dataset=pool.dataset,
        split=pool.split,
        licence=pool.licence,
        seed=seed,
        by=by,
        split_sha256=pool.sha256(),
        files=tuple(pool.paths[index].name for index in chosen),
        files_sha256=tuple(file_sha256(pool.paths[index]) for index in chosen),
        groups=tuple(str(pool.groups[index]) for index in chosen) if pool.groups else (),
    )


def k_centre(rows: NDArray[np.float32], count: int) -> list[int]:
    """Greedy k-centre: indices of `count` rows of (N, D), the first the one nearest the mean, each next the farthest.

    Columns are brought to one spread first, so that none decides because of its unit. The largest distance of any row
    to its nearest chosen one is at most twice the least possible (Gonzalez 1985).
    """
    values = np.asarray(rows, np.float64).reshape(len(rows), -1)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-6)
    chosen = [int(np.argmin(np.square(values).sum(axis=1)))]
    nearest = np.square(values - values[chosen[0]]).sum(axis=1)
    while len(chosen) < count:
        nearest[chosen[-1]] = -1.0  # rows that are equal to a chosen one come last, but a chosen one never again
        chosen.append(int(np.argmax(nearest)))
        distance = np.square(values - values[chosen[-1]]).sum(axis=1)
        nearest = np.where(nearest < 0, nearest, np.minimum(nearest, distance))
    return chosen
