"""From a folder to rows: opens every artifact in it, and keeps what a damaged one says instead."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from handlens.artifact import KINDS, Artifact
from handlens.errors import EmptyFolder, HandlensError, InputError
from handlens.manifest import Manifest
from handlens_export.report.details import Detail, details_of
from handlens_export.report.facts import facts
from handlens_export.report.rows import BrokenRow, Measured, PairedDrop, ReportRow, Score

GATE = "gate.json"
IMPORTED = ("imported", "foreign")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a folder holds: artifacts with their rows (without timing), and the files that are none."""

    artifacts: tuple[Artifact, ...]
    rows: tuple[ReportRow, ...]
    broken: tuple[BrokenRow, ...]


def gzip_size(data: bytes) -> int:
    """Bytes of a file after gzip -9: what a download costs."""
    return len(gzip.compress(data, compresslevel=9, mtime=0))


def collect(folder: Path) -> Collected:
    """Opens all `.tflite` and `.onnx` files below a folder, in the order of their paths; hidden ones are left out.

    Args:
        folder: searched recursively.

    Raises:
        InputError: there is no such folder.
        EmptyFolder: no such file in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected the folder that handlens export wrote to (its --out)")
    endings = {f".{kind}" for kind in KINDS}
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise EmptyFolder(
            f"{folder} holds no .tflite or .onnx file; write some with handlens export RUN --out {folder}"
        )
    artifacts, rows, broken = [], [], []
    for path in found:
        name = path.relative_to(folder).as_posix()
        try:
            artifact = Artifact.open(path)
            row = row_of(artifact, name)
        except HandlensError as error:
            # The reader of the page gets the file's name, not where it lay on this machine.
            reason = str(error).replace(str(path), name).replace(str(folder), ".")
            broken.append(BrokenRow(name, type(error).__name__, reason))
            continue
        artifacts.append(artifact)
        rows.append(row)
    return Collected(tuple(artifacts), tuple(rows), tuple(broken))


def row_of(artifact: Artifact, name: str) -> ReportRow:
    """The row of one artifact, without its timing.

    Args:
        artifact: verified.
        name: its path in the folder.
    """
    manifest = artifact.manifest
    compression = manifest.compression
    return ReportRow(
        path=name,
        name=manifest.name,
        task=manifest.task,
        family=family_of(manifest),
        format=artifact.kind,
        recipe=compression.recipe,
        weights=compression.weights,
        size=artifact.size,
        gzip_size=gzip_size(artifact.path.read_bytes()),
        parameters=compression.parameters,
        sparsity=compression.sparsity,
        measured=measured_of(artifact),
        drops=_drops(artifact),
        details=facts(artifact),
        foreign=is_foreign(manifest),
        model_size=artifact.model_size,
    )


def family_of(manifest: Manifest) -> str:
    """What an artifact shares with its float32 form: the model's name and the training run."""
    return f"{manifest.name} ({manifest.provenance.run})" if manifest.provenance.run else manifest.name


def is_foreign(manifest: Manifest) -> bool:
    """Whether a model was brought along: it has no run of handlens behind it."""
    return not manifest.provenance.run or manifest.compression.recipe in IMPORTED


def measured_of(artifact: Artifact) -> tuple[Measured, ...]:
    """The manifest's metrics by data set and split, each with the curves and breakdowns that belong to it."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for m in artifact.manifest.metrics:
        groups.setdefault((m.dataset, m.split), []).append(Score(m.name, m.value, m.low, m.high, m.n, m.unit))
    details = details_of(artifact)
    return tuple(
        _measured(dataset, split, tuple({s.name: s for s in scores}.values()), details)
        for (dataset, split), scores in groups.items()
    )


def _measured(dataset: str, split: str, scores: tuple[Score, ...], details: dict[str, Detail]) -> Measured:
    detail = details.get(f"{dataset}/{split}", details.get(split)) or _nameless(scores, details.get(""))
    return Measured(
        dataset=dataset,
        split=split,
        scores=scores,
        curve=detail.curve,
        primary=detail.primary,
        protocol=detail.protocol,
        beside=detail.beside,
        curves=detail.curves,
        counts=detail.counts,
        breakdowns=detail.breakdowns,
        matrices=detail.matrices,
    )


def _nameless(scores: tuple[Score, ...], detail: Detail | None) -> Detail:
    """A curve without a data set goes where rank-1 agrees with its first value."""
    rank1 = next((score.value for score in scores if score.name == "rank1"), None)
    if detail is None or rank1 is None or not detail.curve or abs(detail.curve[0] - rank1) >= 1e-6:
        return Detail()
    return detail


def _drops(artifact: Artifact) -> tuple[PairedDrop, ...]:
    """`gate.json`: what the exporter's gate measured against float32; anything unreadable counts as none."""
    try:
        content = json.loads(artifact.extras[GATE])
        listed = content if isinstance(content, list) else [content]
        return tuple(
            PairedDrop(d["dataset"], d["split"], d["metric"], float(d["value"]), float(d["low"]), float(d["high"]))
            for d in listed
        )
    except (KeyError, ValueError, TypeError, RecursionError):
        return ()
