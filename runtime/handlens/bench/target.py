"""Where models are measured: the protocol that each target follows, and the one place that opens them by name.

A target's module has one function, `open_target(where, options)`; it is imported when it is asked for, not before.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

from handlens.bench.figures import Figure, Order
from handlens.bench.machine import Host
from handlens.errors import OptionError

Progress = Callable[[str], None]
"""Told what happens now, in a few words; a target calls it often enough to show that it is alive."""

# Kind -> (module, whether something follows the colon: "never", "may" or "must").
_KINDS = {
    "local": ("handlens.bench.local", "never"),
    "ssh": ("handlens.bench.ssh.target", "must"),
    "adb": ("handlens.bench.adb.target", "may"),
    "browser": ("handlens.bench.browser.target", "never"),
}
VALID = "local, ssh:HOST, adb, adb:SERIAL, browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What only some targets want to know.

    Attributes:
        remote_python: for ssh: the Python on the other side.
        binary: for adb: LiteRT's `benchmark_model`, built for the device.
        share: for browser: serve to the network, not to this machine alone.
        port: for browser: 0 for any free one.
    """

    remote_python: str = "python3"
    binary: Path | None = None
    share: bool = False
    port: int = 0


class Target(Protocol):
    """A place that runs artifacts. A context manager: leaving it removes all that it put anywhere, always.

    Entering finds the place and makes sure that it can measure; each failure there is a `DeviceError` (or an
    `EngineError`, `MissingExtra`) that says what to do.

    Attributes:
        name: as the user wrote it, "local" or "ssh:board".
        host: the machine that ran the models, once it is known; None for a phone or a browser.
    """

    name: str
    host: Host | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def measure(self, order: Order, progress: Progress) -> Iterator[Figure]:
        """Gives a figure as soon as it is measured: files in their order, for each the threads in theirs.

        Raises:
            ArtifactError: a file is refused.
            EngineError: the engine is missing, answers the goldens wrongly, or its process died.
            DeviceError: the place is lost, full, or cannot run this.
        """
        ...


def open_target(name: str, options: Options | None = None) -> Target:
    """Makes the target of a name, not yet entered.

    Args:
        name: local, ssh:HOST, adb, adb:SERIAL or browser.
        options: defaults when left out.

    Raises:
        OptionError: no such target.
    """
    kind, colon, where = name.partition(":")
    module, follows = _KINDS.get(kind, ("", ""))
    wrong = not module or (follows == "never" and colon) or (follows == "must" and not where) or (colon and not where)
    if wrong:
        raise OptionError(f"target is {name!r}; valid: {VALID}")
    opener = importlib.import_module(module).open_target
    return cast(Target, opener(where or None, options or Options()))
