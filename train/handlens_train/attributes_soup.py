"""Weights of several runs of one network, averaged (a model soup: Wortsman et al., ICML 2022): better, and no larger.

Runs that start from the same weights and differ in learning rate or augmentation end close enough to each other for
the mean of their weights to work, about as well as the mean of their answers. Each run is taken in only if validation
gains by it (the greedy soup).
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handlens.files import write_bytes
from handlens_train.run import WEIGHTS, Run, read_info, write_info

OWN = "own.weights.h5"


def average(
    model: Any, out: Path, runs: Sequence[Path], evaluate: Callable[[Any], dict[str, float]], primary: str
) -> None:
    """Average the best weights of `runs` into those of the run folder `out`, one after the other, where it helps.

    The run's own weights stay in own.weights.h5, so that the same call again gives the same result. run.json notes the
    runs that were taken in under "soup", and the new figure under "best".

    Args:
        model: the network; it ends with the averaged weights.
        out: a complete run.
        runs: further runs of the same network.
        evaluate: scores of the model.
        primary: the score that decides.

    Raises:
        RunError: one of `runs` is no run, or of another network.
    """
    others = [Run.open(path) for path in runs]
    if not (out / OWN).is_file():
        write_bytes(out / OWN, (out / WEIGHTS).read_bytes())
    model.load_weights(out / OWN)
    taken, noted, best = [_weights(model)], [], evaluate(model)[primary]
    for run in others:
        run.fill(model)
        tried = [*taken, _weights(model)]
        model.set_weights(_mean(tried))
        score = evaluate(model)[primary]
        if score > best:
            best, taken = score, tried
            digest = hashlib.sha256(run.weights.read_bytes()).hexdigest()
            noted.append({"run": run.path.resolve().name, "recipe": run.recipe, "seed": run.seed, "sha256": digest})
    model.set_weights(_mean(taken))
    temporary = out / f".new.{WEIGHTS}"
    model.save_weights(temporary)
    temporary.replace(out / WEIGHTS)
    info = read_info(out)
    write_info(out, info | {"soup": noted, "best": info["best"] | {primary: best}})


def _weights(model: Any) -> list[np.ndarray]:
    return [np.array(value) for value in model.get_weights()]


def _mean(runs: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.mean(values, axis=0) for values in zip(*runs, strict=True)]
