"""Which artifact a command takes when none is named: the zoo's, where it is installed.

The runtime imports nobody, so the zoo is looked up by name when it is asked for.
"""

import importlib
from pathlib import Path

from handlens.errors import MissingExtra, OptionError

ZOO = "handlens_zoo"
NAMES = {"face-detector": "face-detector", "face-verifier": "face-verifier", "gender": "gender", "reid": "reid-base"}
"""Task to the artifact of the zoo that its commands take."""


def model_for(task: str, given: Path | None = None, option: str = "--model") -> Path:
    """The artifact to use for a task.

    Args:
        task: such as "face-detector".
        given: what the user named; returned as it is.
        option: that the user would name one with, for the message.

    Raises:
        MissingExtra: none is named, and the zoo is not installed.
        OptionError: none is named, and the zoo has none for the task.
    """
    if given is not None:
        return given
    try:
        zoo = importlib.import_module(ZOO)
    except ModuleNotFoundError:
        error = MissingExtra(ZOO, "zoo")
        error.args = (
            f"no {task} was named and the zoo of trained ones is not installed; name one with {option} FILE, "
            "or run: pip install 'handlens[zoo]'",
        )
        raise error from None
    name = NAMES.get(task, task)
    try:
        path: Path = zoo.path(name)
    except LookupError:
        raise OptionError(
            f"no {task} was named, and {ZOO} {zoo.__version__} holds no {name!r} (it has {', '.join(zoo.names())}); "
            f"name one with {option} FILE"
        ) from None
    return path
