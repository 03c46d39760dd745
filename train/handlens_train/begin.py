"""Opening a run folder: a fresh one is described in run.json; one that is there must be the same run and is resumed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handlens.errors import RunError
from handlens_train.run import WEIGHTS, read_info, versions, write_info

_SAME = ("task", "recipe", "seed", "config", "data")


def begin(out: Path, info: dict[str, Any], backend: str) -> None:
    """Make `out` ready for training.

    Args:
        out: the run folder; made when missing.
        info: task, recipe, seed, config and data: what decides the weights, as run.json will hold it.
        backend: of Keras, recorded.

    Raises:
        RunError: `out` holds a run of other settings, or weights without a run.json.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "run.json").is_file():
        if (out / WEIGHTS).exists():
            raise RunError(f"{out} holds {WEIGHTS} but no run.json. Choose an empty folder.")
        write_info(out, info | {"status": "running", "backend": backend, "versions": versions()})
        return
    old, new = read_info(out), json.loads(json.dumps(info))
    for key in _SAME:
        if old.get(key) != new[key]:
            raise RunError(
                f"{out} holds a run of another {key} ({old.get(key)!r}, now {new[key]!r}). "
                "Choose another --out, or repeat the settings to resume."
            )
    write_info(out, old | {"status": "running"})


def start_run(out: Path, task: str, recipe: str, config: Mapping[str, Any], seed: int, data: Mapping[str, Any]) -> None:
    """Make `out` ready for a Keras training, as `begin` does, and seed Keras, NumPy and Python.

    Args:
        out: the run folder.
        task: such as "reid".
        recipe: its name.
        config: everything that decides the weights, but for data and seed: `dataclasses.asdict` of the recipe.
        seed: of the run.
        data: name and licence of the data set; images and hash of each part.

    Raises:
        RunError: `out` holds a run of other settings, or weights without a run.json.
    """
    import keras

    facts = {"task": task, "recipe": recipe, "config": dict(config), "seed": seed, "data": dict(data)}
    begin(out, facts, keras.backend.backend())
    keras.utils.set_random_seed(seed)
