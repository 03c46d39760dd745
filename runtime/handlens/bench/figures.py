"""What is ordered and what comes back: frozen records, the same for every target, and their JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handlens import _codec
from handlens.bench.machine import Host
from handlens.errors import InputError, ManifestInvalid, OptionError

SCHEMA = 1
WIDE = 2.0
MAX_BYTES = 8 * 2**20
# Beyond these, an order would run for days by a slip of the finger.
MAX_RUNS, MAX_THREADS, MAX_MINUTES = 1_000_000, 256, 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure; every file at every number of threads.

    Attributes:
        files: artifacts, `.tflite` or `.onnx`.
        engine: a name that the target knows; None for the target's default.
        threads: numbers of them to try, each 1 or more.
        runs: timed, 1 or more; of the model alone, and again of the whole pipeline.
        warmup: untimed runs before them, 0 or more.
        sustained_minutes: run for so long after the timed runs and give a `Moment` every 10 s; None for not at all.
    """

    files: tuple[Path, ...]
    engine: str | None = None
    threads: tuple[int, ...] = (1,)
    runs: int = 200
    warmup: int = 20
    sustained_minutes: float | None = None

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: a field is out of range.
        """
        if not self.files:
            raise OptionError("no artifact to measure; name at least one .tflite or .onnx file")
        if not 1 <= self.runs <= MAX_RUNS or not 0 <= self.warmup <= MAX_RUNS:
            raise OptionError(
                f"runs is {self.runs}, warmup is {self.warmup}; valid: 1 or more, and 0 or more, up to {MAX_RUNS}"
            )
        if not self.threads or not all(1 <= count <= MAX_THREADS for count in self.threads):
            shown = ",".join(map(str, self.threads))
            raise OptionError(f"threads is {shown!r}; valid: numbers of 1 to {MAX_THREADS}, such as 1,2,4")
        minutes = self.sustained_minutes
        if minutes is not None and not 0 < minutes <= MAX_MINUTES:
            raise OptionError(f"sustained is {minutes} minutes; valid: more than 0, at most {MAX_MINUTES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long a call took, in milliseconds of wall clock.

    Attributes:
        runs: timed.
        p50_ms: median.
        p90_ms: 90th percentile; None where the target does not tell (LiteRT's `benchmark_model` gives the 95th).
        p99_ms: 99th percentile; None where the target does not tell.
        min_ms: the quickest.
        mean_ms: over all.
        p95_ms: 95th percentile, from targets that tell it instead of the other two.
    """

    runs: int
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None
    min_ms: float
    mean_ms: float
    p95_ms: float | None = None

    def __post_init__(self) -> None:
        """Validates types, and that the figures hang together.

        Raises:
            ManifestInvalid: they do not.
        """
        _codec.normalise(self)
        known = [value for value in (self.p90_ms, self.p95_ms, self.p99_ms) if value is not None]
        ordered = 0 <= self.min_ms <= self.p50_ms and sorted([self.p50_ms, *known]) == [self.p50_ms, *known]
        if self.runs < 1 or not ordered or self.mean_ms < self.min_ms * (1 - 1e-9):
            raise ManifestInvalid(
                f"Times are {self.runs} runs, min {self.min_ms}, p50 {self.p50_ms}, p90 {self.p90_ms}, "
                f"p99 {self.p99_ms}, mean {self.mean_ms}; expected 1 run or more, and times that rise from 0"
            )

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Times":
        """Sums up single runs, in milliseconds; percentiles are interpolated linearly (NumPy's default)."""
        values = np.asarray(milliseconds, np.float64)
        p50, p90, p99 = (float(value) for value in np.percentile(values, [50, 90, 99]))
        low, mean = float(values.min()), float(values.mean())
        return cls(runs=len(values), p50_ms=p50, p90_ms=p90, p99_ms=p99, min_ms=low, mean_ms=mean)

    @property
    def wide(self) -> bool:
        """Whether something else disturbed the runs: p99 (or p95, where that is all there is) beyond twice p50."""
        high = self.p99_ms if self.p99_ms is not None else self.p95_ms
        return high is not None and high > WIDE * self.p50_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Ten seconds of the sustained mode.

    Attributes:
        seconds: from the start of the sustained mode to the end of these ten.
        p50_ms: median of the model alone within them.
        p90_ms: 90th percentile of the same; None where the target does not tell.
        clock_mhz: mean over the cores at the end; None where the system does not tell.
        temperature_c: of the processor, or the hottest zone, at the end; None where the system does not tell.
    """

    seconds: float
    p50_ms: float
    p90_ms: float | None
    clock_mhz: float | None = None
    temperature_c: float | None = None

    def __post_init__(self) -> None:
        """Validates types.

        Raises:
            ManifestInvalid: a field has the wrong type, or a time is negative.
        """
        _codec.normalise(self)
        if self.seconds < 0 or not 0 <= self.p50_ms <= (self.p50_ms if self.p90_ms is None else self.p90_ms):
            raise ManifestInvalid(
                f"Moment is at {self.seconds} s with p50 {self.p50_ms} and p90 {self.p90_ms}; "
                "expected a time of 0 or more, and p50 up to p90"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One artifact on one target at one number of threads. None stands for what the target cannot tell.

    Attributes:
        artifact: file name, without its folder.
        model_id: of its manifest.
        target: as asked for, such as "local" or "adb:R58M123".
        device: what it ran on, for a person, such as "Pixel 6, arm64-v8a".
        engine: its name.
        engine_version: of it, or empty.
        threads: the engine was given.
        accelerator: "cpu", "webgpu", ...
        cold_ms: from an open file to the first answer in a fresh process, without the program's own start.
        warmup_ms: the first run after the model is loaded, which the cold start includes.
        model: the model alone: prepared tensor in, outputs out.
        pipeline: the whole way: decode a JPEG of the input's size, prepare, run, and make the task's answer of it.
        stages_ms: medians of the pipeline's parts: "decode", "prepare", "run", "answer"; empty where not told apart.
        peak_memory_mb: largest resident memory of the process, in 2**20 bytes.
        base_memory_mb: of it, what was there before the model.
        temperature_c: of the processor, or the hottest zone, (before, after).
        clock_mhz: mean over the cores, (before, after).
        sustained: one a ten seconds, where that was ordered.
        notes: sentences a reader of the figures must know: what else ran, what was not possible.
    """

    artifact: str
    model_id: str
    target: str
    device: str
    engine: str
    engine_version: str
    threads: int
    accelerator: str = "cpu"
    cold_ms: float | None = None
    warmup_ms: float | None = None
    model: Times | None = None
    pipeline: Times | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float | None = None
    base_memory_mb: float | None = None
    temperature_c: tuple[float, float] | None = None
    clock_mhz: tuple[float, float] | None = None
    sustained: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field has the wrong type or is out of range.
        """
        _codec.normalise(self)
        for name in ("cold_ms", "warmup_ms", "peak_memory_mb", "base_memory_mb"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ManifestInvalid(f"Figure.{name} is {value}; expected 0 or more")
        for name in ("temperature_c", "clock_mhz"):
            pair = getattr(self, name)
            if pair is not None and len(pair) != 2:
                raise ManifestInvalid(f"Figure.{name} has {len(pair)} numbers; expected 2, before and after")
        if not 1 <= self.threads <= MAX_THREADS:
            raise ManifestInvalid(f"Figure.threads is {self.threads}; expected 1 to {MAX_THREADS}")

    @classmethod
    def from_plain(cls, data: object, where: str = "figure") -> "Figure":
        """Builds one from parsed JSON, as strictly as a manifest: exact types, no unknown keys.

        Raises:
            ManifestInvalid: it is not one; the message begins with `where`.
        """
        return _codec.build(cls, data, where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What `handlens bench --json` writes.

    Attributes:
        schema: of this record.
        created: date and time, ISO 8601, UTC.
        handlens: its version.
        host: the machine that ran the models; None where none is described (a phone, a browser).
        figures: in the order they were measured.
    """

    schema: Literal[1] = 1
    created: str
    handlens: str
    host: Host | None = None
    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        """Validates types.

        Raises:
            ManifestInvalid: a field has the wrong type.
        """
        _codec.normalise(self)

    @classmethod
    def now(cls, figures: Sequence[Figure], host: Host | None = None) -> "Bench":
        """Records figures as of now, by the handlens that runs."""
        from handlens import __version__

        created = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(created=created, handlens=__version__, host=host, figures=tuple(figures))

    def to_json(self) -> str:
        """Returns indented JSON; `from_json` gives back an equal record."""
        return json.dumps(_codec.to_plain(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "bench file") -> "Bench":
        """Reads what `to_json` wrote.

        Args:
            text: JSON of at most 8 MiB.
            where: names the file in messages.

        Raises:
            InputError: it is not such a record, or of a newer handlens.
        """
        if len(text) > MAX_BYTES:
            raise InputError(f"{where} has {len(text)} characters; at most {MAX_BYTES}")
        try:
            data: Any = _codec.parse_json(text, where)
            schema = data.get("schema") if isinstance(data, dict) else None
            if isinstance(schema, int) and schema > SCHEMA:
                raise InputError(
                    f"{where} is of schema {schema}; this handlens reads up to {SCHEMA}: update handlens to read it"
                )
            return _codec.build(cls, data, where)
        except ManifestInvalid as error:
            raise InputError(f"{error}; expected a file that handlens bench --json wrote") from None


def finite(value: float | None) -> float | None:
    """The value, or None where it is no finite number."""
    return value if value is not None and math.isfinite(value) else None
