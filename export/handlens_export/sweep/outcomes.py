"""What an artifact achieved item by item, as an .npz: any two of a sweep are paired without evaluating again.

A metric that is a mean keeps its items. One that is not (average precision) keeps its value on the whole and on each of
the bootstrap's draws, which are the same for all artifacts, because they depend on the number of groups alone.
"""

import io
import zipfile
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from handlens.errors import DataError, InputError
from handlens.metrics import Interval
from handlens.metrics.bootstrap import group_counts
from handlens_train.evaluation import Evaluation

RESAMPLES = 1000  # as `handlens.metrics.paired_bootstrap_statistic` draws


def kept(found: Evaluation) -> bytes:
    """The .npz of an evaluation, without pickles: what pairing needs of it, and no more."""
    groups = np.asarray(found.groups)
    if groups.dtype == object:
        groups = groups.astype(str)
    values = np.asarray(found.outcomes, np.float64)
    if found.statistic is not None:
        values = np.array([found.statistic(row) for row in _draws(len(groups))], np.float64)
    value = found.metrics[found.primary]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        names=np.array([found.dataset, found.split, found.protocol, found.primary, found.engine]),
        facts=np.array([found.n, found.statistic is not None]),
        value=np.array([value.value, value.low, value.high]),
        groups=groups,
        values=values,
    )
    return buffer.getvalue()


def read(data: bytes) -> Evaluation:
    """The evaluation of `kept`, to pair with another: its statistic knows the bootstrap's own draws alone.

    Raises:
        DataError: it is damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as saved:
            dataset, split, protocol, primary, engine = (str(name) for name in saved["names"])
            n, drawn = (int(fact) for fact in saved["facts"])
            low, value, high = (float(end) for end in saved["value"][[1, 0, 2]])
            groups, values = saved["groups"], saved["values"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"the kept outcomes of a trial are damaged ({error}); sweep into a fresh --out") from error
    known = (
        {_name(row): float(figure) for row, figure in zip(_draws(len(groups)), values, strict=True)} if drawn else {}
    )

    def statistic(counts: NDArray[np.float64]) -> float:
        try:
            return known[_name(counts)]
        except KeyError:
            raise InputError("kept outcomes know the bootstrap's own draws alone; evaluate the artifact") from None

    return Evaluation(
        dataset=dataset,
        split=split,
        protocol=protocol,
        n=n,
        primary=primary,
        metrics={primary: Interval(value, low, high)},
        outcomes=np.empty(0) if drawn else values,
        groups=groups,
        engine=engine,
        statistic=statistic if drawn else None,
    )


def _draws(groups: int) -> NDArray[np.float64]:
    """(1 + RESAMPLES, groups): all of them once, then each draw of the bootstrap."""
    return np.concatenate([np.ones((1, groups)), group_counts(groups, RESAMPLES).astype(np.float64)])


def _name(counts: NDArray[np.float64]) -> bytes:
    return sha256(np.ascontiguousarray(counts).tobytes()).digest()
