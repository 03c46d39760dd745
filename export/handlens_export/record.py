"""Measured figures go into the artifact they were measured on: metrics into its manifest, the CMC curve beside it."""

import json
from dataclasses import replace
from pathlib import Path

from handlens.artifact import Artifact, write_artifact
from handlens_train.evaluation import Evaluation

CURVES = "cmc.json"


def record(path: Path, evaluation: Evaluation) -> Artifact:
    """Write the figures of an evaluation into its artifact, in place of older ones of the same data and split.

    Model part, id and goldens stay. `cmc.json` maps "dataset/split" to the curve, a value a rank.

    Raises:
        ArtifactError: the file is damaged.
    """
    old = Artifact.open(path)
    same = (evaluation.dataset, evaluation.split)
    kept = tuple(metric for metric in old.manifest.metrics if (metric.dataset, metric.split) != same)
    extras = dict(old.extras)
    if evaluation.curve:
        curves = json.loads(extras.get(CURVES, b"{}"))
        curves["/".join(same)] = [round(value, 6) for value in evaluation.curve]
        extras[CURVES] = json.dumps(curves).encode()
    manifest = replace(old.manifest, metrics=kept + evaluation.records())
    return write_artifact(path, old.model, old.kind, manifest, old.goldens, extras)
