"""Who judges a model from elsewhere: a module of the user's, or one of our tasks."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import OptionError
from handlens.manifest import DataSource
from handlens_data import where
from handlens_data.calibration import Pool
from handlens_train.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Judge:
    """How well an artifact does at its task.

    Attributes:
        primary: the metric that the gate compares.
        evaluate: (artifact path, split, engine) -> Evaluation.
        draw: (count, seed) -> (uint8 (at most count, H, W, C), their source), where the module brings training images.
        pool: the task's training images, and those it tests on.
    """

    primary: str
    evaluate: Callable[[Path, str, str | None], Evaluation]
    draw: Callable[[int, int], tuple[np.ndarray, DataSource]] | None = None
    pool: Pool | None = None


def judge(name: str, data: Path | None) -> Judge:
    """Opens an evaluation.

    Args:
        name: path of a .py file, which is run, or the name of a task of ours.
        data: folder handed on to it; for a task the default is HANDLENS_DATA.

    Raises:
        OptionError: there is no such file or task, or the module lacks what an evaluation needs.
    """
    if name.endswith(".py"):
        return _of_module(Path(name), data)
    from handlens_train import tasks

    task = tasks.get(name)
    root = where.find(data) if task.READS_DATA else None
    pool = task.pool(root) if hasattr(task, "pool") and root is not None else None

    def evaluate(path: Path, split: str, engine: str | None = None) -> Evaluation:
        found: Evaluation = task.evaluate(path, root, split, engine)
        return found

    return Judge(task.PRIMARY, evaluate, pool=pool)


def _of_module(file: Path, data: Path | None) -> Judge:
    if not file.is_file():
        raise OptionError(f"--evaluation {file} is not there; valid: a .py file, or the name of a task")
    spec = importlib.util.spec_from_file_location(f"handlens_evaluation_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise OptionError(f"--evaluation {file} fails when it is run: {type(error).__name__}: {error}") from error
    primary, evaluate = getattr(module, "PRIMARY", None), getattr(module, "evaluate", None)
    if not isinstance(primary, str) or not primary or not callable(evaluate):
        lacks = "evaluate(path, data, split, engine)" if isinstance(primary, str) else "PRIMARY, the metric's name"
        raise OptionError(
            f"--evaluation {file} lacks {lacks}; it needs PRIMARY = 'accuracy' and evaluate(path, data, split, engine) "
            "that returns a handlens_train.evaluation.Evaluation; see docs/bring-your-own.md"
        )
    root = data or (Path(os.environ[where.VARIABLE]) if os.environ.get(where.VARIABLE) else None)

    def checked(path: Path, split: str, engine: str | None = None) -> Evaluation:
        try:
            found = evaluate(path, root, split, engine)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise OptionError(
                f"--evaluation {file}: evaluate() fails on {path.name}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, Evaluation) or found.primary != primary or primary not in found.metrics:
            got = f"one of {found.primary!r}" if isinstance(found, Evaluation) else type(found).__name__
            raise OptionError(f"--evaluation {file}: evaluate() gave {got}; expected an Evaluation of {primary!r}")
        return found

    return Judge(primary, checked, getattr(module, "training_images", None))
