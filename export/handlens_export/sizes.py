"""One trained network at another input size, for tasks whose network is the same at each: `handlens export --size`."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from handlens.errors import OptionError
from handlens_train import tasks
from handlens_train.exportable import Exportable
from handlens_train.run import Run


@dataclass(frozen=True, slots=True)
class Size:
    """Height and width of a network's input, in pixels."""

    height: int
    width: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Reads "192" (a square) or "192x256" (height x width).

        Raises:
            OptionError: it is neither.
        """
        found = re.fullmatch(r"([1-9]\d{0,4})(?:[xX]([1-9]\d{0,4}))?", text.strip())
        if found is None:
            raise OptionError(f"--size is {text!r}; valid: one side such as 192, or HEIGHTxWIDTH such as 192x256")
        height = int(found[1])
        return cls(height, int(found[2] or height))

    def __str__(self) -> str:
        """As it is written: "192", or "192x256"."""
        return str(self.height) if self.height == self.width else f"{self.height}x{self.width}"


def valid_sizes(task: str) -> Collection[int]:
    """The sides that a task's network takes; empty when it takes that of its training alone."""
    sides: Collection[int] = getattr(tasks.get(task), "SIZES", ())
    return sides


def check(task: str, size: Size) -> None:
    """Refuses a size before anything is loaded.

    Raises:
        OptionError: the task takes no size, or not this one; the valid ones are listed.
    """
    sides = valid_sizes(task)
    if not sides:
        able = [name for name in tasks.names() if valid_sizes(name)]
        raise OptionError(
            f"--size {size}: a network of {task} has the size it was trained at; tasks that take a size: "
            f"{', '.join(able) or 'none'}. Leave --size out"
        )
    if size.height not in sides or size.width not in sides:
        raise OptionError(f"--size is {size}; valid sides for {task}: {', '.join(map(str, sides))}")


def load(run: Run, data: Path | None, size: Size | None, **options: Any) -> Exportable:
    """The trained network of a run, at its own size or at another, which its name then ends in.

    `options` are the task's own, of those it declares in OPTIONS.

    Raises:
        OptionError: as `check`.
        RunError: the run does not fit its task.
    """
    module = tasks.get(run.task)
    if size is None:
        source: Exportable = module.load(run, data, **options)
        return source
    check(run.task, size)
    sized: Exportable = module.load(run, data, size=(size.height, size.width), **options)
    return replace(sized, name=f"{sized.name}-{size}")
