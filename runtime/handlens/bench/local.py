"""This machine: each artifact in a fresh process, so that what the caller has loaded changes no time and no memory."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.bench.conversation import ENTRY, converse
from handlens.bench.figures import Figure, Order
from handlens.bench.machine import Host, host
from handlens.bench.target import Options, Progress
from handlens.errors import EngineError, HandlensError


class LocalTarget:
    """This machine; see `handlens.bench.target.Target`."""

    name = "local"

    def __init__(self) -> None:
        """Describes the machine."""
        self.host: Host | None = host()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Has nothing to remove."""

    def measure(self, order: Order, progress: Progress) -> Iterator[Figure]:
        """Measures each file at each number of threads, in turn.

        Raises:
            ArtifactError: a file is refused.
            OptionError: an unknown engine, or one that does not read the file.
            EngineError: the engine is missing, answers wrongly, or its process died.
        """
        # The child must find the very package that asked, wherever that was imported from.
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        for file in order.files:

            def ended(code: int, words: str, file: Path = file) -> HandlensError:
                return EngineError(f"measuring {file}: its process ended with code {code}: {words}")

            for threads in order.threads:
                for figure, _ in converse(
                    [sys.executable, "-P", "-c", ENTRY],
                    file,
                    order,
                    threads,
                    target=self.name,
                    progress=progress,
                    ended=ended,
                    env={**os.environ, "PYTHONPATH": paths},
                ):
                    yield figure


def open_target(where: str | None, options: Options) -> LocalTarget:
    """Makes the target; there is nothing to say about it."""
    return LocalTarget()


def measure(path: str | Path, engine: str | None = None, threads: int = 1, runs: int = 200, warmup: int = 20) -> Figure:
    """Measures one artifact on this machine, in a fresh process.

    Args:
        path: of the artifact; its engine must answer the goldens rightly, or there is nothing to time.
        engine: as `handlens.engine.open_engine` takes it.
        threads: for the engine to use.
        runs: to time, 1 or more; of the model alone, and again of the whole pipeline.
        warmup: runs before the timed ones, not counted.

    Raises:
        OptionError: `runs`, `warmup` or `threads` out of range, or an unknown engine.
        ArtifactError: the file is refused.
        EngineError: the engine is missing, answers wrongly, or its process died.
    """
    order = Order(files=(Path(path),), engine=engine, threads=(threads,), runs=runs, warmup=warmup)
    (figure,) = LocalTarget().measure(order, lambda text: None)
    return figure
