"""`handlens inspect FILE`: what an artifact says about itself, for a person or (`--json`) for a program."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens.artifact import Artifact
from handlens.manifest import InputSpec, Manifest, OutputSpec


def inspect(
    file: Annotated[Path, typer.Argument(help="An artifact: a .tflite or .onnx written by handlens export.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, the whole manifest included.")] = False,
) -> None:
    """Show what an artifact says about itself, after verifying it. Nothing in it is run."""
    artifact = Artifact.open(file)
    typer.echo(json.dumps(facts(artifact), indent=2) if as_json else "\n".join(lines(artifact)))


def facts(artifact: Artifact) -> dict[str, Any]:
    """The artifact as plain JSON: the file, its manifest, its goldens (without their values), its extras' sizes."""
    return {
        "file": str(artifact.path),
        "kind": artifact.kind,
        "bytes": artifact.size,
        "model_bytes": artifact.model_size,
        "sha256": artifact.sha256,
        "manifest": json.loads(artifact.manifest.to_json()),
        "goldens": [
            {
                "generator": golden.generator,
                "seed": golden.seed,
                "input_sha256": golden.input_sha256,
                "outputs": {name: list(values.shape) for name, values in golden.outputs.items()},
            }
            for golden in artifact.goldens
        ],
        "extras": {name: len(content) for name, content in artifact.extras.items()},
    }


def lines(artifact: Artifact) -> Iterator[str]:
    """The artifact as text, section by section."""
    manifest = artifact.manifest
    yield f"{manifest.name} {manifest.version}, task {manifest.task}"
    rest = artifact.size - artifact.model_size
    yield from _section(
        "file",
        [
            ("path", str(artifact.path)),
            ("bytes", f"{artifact.size:,} = {artifact.model_size:,} of .{artifact.kind} model + {rest:,} riding along"),
            ("model id", manifest.model_id),
            ("sha256", f"{artifact.sha256} (verified)"),
            ("goldens", ", ".join(f"{golden.generator} {golden.seed}" for golden in artifact.goldens)),
            ("extras", ", ".join(f"{name} ({len(content):,} bytes)" for name, content in artifact.extras.items())),
        ],
    )
    yield from _section("input", [(manifest.input.name, _input(manifest.input))])
    yield from _section("outputs", [(spec.name, _output(spec)) for spec in manifest.outputs])
    yield from _section("reading", [("labels", ", ".join(manifest.labels)), *_decoding(manifest)])
    yield from _section("compression", _compression(manifest))
    yield from _section(
        "metrics",
        [
            (
                f"{metric.dataset} {metric.split} {metric.name}",
                f"{metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}] {metric.unit}, n {metric.n:,}",
            )
            for metric in manifest.metrics
        ]
        or [("none", "not measured yet")],
    )
    yield from _section(
        "thresholds",
        [
            (
                f"FMR {limit.target_fmr:g}",
                f"{limit.value:.6g}; FMR measured {limit.low:.2g} to {limit.high:.2g} (n {limit.comparisons:,})",
            )
            for limit in manifest.thresholds
        ],
    )
    yield from _section("provenance", _provenance(manifest))


def _section(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    rows = [(name, value) for name, value in rows if value]
    if rows:
        width = max(len(name) for name, _ in rows)
        yield ""
        yield title
        for name, value in rows:
            yield f"  {name:<{width}}  {' '.join(value.split())}"


def _input(spec: InputSpec) -> str:
    if spec.geometry == "vector":
        low, high = spec.offset[0], spec.offset[0] + 255 * spec.scale[0]
        return (
            f"{spec.dtype} {_shape(spec.shape)} {spec.layout}; {spec.width} numbers, no image; goldens draw them from "
            f"{low:g} to {high:g}{_quantization(spec)}"
        )
    if len(set(spec.scale)) == 1 and len(set(spec.offset)) == 1:
        values = f"pixel * {spec.scale[0]:.6g} {spec.offset[0]:+.6g}"
    else:
        values = f"pixel * {_numbers(spec.scale)} + {_numbers(spec.offset)}, by channel"
    return (
        f"{spec.dtype} {_shape(spec.shape)} {spec.layout} {spec.colour}; {spec.geometry} to "
        f"{spec.height} x {spec.width} (height x width); {values}{_quantization(spec)}"
    )


def _output(spec: OutputSpec) -> str:
    tolerance = f"golden tolerance {spec.tolerance.absolute:.3g} + {spec.tolerance.relative:.3g} of the largest value"
    return f"{spec.dtype} {_shape(spec.shape)}: {spec.meaning}{_quantization(spec)}; {tolerance}"


def _quantization(spec: InputSpec | OutputSpec) -> str:
    if spec.quant_scale is None:
        return ""
    return f"; quantized with scale {spec.quant_scale:.6g}, zero point {spec.quant_zero_point}"


def _decoding(manifest: Manifest) -> list[tuple[str, str]]:
    return [(name, json.dumps(value)) for name, value in manifest.decoding.items()]


def _compression(manifest: Manifest) -> list[tuple[str, str]]:
    made, parity = manifest.compression, manifest.parity
    rows = [
        ("recipe", made.recipe),
        ("weights", f"{made.weights}, {made.parameters:,} parameters, {made.sparsity:.1%} of the prunable ones zero"),
        ("activations", made.activations),
    ]
    if made.calibration:
        used = made.calibration
        rows.append(("calibration", f"{used.count} images of {used.dataset} {used.split}, seed {used.seed}"))
    if parity:
        rows.append(
            ("parity", f"within {parity.max_abs_error:.3g} of the source model; allowed {parity.tolerance:.3g}")
        )
    return [*rows, ("notes", made.notes)]


def _provenance(manifest: Manifest) -> list[tuple[str, str]]:
    made = manifest.provenance
    return [
        *((f"data {data.name}", f"{data.split}; licence: {data.licence}") for data in made.data),
        ("weights licence", made.weights_licence),
        ("run", f"{made.run}, seed {made.seed}, trained for {made.trained_seconds:,.0f} s"),
        ("source", made.source),
        ("versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
    ]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
