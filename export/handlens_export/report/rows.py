"""What the report is made of: plain frozen data, so that a page can be built without an artifact or an engine at hand.

Figures are kept as measured: fractions, bytes, milliseconds. `boards` sorts rows, `words` writes numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from handlens.bench import Figure
from handlens_train.evaluation import Breakdown, Matrix, Points

WIDE_SPREAD = 1.5
METRIC_LABELS = {
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "mAP": "mAP",
    "accuracy": "accuracy",
    "mean_accuracy": "mean accuracy",
    "macro_f1": "macro F1",
    "mean_recall": "mean recall (mA)",
    "ap": "AP",
    "ap_40": "AP from 40 px",
    "fnmr@1e-1": "FNMR at FMR 1e-1",
    "fnmr@1e-2": "FNMR at FMR 1e-2",
    "fnmr@1e-3": "FNMR at FMR 1e-3",
    "fnmr@1e-4": "FNMR at FMR 1e-4",
    "eer": "EER",
    "auc": "AUC",
    "top_iou": "top-box IoU",
    "false_positives": "false positives",
    "fmr_at_own_1e-2": "FMR at its own threshold for 1e-2",
    "fnmr_at_own_1e-2": "FNMR at its own threshold for 1e-2",
    "tar@1e-2": "TAR at FMR 1e-2",
    "tar@1e-1": "TAR at FMR 1e-1",
    "tar@1e-3": "TAR at FMR 1e-3",
    "tar@1e-4": "TAR at FMR 1e-4",
}
# The smaller the better: such a metric ranks nothing on a page whose plots go up.
LOWER = ("fnmr", "fmr", "eer", "false_", "failure", "calibration")


@dataclass(frozen=True, slots=True)
class Score:
    """One metric with its 95% interval.

    Attributes:
        name: as in the manifest, such as "rank1".
        value: the figure; a fraction (0..1) unless `unit` says otherwise.
        low: lower end of the interval.
        high: upper end.
        n: items (probes, images) behind it.
        unit: "fraction" or the unit's own name.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str = "fraction"


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of one artifact on one data set and split.

    Attributes:
        dataset: such as "market1501".
        split: such as "val" or "test".
        scores: in the manifest's order; names are unique.
        curve: the CMC, (K,) fractions from rank 1 on; empty where there is none.
        primary: name of the score that the evaluation is judged by; empty where the file does not say.
        protocol: in words; empty where the file does not say.
        beside: "dataset/split" of the evaluation that these figures were measured along with, or empty.
        curves: by name, (x, y) points; "det" is FNMR against FMR, "det-low" and "det-high" its interval.
        counts: what the figures rest on; "impostors" and "genuine" comparisons.
        breakdowns: figures taken apart, by age or face height.
        matrices: confusions.
    """

    dataset: str
    split: str
    scores: tuple[Score, ...]
    curve: tuple[float, ...] = ()
    primary: str = ""
    protocol: str = ""
    beside: str = ""
    curves: Mapping[str, Points] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    breakdowns: tuple[Breakdown, ...] = ()
    matrices: tuple[Matrix, ...] = ()

    def score(self, name: str) -> Score | None:
        """The metric of that name, or None."""
        return next((score for score in self.scores if score.name == name), None)


@dataclass(frozen=True, slots=True)
class PairedDrop:
    """How much a metric fell against float32, from paired outcomes (same items, both files).

    Attributes:
        dataset: it was measured on.
        split: it was measured on.
        metric: such as "rank1".
        value: this file minus float32, a fraction: negative when this file is worse.
        low: lower end of the 95% interval of that difference; None where it was not computed.
        high: upper end.
    """

    dataset: str
    split: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a fresh process that loads one artifact and runs it shows.

    Attributes:
        cold_ms: from an open file to the first answer, imports not counted.
        pipeline_ms: median of decoding a JPEG, preparing it and running.
        peak_mb: resident peak, MiB; None where the system does not tell.
        base_mb: of it, what was there before the model: interpreter and libraries.
    """

    cold_ms: float
    pipeline_ms: float
    peak_mb: float | None
    base_mb: float | None


@dataclass(frozen=True, slots=True)
class Timing:
    """Latency of the model alone, from rounds that visit every artifact in turn.

    Attributes:
        engine: name and version.
        threads: the engine was opened with.
        p50_ms: median of all runs, milliseconds.
        p90_ms: 90th percentile of all runs.
        rounds_ms: the median of each round; rounds of the same index ran seconds apart for all artifacts.
        runs: timed runs in all.
        fresh: what a fresh process showed; None where not measured.
    """

    engine: str
    threads: int
    p50_ms: float
    p90_ms: float
    rounds_ms: tuple[float, ...]
    runs: int
    fresh: Fresh | None = None

    @property
    def wide(self) -> bool:
        """Whether the spread says that the host was busy: p90 beyond 1.5 times p50."""
        return self.p90_ms > WIDE_SPREAD * self.p50_ms

    def ratio(self, reference: "Timing") -> float:
        """This file's time over the reference's: the median over rounds of the ratio within a round.

        A round holds both at nearly the same moment, so a load that comes and goes cancels.
        """
        pairs = [(mine, its) for mine, its in zip(self.rounds_ms, reference.rounds_ms, strict=False) if its > 0]
        return median(mine / its for mine, its in pairs) if pairs else self.p50_ms / reference.p50_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One artifact.

    Attributes:
        path: relative to the reported folder, with forward slashes; unique in a report.
        name: of the model.
        task: such as "reid".
        family: what it shares with its float32 form: the name and training run.
        format: "tflite" or "onnx".
        recipe: of compression, such as "int8".
        weights: their dtype.
        size: bytes of the whole file.
        gzip_size: bytes of the whole file after gzip level 9.
        parameters: count of weights.
        sparsity: fraction of prunable weights that are zero.
        measured: one entry a data set and split.
        drops: paired differences against float32, where the exporter recorded them.
        timing: None where it was not measured; then `timing_problem` says why.
        timing_problem: one sentence, or empty.
        details: headed groups of facts for the fold-out, each (heading, ((label, value), ...)).
        foreign: imported, not trained by handlens: a peer to measure against.
        model_size: bytes of the model part alone; 0 where not known.
    """

    path: str
    name: str
    task: str
    family: str
    format: str
    recipe: str
    weights: str
    size: int
    gzip_size: int
    parameters: int
    sparsity: float
    measured: tuple[Measured, ...]
    drops: tuple[PairedDrop, ...] = ()
    timing: Timing | None = None
    timing_problem: str = ""
    details: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    foreign: bool = False
    model_size: int = 0

    def on(self, dataset: str, split: str) -> Measured | None:
        """Its metrics on one data set and split, or None."""
        return next((m for m in self.measured if (m.dataset, m.split) == (dataset, split)), None)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A file that is no readable artifact: its path, the error's class and what it says."""

    path: str
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A figure that `handlens bench` measured, and the path of its artifact in the report; empty when it has none."""

    path: str
    figure: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a page shows.

    Attributes:
        title: of the page.
        rows: the readable artifacts.
        broken: the others.
        host: what measured the latency, (label, value) pairs.
        devices: figures that `handlens bench` measured, here or elsewhere.
        pages: further pages about these artifacts, (what of, address relative to this one).
        busy: a warning about the host's load, or empty.
        max_drop: the budget, in points (hundredths of a fraction) of the primary metric.
        version: of handlens.
        created: date and time, for a person.
    """

    title: str
    rows: tuple[ReportRow, ...]
    broken: tuple[BrokenRow, ...] = ()
    host: tuple[tuple[str, str], ...] = ()
    devices: tuple[DeviceRow, ...] = ()
    pages: tuple[tuple[str, str], ...] = ()
    busy: str = ""
    max_drop: float = 1.0
    version: str = ""
    created: str = ""


def metric_label(name: str) -> str:
    """The metric's name for a person: "rank1" -> "rank-1"."""
    return METRIC_LABELS.get(name, name.replace("_", " "))


def lower_is_better(name: str) -> bool:
    """Whether less of a metric is better: an error rate, false positives."""
    return name.startswith(LOWER)
