"""What an artifact says about itself, in words, for its fold-out."""

from handlens.artifact import Artifact
from handlens.manifest import InputSpec, Manifest
from handlens_export.report import words

Facts = tuple[tuple[str, str], ...]


def facts(artifact: Artifact) -> tuple[tuple[str, Facts], ...]:
    """Headed groups of (label, value) pairs; empty values are left out."""
    manifest = artifact.manifest
    groups = (
        ("Compression", _compression(manifest)),
        ("Calibration", _calibration(manifest)),
        ("Data and licence", _provenance(manifest)),
        ("Training", _training(manifest)),
        ("Interface", _interface(manifest)),
        ("File", _file(artifact)),
    )
    kept = ((heading, tuple((label, value) for label, value in pairs if value)) for heading, pairs in groups)
    return tuple((heading, pairs) for heading, pairs in kept if pairs)


def _compression(manifest: Manifest) -> Facts:
    compression, parity = manifest.compression, manifest.parity
    return (
        ("recipe", compression.recipe),
        ("weights", compression.weights),
        ("activations", compression.activations),
        ("parameters", f"{compression.parameters:,}"),
        ("sparsity", f"{compression.sparsity * 100:.2f}%"),
        (
            "against Keras",
            f"largest error {parity.max_abs_error:.2g}, allowed {parity.tolerance:.2g}" if parity else "",
        ),
        ("notes", compression.notes),
    )


def _calibration(manifest: Manifest) -> Facts:
    calibration = manifest.compression.calibration
    if calibration is None:
        return ()
    return (
        ("images", f"{calibration.count} of {calibration.dataset}, split {calibration.split}, seed {calibration.seed}"),
        ("images sha256", _short(calibration.images_sha256)),
        ("ranges sha256", _short(calibration.ranges_sha256)),
    )


def _provenance(manifest: Manifest) -> Facts:
    provenance = manifest.provenance
    sources = tuple(
        (f"data, {source.split}" if source.split else "data", f"{source.name}: {source.licence}")
        for source in provenance.data
    )
    return (*sources, ("weights", provenance.weights_licence))


def _training(manifest: Manifest) -> Facts:
    provenance = manifest.provenance
    return (
        ("run", provenance.run),
        ("seed", str(provenance.seed)),
        ("time", f"{provenance.trained_seconds / 60:.1f} min" if provenance.trained_seconds else ""),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(provenance.versions.items()))),
        ("source", provenance.source),
    )


def _interface(manifest: Manifest) -> Facts:
    outputs = tuple(("output", f"{o.name} {_shape(o.shape)} {o.dtype}: {o.meaning}") for o in manifest.outputs)
    thresholds = tuple(
        ("threshold", f"{t.value:.4g} for a false match rate of {t.target_fmr:g} ({t.comparisons:,} comparisons)")
        for t in manifest.thresholds
    )
    return (("input", _input(manifest.input)), *outputs, ("labels", ", ".join(manifest.labels[:40])), *thresholds)


def _input(spec: InputSpec) -> str:
    return f"{spec.name} {_shape(spec.shape)} {spec.dtype} {spec.layout}, {spec.colour}, {spec.geometry}"


def _file(artifact: Artifact) -> Facts:
    return (
        ("task", artifact.manifest.task),
        ("version", artifact.manifest.version),
        ("model", words.bytes_(artifact.model_size)),
        ("beside it", words.bytes_(artifact.size - artifact.model_size)),
        ("goldens", f"{len(artifact.goldens)}, replayed before it was timed"),
        ("model id", artifact.manifest.model_id),
        ("sha256", artifact.sha256),
    )


def _shape(shape: tuple[int, ...]) -> str:
    return words.TIMES.join(str(side) for side in shape)


def _short(digest: str) -> str:
    return digest[:16]
