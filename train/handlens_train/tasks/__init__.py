"""One file a task, each with the same four names: RECIPES, train, load, evaluate. None imports Keras before it must."""

import importlib
from types import ModuleType

from handlens.errors import OptionError

TASKS = ("reid", "facecheck", "face-detector", "gender", "face-verifier")


def get(task: str) -> ModuleType:
    """The module of a task.

    Raises:
        OptionError: unknown task; the valid ones are listed.
    """
    if task not in TASKS:
        raise OptionError(f"unknown task {task!r}; valid: {', '.join(TASKS)}.")
    return importlib.import_module(f"handlens_train.tasks.{task.replace('-', '_')}")
