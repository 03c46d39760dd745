"""What a sweep is made of: a trial, the order that a machine gets for it, and what came of it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from handlens_export.recipes import Format

# done: there is an artifact. refused: handlens said why not. memory, time: stopped at a limit. failed: for a reason
# outside of it (a crash, a lost node, a full disk, a package missing), so the next command tries it again.
State = Literal["done", "refused", "memory", "time", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One network compressed in one way: all that decides the artifact, and nothing else.

    What does not matter for a recipe is None, so that two wishes for the same artifact are one trial.

    Attributes:
        source: absolute path of the run folder, or of a model file that the user brings.
        contents: hash of the files that the trial reads and that may change: weights, picked calibration images.
        recipe: its name.
        format: of the artifact.
        seed: of the draw of calibration images and of fine-tuning; None where there is neither.
        calibration_images: how many are drawn to measure ranges on; None where none are.
        calibration: path of picked images to measure them on instead.
        max_minutes: for one fine-tuning; None where nothing is fine-tuned.
        steps: of fine-tuning, instead of the recipe's.
        max_drop: points that a recipe may lose which looks for its own form (mixed); None for all others.
        options: what else opens the source, (name, value) sorted by name: ("detector", PATH), ("manifest", PATH).
    """

    source: str
    contents: str = ""
    recipe: str
    format: Format
    seed: int | None = None
    calibration_images: int | None = None
    calibration: str | None = None
    max_minutes: float | None = None
    steps: int | None = None
    max_drop: float | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """16 hex digits of a hash of all fields: trials of one key are the same trial."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """All fields, sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Trial":
        """Reads what `to_json` wrote."""
        facts = json.loads(text)
        return cls(**facts | {"options": tuple((name, value) for name, value in facts["options"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of a trial's artifact, on the validation split.

    Attributes:
        artifact: name of the file in the sweep's folder artifacts/.
        size: bytes of the file.
        gzip_size: bytes of it after gzip -9.
        sparsity: share of the prunable weights that are zero, 0..1.
        parameters: of the network.
        task: of the artifact.
        metric: the primary one.
        dataset: it was measured on.
        split: of it.
        n: items.
        value: of the metric, a fraction, with its 95% interval.
        low: end of it.
        high: end of it.
        loss: what it loses against the sweep's float32, in points (hundredths); negative is a gain.
        loss_low: end of the 95% interval of the paired difference.
        loss_high: end of it.
        engine: name and version of what ran.
    """

    artifact: str
    size: int
    gzip_size: int
    sparsity: float
    parameters: int
    task: str
    metric: str
    dataset: str
    split: str
    n: int
    value: float
    low: float
    high: float
    loss: float
    loss_low: float
    loss_high: float
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: see `State`.
        reason: one line, empty when it is done.
        seconds: of wall clock, from the start of its process to its end.
        peak_memory_mb: resident memory of its processes together, the largest seen (MiB).
        limit: the limit that ended it, minutes or MiB; None unless the state is time or memory.
        host: name of the machine.
        figures: None unless it is done.
    """

    state: State
    reason: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    limit: float | None = None
    host: str = ""
    figures: Figures | None = None

    def to_json(self) -> str:
        """All fields."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Reads what `to_json` wrote."""
        facts = json.loads(text)
        figures = facts.pop("figures")
        return cls(**facts, figures=None if figures is None else Figures(**figures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A trial as a machine gets it: with what it is compared with, and how much it may use. Pickles well.

    Attributes:
        trial: to run.
        allowed: points that the budget allows; for the artifact's gate.json.
        data: data folder, None for a task that reads none.
        minutes: of wall clock.
        memory_mb: of resident memory, all processes of the trial together (MiB).
        threads: of the processor that it may use.
        reference: outcomes of the sweep's float32 (`outcomes.py`, an .npz); None for that trial itself.
        kept: folder for finished fine-tunings of a model; a run keeps them in its own.
    """

    trial: Trial
    allowed: float
    data: str | None
    minutes: float
    memory_mb: float
    threads: int
    reference: bytes | None
    kept: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a machine sends back: the outcome; of one that is done also the artifact and its outcomes by item."""

    outcome: Outcome
    artifact: bytes | None = None
    outcomes: bytes | None = None


class Lanes(Protocol):
    """Where trials run: this machine (`local.py`) or a cluster (`ray.py`). One thread calls it.

    Nothing of it writes into the sweep's folder: what a lane gives back, `search.py` keeps.
    """

    @property
    def count(self) -> int:
        """Trials that run at once; may change while a cluster grows or shrinks."""

    def start(self, order: Order) -> None:
        """Starts a trial and returns at once. At most `count` are given at a time."""

    def finished(self, seconds: float) -> list[tuple[str, Result]]:
        """Waits until a trial has ended, at most `seconds`; (key of the trial, result) of each that has, once."""

    def stop(self) -> None:
        """Ends what runs, waits for it, and gives back what it holds. Called once, whatever happened."""
