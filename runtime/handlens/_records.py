"""The parts of a manifest that record facts: measured figures, how the model was compressed, where it came from."""

from dataclasses import dataclass, field
from typing import Literal

from handlens import _codec
from handlens.errors import ManifestInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A decision threshold on the score: at or above it two items match.

    Attributes:
        target_fmr: the false match rate it was chosen for, 0..1.
        value: of the score.
        comparisons: impostor comparisons behind it.
        low: lower end of the 95% interval of the false match rate measured at it.
        high: upper end.
    """

    target_fmr: float
    value: float
    comparisons: int
    low: float
    high: float

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if not 0 <= self.target_fmr <= 1:
            raise ManifestInvalid(f"Threshold.target_fmr is {self.target_fmr}; valid: 0 to 1")
        if self.comparisons < 0:
            raise ManifestInvalid(f"Threshold.comparisons is {self.comparisons}; valid: 0 or more")
        _interval("Threshold", self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure measured for this very file, through the runtime.

    Attributes:
        dataset: such as "market1501".
        split: such as "val" or "test".
        name: such as "rank1" or "mAP".
        n: items (probes, images) behind it.
        value: the figure.
        low: lower end of its 95% interval.
        high: upper end.
        unit: "fraction" (0..1) unless it says otherwise.
    """

    dataset: str
    split: str
    name: str
    n: int
    value: float
    low: float
    high: float
    unit: str = "fraction"

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if not self.name.strip():
            raise ManifestInvalid("Metric.name is empty; expected a name")
        if self.n < 0:
            raise ManifestInvalid(f"Metric.n is {self.n}; valid: 0 or more")
        _interval(f"Metric {self.name}", self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The images whose ranges set the scales of a quantized model.

    Attributes:
        dataset: they come from.
        split: they come from; never one that is tested on.
        count: of images.
        seed: they were picked with.
        images_sha256: of the prepared images, in order.
        ranges_sha256: of the recorded ranges.
    """

    dataset: str
    split: str
    count: int
    seed: int
    images_sha256: str
    ranges_sha256: str

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if self.count < 1:
            raise ManifestInvalid(f"Calibration.count is {self.count}; valid: 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How the model was made small.

    Attributes:
        recipe: such as "int8" or "pruned50-int8".
        format: of the model part.
        weights: their dtype, such as "int8".
        activations: their dtype.
        parameters: count of weights.
        sparsity: fraction of prunable weights that are zero, 0..1.
        calibration: for a statically quantized model.
        notes: what else to know.
    """

    recipe: str
    format: Literal["tflite", "onnx"]
    weights: str
    activations: str
    parameters: int
    sparsity: float
    calibration: Calibration | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if self.parameters < 0:
            raise ManifestInvalid(f"Compression.parameters is {self.parameters}; valid: 0 or more")
        if not 0 <= self.sparsity <= 1:
            raise ManifestInvalid(f"Compression.sparsity is {self.sparsity}; valid: 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data set the weights saw.

    Attributes:
        name: such as "market1501".
        licence: as far as known, such as "research only".
        split: the part that was used.
        sha256: of the list of files (or of the images) used; empty when unknown.
    """

    name: str
    licence: str
    split: str
    sha256: str

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if not self.name.strip() or not self.licence.strip():
            raise ManifestInvalid(f"DataSource is {self.name!r} under {self.licence!r}; both need a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the weights came from.

    Attributes:
        data: every data set behind them, pretraining included.
        weights_licence: what the data leaves of a licence for the weights.
        seed: of the training run.
        run: its name.
        versions: package name to version.
        trained_seconds: wall time.
        source: what else to know, such as the pretrained weights it started from.
    """

    data: tuple[DataSource, ...]
    weights_licence: str
    seed: int
    run: str
    versions: dict[str, str] = field(default_factory=dict)
    trained_seconds: float
    source: str = ""

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        if self.trained_seconds < 0:
            raise ManifestInvalid(f"Provenance.trained_seconds is {self.trained_seconds}; valid: 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the exported model's float outputs are from the Keras source's, on the same inputs."""

    max_abs_error: float
    tolerance: float

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a figure is negative.
        """
        _codec.normalise(self)
        if self.max_abs_error < 0 or self.tolerance < 0:
            raise ManifestInvalid(f"Parity is {self.max_abs_error} within {self.tolerance}; both must be 0 or more")


def _interval(where: str, low: float, high: float) -> None:
    if low > high:
        raise ManifestInvalid(f"{where}: the interval {low} to {high} is upside down")
