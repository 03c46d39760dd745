"""The progress line of a long step: steps, time left, loss; on stderr, and only where a person is looking."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A context that shows one bar."""

    def __init__(self, label: str, total: int) -> None:
        """Shows `label` and a count up to `total`."""
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(label, total=total, note="")

    def __enter__(self) -> "Bar":
        """Starts drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the bar, whatever happened."""
        self._progress.stop()

    def update(self, done: int, loss: float | None = None) -> None:
        """Moves the bar to `done`."""
        note = "" if loss is None else f"loss {loss:.5f}"
        self._progress.update(self._task, completed=done, note=note)
