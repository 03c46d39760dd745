"""How far a training is, on the terminal: one bar for the epoch, one line an epoch with its scores."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Training:
    """A context that shows the bar; `tick` and `callbacks` are what `fit` takes."""

    def __init__(self, recipe: str, epochs: int) -> None:
        self.recipe, self.epochs = recipe, epochs
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} batches"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.row = self.bar.add_task(f"{recipe}: reading the data", total=None)

    def __enter__(self) -> "Training":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def tick(self, epoch: int, scores: dict[str, float]) -> None:
        """Print the scores of an epoch, or of what is fitted at once."""
        shown = "  ".join(f"{name} {value:.4g}" for name, value in scores.items())
        place = f" epoch {epoch + 1}/{self.epochs}" if self.epochs else ""
        self.console.print(f"{self.recipe}{place}  {shown}")

    def callbacks(self) -> list[Any]:
        """Keras callbacks that move the bar through one epoch."""
        import keras

        progress, row, recipe = self.bar, self.row, self.recipe

        class Bar(keras.callbacks.Callback):
            def on_train_begin(self, logs: Any = None) -> None:
                progress.reset(row, total=self.params.get("steps"), description=recipe)

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                progress.advance(row)

        return [Bar()]
