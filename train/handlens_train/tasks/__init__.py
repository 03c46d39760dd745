"""One file a task, each with the same names: RECIPES, train, load, evaluate. None imports Keras before it must.

A file in this folder is a task, without being registered anywhere; "_" in its name is "-" in the task's. A package of
somebody else's adds one with an entry point of the group `handlens.tasks`, the task's name to its module.
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from handlens.errors import OptionError

GROUP = "handlens.tasks"


def names() -> tuple[str, ...]:
    """The tasks there are: those of this folder, then those of other packages."""
    own = sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__))
    return (*own, *sorted(_elsewhere().keys() - set(own)))


def get(task: str) -> ModuleType:
    """The module of a task.

    Raises:
        OptionError: unknown task; the valid ones are listed.
    """
    known = names()
    if task not in known:
        raise OptionError(f"unknown task {task!r}; valid: {', '.join(known)}.")
    if task in _elsewhere():
        module: ModuleType = _elsewhere()[task].load()
        return module
    return importlib.import_module(f"{__name__}.{task.replace('-', '_')}")


@cache
def _elsewhere() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
