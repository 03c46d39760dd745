"""Measured figures go into the artifact they belong to: metrics into its manifest, curves and tables beside it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from handlens.artifact import Artifact, write_artifact
from handlens_train.evaluation import Evaluation

# "dataset/split" to what `Evaluation.detail` holds.
DETAIL = "evaluation.json"
# Its forerunner, "dataset/split" to the CMC alone: read, no longer written.
OLD_CURVES = "cmc.json"


def record(path: Path, evaluation: Evaluation) -> Artifact:
    """Write the figures of an evaluation, and of its others, in place of older ones of the same data and split.

    Model part, id and goldens stay. `evaluation.json` maps "dataset/split" to protocol, curves and breakdowns.

    Raises:
        ArtifactError: the file is damaged.
    """
    old = Artifact.open(path)
    measured = list(_all(evaluation))
    replaced = {(item.dataset, item.split) for item in measured}
    kept = tuple(metric for metric in old.manifest.metrics if (metric.dataset, metric.split) not in replaced)
    names = {f"{dataset}/{split}" for dataset, split in replaced}
    extras = dict(old.extras)
    details = _parsed(extras.get(DETAIL)) | {f"{item.dataset}/{item.split}": item.detail() for item in measured}
    for item in measured[1:]:
        details[f"{item.dataset}/{item.split}"]["beside"] = f"{evaluation.dataset}/{evaluation.split}"
    extras[DETAIL] = json.dumps(details, separators=(",", ":"), allow_nan=False).encode()
    curves = {name: curve for name, curve in _parsed(extras.pop(OLD_CURVES, None)).items() if name not in names}
    if curves:
        extras[OLD_CURVES] = json.dumps(curves).encode()
    manifest = replace(old.manifest, metrics=kept + evaluation.records())
    return write_artifact(path, old.model, old.kind, manifest, old.goldens, extras)


def _all(evaluation: Evaluation) -> list[Evaluation]:
    return [evaluation, *(inner for other in evaluation.others for inner in _all(other))]


def _parsed(content: bytes | None) -> dict[str, Any]:
    """The object in an extra; empty where there is none, or something else."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
