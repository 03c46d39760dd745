"""What the Pareto page is made of: a row for each trial, or for each artifact and data set it was measured on."""

from dataclasses import dataclass

DONE, RUNNING = "done", "running"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an artifact with its 95% interval: fractions, and the items behind them."""

    name: str
    dataset: str
    split: str
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """The metric less that of the float32 it is compared with, a fraction, negative when worse; 95%, paired.

    The ends are None where only the two values are known, not the outcomes by item.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial of a sweep, or one artifact on one data set.

    Attributes:
        key: unique on the page.
        origin: the sweep or the folder it is from, as the user named it.
        number: of the trial in its sweep; None for an artifact of a folder.
        task: of handlens.
        model: the network: name of the run or of the model file.
        recipe: of compression.
        format: "tflite" or "onnx".
        state: "done", or how the trial ended: see `handlens_export.sweep.trial.State`; "running" while it does.
        reason: why it is not done, one line.
        path: of the artifact, below the origin; empty where there is none.
        size: bytes of the file.
        gzip_size: bytes of it after gzip -9.
        size_ratio: size over that of the float32 it is compared with; None where there is none.
        gzip_ratio: bytes after gzip over those of the float32 as it is.
        metric: None where it was not measured.
        change: None for the float32 itself, or where there is none.
        p50_ms: median time of one run of the model alone.
        p90_ms: 90th percentile of it.
        time_ratio: p50 over that of the float32; None unless both were taken in turns.
        facts: what else is known, (name, text).
    """

    key: str
    origin: str
    number: int | None = None
    task: str
    model: str
    recipe: str
    format: str
    state: str = DONE
    reason: str = ""
    path: str = ""
    size: int | None = None
    gzip_size: int | None = None
    size_ratio: float | None = None
    gzip_ratio: float | None = None
    metric: Metric | None = None
    change: Change | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    time_ratio: float | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def integer(self) -> bool:
        """Whether its weights are integers, by its recipe."""
        return any(part in self.recipe for part in ("int", "mixed"))

    @property
    def board(self) -> tuple[str, str, str, str] | None:
        """What it may be compared on: (task, data set, split, metric); None where it was not measured."""
        return (self.task, self.metric.dataset, self.metric.split, self.metric.name) if self.metric else None

    @property
    def label(self) -> str:
        """Model and recipe, as a person would say it."""
        return f"{self.model} {self.recipe}" + ("" if self.format == "tflite" else f" ({self.format})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything that the page shows.

    Attributes:
        title: of the page.
        rows: of all sweeps and folders.
        origins: one line each: what it is and how much it held.
        unread: files that could not be read, (path, why).
        timed: where the times come from, in words.
        version: of handlens.
        created: date and time, for a person.
    """

    title: str
    rows: tuple[Row, ...]
    origins: tuple[str, ...]
    unread: tuple[tuple[str, str], ...] = ()
    timed: str = ""
    version: str = ""
    created: str = ""
