"""Golden vectors: inputs that any device can make for itself, and what the model must answer to them.

An engine that runs is not an engine that is right: some return zeros, or chance, without an error. So every artifact
carries a few inputs (as a pattern's name and seed, never as an image) with the answers of the engine it was gated on.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handlens import _codec, _patterns
from handlens._sample import sample, sampled_shape
from handlens.errors import GoldenInvalid, ManifestInvalid, OptionError
from handlens.manifest import InputSpec, Manifest, Tolerance

if TYPE_CHECKING:
    from handlens.engine import Engine

GENERATORS = tuple(_patterns.PATTERNS)
INDEX, VALUES = "goldens.json", "goldens.bin"
MAX_GOLDENS = 32
MAX_SEED = 2**53
# An output must move between the goldens by this part of its largest value, and by this many tolerances: else an engine
# that always answers the same would pass.
MIN_SPREAD = 0.05
MIN_SPREAD_IN_TOLERANCES = 4.0

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One input and the outputs the model must give for it.

    Attributes:
        generator: name of the pattern, one of `GENERATORS`.
        seed: of the pattern.
        input_sha256: of the pre-processed tensor's bytes (C order, little endian), 64 hex digits.
        outputs: by name, float32 (dequantized): shaped as the model's output, batch of 1 in front, or of a large one
            a sample (M,), see `handlens._sample`.
    """

    generator: str
    seed: int
    input_sha256: str
    outputs: Mapping[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            GoldenInvalid: unknown pattern, bad seed or hash, or an output that is no finite float32 array.
        """
        if self.generator not in GENERATORS:
            raise GoldenInvalid(
                f"golden pattern {ascii(self.generator)[:80]} is unknown; valid: {', '.join(GENERATORS)}"
            )
        if not 0 <= self.seed <= MAX_SEED or not re.fullmatch("[0-9a-f]{64}", self.input_sha256):
            raise GoldenInvalid(f"golden {self.generator} has seed {self.seed} and input {self.input_sha256[:80]!r}")
        for name, values in self.outputs.items():
            if values.dtype != np.float32 or not np.isfinite(values).all():
                raise GoldenInvalid(f"golden {self.generator} {self.seed}: output {name} is not finite float32")

    def __eq__(self, other: object) -> bool:
        """Equal when every field is, outputs bit for bit."""
        if not isinstance(other, Golden):
            return NotImplemented
        mine, theirs = self.outputs, other.outputs
        return (self.generator, self.seed, self.input_sha256, list(mine)) == (
            other.generator,
            other.seed,
            other.input_sha256,
            list(theirs),
        ) and all(np.array_equal(mine[name], theirs[name]) for name in mine)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRow:
    """One output of one golden, replayed: the largest absolute error, in float units, against what is allowed."""

    generator: str
    seed: int
    output: str
    max_abs_error: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the error is within what is allowed; NaN never is."""
        return self.max_abs_error <= self.allowed


@dataclass(frozen=True, slots=True)
class GoldenVerdict:
    """The outcome of a replay, a row for each golden and output."""

    rows: tuple[GoldenRow, ...]

    @property
    def passed(self) -> bool:
        """Whether there are rows and all of them passed."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def worst(self) -> GoldenRow:
        """The row that comes closest to failing, or fails by most."""
        return max(self.rows, key=lambda row: row.max_abs_error / max(row.allowed, 1e-30))


def default_tolerance(dtype: str, quant_scale: float | None = None, steps: float = 4.0) -> Tolerance:
    """The tolerance to start from: engines order float sums differently, and round quantized values differently.

    Args:
        dtype: of the output tensor in the file.
        quant_scale: of the output, for an integer dtype.
        steps: of quantization that an integer output may be off by.
    """
    if dtype == "float32":
        return Tolerance(absolute=1e-6, relative=2e-3)
    if quant_scale is None:
        raise OptionError(f"an output of dtype {dtype} needs its quant_scale for a tolerance")
    return Tolerance(absolute=steps * quant_scale, relative=0.0)


def generate(generator: str, seed: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Draws a procedural image: integer arithmetic and SplitMix64 only, the same in every language.

    Returns:
        (H, W, C) uint8, RGB for 3 channels, luma for 1.

    Raises:
        OptionError: unknown pattern.
    """
    if generator not in _patterns.PATTERNS:
        raise OptionError(f"pattern {generator!r} is unknown; valid: {', '.join(GENERATORS)}")
    image = _patterns.render(generator, seed, height, width)
    if channels == 1:
        image = (image @ np.array([299, 587, 114], np.int64) + 500)[..., None] // 1000
    return image.astype(np.uint8)


def record_goldens(
    engine: "Engine",
    spec: InputSpec,
    *,
    count: int = 4,
    generators: Sequence[str] = GENERATORS,
    seeds: Sequence[int] = (1, 2, 3, 4),
) -> tuple[Golden, ...]:
    """Runs every pattern and seed through the engine, and keeps the `count` whose outputs differ most.

    Args:
        engine: with the model, trusted (the one that the artifact is gated on).
        spec: the model's input.
        count: how many to keep; each costs the bytes of its outputs in the file.
        generators: patterns to try.
        seeds: to try with each.

    Raises:
        GoldenInvalid: the outputs hardly vary between inputs, so that no replay could tell right from wrong (the model
            is probably untrained, collapsed or saturated).
    """
    candidates = []
    for generator in generators:
        for seed in seeds:
            tensor = _tensor(generator, seed, spec)
            answers = engine.run({spec.name: tensor})
            outputs = {name: sample(np.asarray(value, np.float32)) for name, value in answers.items()}
            candidates.append(Golden(generator, seed, _sha256(tensor), outputs))
    chosen = _most_different(candidates, count)
    for name in chosen[0].outputs:
        _check_spread(name, [golden.outputs[name] for golden in chosen], 0.0)
    return tuple(chosen)


def replay(engine: "Engine", manifest: Manifest, goldens: Sequence[Golden]) -> GoldenVerdict:
    """Runs the goldens on an engine and compares, by the manifest's tolerances.

    Raises:
        GoldenInvalid: an input comes out differently here, so outputs cannot be compared.
    """
    rows = []
    for golden in goldens:
        tensor = _tensor(golden.generator, golden.seed, manifest.input)
        if _sha256(tensor) != golden.input_sha256:
            raise GoldenInvalid(
                f"golden {golden.generator} {golden.seed}: pre-processing gives another tensor here than where the "
                "artifact was written; export it again with this handlens, or upgrade: pip install -U handlens"
            )
        answers = engine.run({manifest.input.name: tensor})
        for spec in manifest.outputs:
            expected, answer = golden.outputs[spec.name], answers[spec.name]
            error = np.inf
            kept = answer if expected.shape == spec.shape else sample(answer)
            if answer.shape == spec.shape and np.isfinite(answer).all():
                error = float(np.abs(kept.astype(np.float64) - expected).max())
            rows.append(
                GoldenRow(
                    generator=golden.generator,
                    seed=golden.seed,
                    output=spec.name,
                    max_abs_error=float(error),
                    allowed=_allowed(spec.tolerance, expected),
                )
            )
    return GoldenVerdict(tuple(rows))


def check_goldens(goldens: Sequence[Golden], manifest: Manifest) -> None:
    """Checks that goldens fit the manifest's outputs, and that outputs vary well beyond the tolerances.

    Raises:
        GoldenInvalid: they do not; the message names the output.
    """
    if not 2 <= len(goldens) <= MAX_GOLDENS:
        raise GoldenInvalid(f"there are {len(goldens)} goldens; expected 2 to {MAX_GOLDENS}")
    for golden in goldens:
        found = {name: values.shape for name, values in golden.outputs.items()}
        expected = {spec.name: (spec.shape, sampled_shape(spec.shape)) for spec in manifest.outputs}
        if found.keys() != expected.keys() or any(found[name] not in expected[name] for name in found):
            raise GoldenInvalid(
                f"golden {golden.generator} {golden.seed} has outputs {found}; the manifest has "
                f"{ {name: shapes[0] for name, shapes in expected.items()} }"
            )
    for spec in manifest.outputs:
        values = [golden.outputs[spec.name] for golden in goldens]
        if len({value.shape for value in values}) > 1:
            raise GoldenInvalid(f"output {spec.name} is whole in one golden, a sample in another; expected one way")
        _check_spread(spec.name, values, max(_allowed(spec.tolerance, value) for value in values))


def to_parts(goldens: Sequence[Golden]) -> dict[str, bytes]:
    """Serialises goldens: an index in JSON, and all values in its order as little-endian float32."""
    index, values = [], []
    for golden in goldens:
        shapes = {name: list(value.shape) for name, value in golden.outputs.items()}
        index.append(
            {"generator": golden.generator, "seed": golden.seed, "input_sha256": golden.input_sha256, "outputs": shapes}
        )
        values += [np.ascontiguousarray(value, "<f4").tobytes() for value in golden.outputs.values()]
    return {INDEX: (json.dumps(index, indent=1) + "\n").encode("ascii"), VALUES: b"".join(values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    generator: str
    seed: int
    input_sha256: str
    outputs: dict[str, tuple[int, ...]]


def from_parts(index: bytes, values: bytes) -> tuple[Golden, ...]:
    """Reads what `to_parts` made.

    Raises:
        GoldenInvalid: it is damaged.
    """
    goldens, at = [], 0
    try:
        rows = _codec.parse_json(index.decode("ascii"), INDEX)
        for row in _codec.coerce(tuple[_Row, ...], rows, INDEX):
            outputs = {}
            for name, shape in row.outputs.items():
                count = 1
                for side in shape:
                    count *= side
                if min(shape, default=1) < 1:
                    raise GoldenInvalid(f"{INDEX} has an output {name} of shape {shape}")
                if at + 4 * count > len(values):
                    raise GoldenInvalid(f"{VALUES} has {len(values)} bytes; {INDEX} asks for more")
                outputs[name] = np.frombuffer(values, "<f4", count, at).reshape(shape).astype(np.float32)
                at += 4 * count
            goldens.append(Golden(row.generator, row.seed, row.input_sha256, outputs))
    except (ManifestInvalid, UnicodeDecodeError, ValueError) as error:
        raise GoldenInvalid(f"the goldens are damaged: {error}") from None
    if at != len(values):
        raise GoldenInvalid(f"{VALUES} has {len(values)} bytes; {INDEX} asks for {at}")
    return tuple(goldens)


def _tensor(generator: str, seed: int, spec: InputSpec) -> Array:
    from handlens.image import to_tensor  # OpenCV loads here, not with `import handlens.artifact`

    return np.ascontiguousarray(to_tensor(generate(generator, seed, spec.height, spec.width, spec.channels), spec))


def _sha256(tensor: Array) -> str:
    return hashlib.sha256(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _allowed(tolerance: Tolerance, expected: NDArray[np.float32]) -> float:
    return tolerance.absolute + tolerance.relative * float(np.abs(expected).max())


def _check_spread(name: str, values: Sequence[NDArray[np.float32]], allowed: float) -> None:
    stacked = np.stack([value.astype(np.float64).ravel() for value in values])
    spread, largest = float(np.ptp(stacked, axis=0).max()), float(np.abs(stacked).max())
    needed = max(MIN_SPREAD * largest, MIN_SPREAD_IN_TOLERANCES * allowed)
    if spread <= needed:
        raise GoldenInvalid(
            f"output {name} hardly varies between the goldens: by {spread:.3g}, needed is more than {needed:.3g} "
            f"(largest value {largest:.3g}, tolerance {allowed:.3g}); is the model trained, and the tolerance sane?"
        )


def _most_different(candidates: Sequence[Golden], count: int) -> list[Golden]:
    """Greedy farthest points, each output weighing the same; starts with the candidate farthest from the mean."""
    rows = []
    for name in candidates[0].outputs:
        values = np.stack([golden.outputs[name].astype(np.float64).ravel() for golden in candidates])
        values -= values.mean(axis=0)
        rows.append(values / max(float(np.linalg.norm(values)), 1e-30))
    points = np.concatenate(rows, axis=1)
    chosen = [int(np.linalg.norm(points, axis=1).argmax())]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(candidates)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return [candidates[index] for index in sorted(chosen)]
