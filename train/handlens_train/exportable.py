"""What a trained run hands to export: the float network, and how to describe, calibrate and evaluate it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handlens.manifest import DataSource, InputSpec, OutputSpec, Provenance, Threshold
from handlens_train.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Match:
    """How fine-tuning (pruning, QAT) brings one output of a compressed network close to its float parent's.

    Attributes:
        kind: "cosine" for an embedding (last axis); "logit" for a logit that a sigmoid reads, matched by the
            cross-entropy of the two probabilities; "value" for anything else, squared error over the variance.
        weight: name of a logit output with the same cells (axis 1); each cell weighs as much as the parent's sigmoid
            of it, so that a detector's empty cells do not decide what its boxes should be.
    """

    kind: Literal["cosine", "logit", "value"]
    weight: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exportable:
    """A float network with everything a manifest needs.

    A task whose network takes several sizes has `SIZES`, the sides in pixels that it takes, and a `load(run, data, *,
    size=None)`, `size` being (height, width): the network, `input` and the images of `training_images` are then of that
    size. `handlens export RUN --size 192` calls it, and appends "-192" to the name.

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
        training_images: (count, seed) -> (uint8 (at most count, H, W, C), their source); prepared as the device does
            it, for calibration and fine-tuning.
        evaluate: (artifact path, split, engine) -> Evaluation, through the runtime.
        matching: how to match an output; those not named are matched by what they are called, see
            `handlens_export.matching`.
        thresholds: (artifact path, engine) -> the thresholds of that very file, measured through the runtime; called on
            each finished artifact, because quantization moves scores.
        extras: small parts that ride in every artifact, by name (such as a recommender's titles): at most 14, of 1 MiB.
        recipes: the compression recipes that the network is written in; empty for all of them.
        formats: the file formats that it is written in; empty for all of them.
    """

    model: Any
    task: str
    name: str
    version: str = "1.0"
    input: InputSpec
    outputs: tuple[OutputSpec, ...]
    labels: tuple[str, ...] = ()
    decoding: dict[str, object] = field(default_factory=dict)
    provenance: Provenance
    primary: str
    training_images: Callable[[int, int], tuple[np.ndarray, DataSource]]
    evaluate: Callable[[Path, str, str | None], Evaluation]
    matching: Mapping[str, Match] = field(default_factory=dict)
    thresholds: Callable[[Path, str | None], tuple[Threshold, ...]] | None = None
    extras: Mapping[str, bytes] = field(default_factory=dict)
    recipes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
