"""What a trained run hands to export: the float network, and how to describe, calibrate and evaluate it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.manifest import DataSource, InputSpec, OutputSpec, Provenance
from handlens_train.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Exportable:
    """A float network with everything a manifest needs.

    Attributes:
        model: keras.Model from "image" (N, H, W, C) float32, already scaled, to a dict of outputs.
        task: such as "reid".
        name: of the model, the stem of the files.
        version: of the model.
        input: of the float network.
        outputs: of the float network.
        labels: class names, if the task has them.
        decoding: what else reading the outputs needs.
        provenance: data, licences, seed, versions.
        primary: the metric that the gate compares.
        training_images: (count, seed) -> (uint8 (count, H, W, C), their source); for calibration and fine-tuning.
        evaluate: (artifact path, split, engine) -> Evaluation, through the runtime.
    """

    model: Any
    task: str
    name: str
    version: str
    input: InputSpec
    outputs: tuple[OutputSpec, ...]
    labels: tuple[str, ...]
    decoding: dict[str, object]
    provenance: Provenance
    primary: str
    training_images: Callable[[int, int], tuple[np.ndarray, DataSource]]
    evaluate: Callable[[Path, str, str | None], Evaluation]
