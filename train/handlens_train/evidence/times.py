"""Training and inference time of several models, as a table."""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from handlens.files import write_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One model's cost.

    name: of the model. parameters: of the deployed network. dimension: of its embedding. train_seconds: wall clock
    over all sessions; None for an artifact or a run under way. epochs: trained, 0 for a fitted baseline. single_ms:
    median time of one image. batch_ms: median time an image in batches of 32, None where the engine has a fixed
    batch. engine: what the inference times were measured on.
    """

    name: str
    parameters: int
    dimension: int
    train_seconds: float | None
    epochs: int | None
    single_ms: float
    batch_ms: float | None
    engine: str

    @property
    def cells(self) -> list[str]:
        """As the page shows them, in the order of HEADER."""
        trained = "" if self.train_seconds is None else _span(self.train_seconds)
        each = f"{self.train_seconds / self.epochs:.1f} s" if self.epochs and self.train_seconds else ""
        batch = "" if self.batch_ms is None else f"{self.batch_ms:.2f}"
        numbers = [f"{self.parameters:,}", str(self.dimension), trained, str(self.epochs or ""), each]
        return [self.name, *numbers, f"{self.single_ms:.2f}", batch, self.engine]


HEADER = (
    "model",
    "parameters",
    "dimension",
    "training",
    "epochs",
    "an epoch",
    "ms an image (alone)",
    "ms an image (batch of 32)",
    "measured on",
)


def median_ms(call: Callable[[], object], runs: int = 20, warmup: int = 3) -> float:
    """Median wall-clock time of `call` in milliseconds."""
    for _ in range(warmup):
        call()
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * float(np.median(spent))


def tabulate_times(rows: Sequence[Times], output: Path) -> None:
    """Writes the times as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(Times)])
    writer.writeheader()
    writer.writerows({key: value for key, value in asdict(row).items()} for row in rows)
    write_bytes(output, buffer.getvalue().encode())


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
