"""Where a model has no evaluation, the float model is the judge: how nearly does the compressed one answer the same?"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handlens import metrics
from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine
from handlens.image import to_tensor
from handlens.manifest import InputSpec
from handlens_export.bring.floats import FloatFile
from handlens_export.matching import LOGIT_LIMIT, SEEN
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Match

_TINY = 1e-12


class Agreement:
    """The outputs of a float model on images held out of calibration, to hold others against."""

    PRIMARY = "agreement"

    def __init__(
        self,
        model: Any,
        spec: InputSpec,
        held: Callable[[], np.ndarray],
        dataset: str,
        matched: Mapping[str, Match] | None = None,
    ) -> None:
        """Takes the float model (Keras, or a `FloatFile`), its input, the images, and what its outputs are."""
        self._model, self._spec, self._held, self._dataset = model, spec, held, dataset
        self._matched = matched or {}

    @cached_property
    def images(self) -> np.ndarray:
        """uint8 (N, H, W, C)."""
        return self._held()

    @cached_property
    def wanted(self) -> dict[str, np.ndarray]:
        """The float model's outputs, (N, ...) by name."""
        if isinstance(self._model, FloatFile):
            engine = self._model.open()
            try:
                return answers(engine, self._spec, self.images)
            finally:
                engine.close()
        from handlens_export import parity
        from handlens_train.images import scaled

        return parity.expected(self._model, scaled(self.images, self._spec))

    def evaluate(self, path: Path, split: str, engine: str | None = None) -> Evaluation:
        """How nearly an artifact's outputs are those of the float model, 1 being the same.

        Args:
            path: of the artifact.
            split: what to call the images.
            engine: None for the default of the artifact's kind.

        Raises:
            ArtifactError, EngineError: the artifact or the engine is refused.
        """
        artifact = Artifact.open(path)
        opened = open_engine(artifact, engine)
        try:
            found = answers(opened, artifact.manifest.input, self.images)
            used = f"{opened.name} {opened.version}"
        finally:
            opened.close()
        outcomes = agreement(found, self.wanted, self._matched)
        return Evaluation(
            dataset=self._dataset,
            split=split,
            protocol=f"{len(outcomes)} images held out of calibration; mean cosine with the float model's outputs",
            n=len(outcomes),
            primary=self.PRIMARY,
            metrics={self.PRIMARY: metrics.bootstrap(outcomes)},
            outcomes=outcomes,
            groups=np.arange(len(outcomes)),
            engine=used,
        )


def answers(engine: Engine, spec: InputSpec, images: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of a model on prepared images, (N, ...) float32 by name."""
    rows = [engine.run({spec.name: to_tensor(image, spec)}) for image in images]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def agreement(
    found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], matched: Mapping[str, Match] | None = None
) -> np.ndarray:
    """(N,) how nearly outputs are those wanted, 0..1, on average over the outputs.

    The cosine of the two, not below 0. Outputs of many cells or pixels are taken less their mean over the cells: a
    constant would hide everything else. An output of one number has no angle: 1 less the difference in standard
    deviations over the images, not below 0.

    What nobody reads does not count: logits beyond `LOGIT_LIMIT`, and what a score weighs in cells where the float
    model's score is below `SEEN`.

    Args:
        found: outputs (N, ...) by name.
        wanted: those of the float model.
        matched: what the outputs are.
    """
    matched = matched or {}
    limits = (-LOGIT_LIMIT, LOGIT_LIMIT)
    rows = []
    for name, values in wanted.items():
        match, got = matched.get(name), found[name]
        if match is not None and match.kind == "logit":
            got, values = np.clip(got, *limits), np.clip(values, *limits)
        if match is not None and match.weight is not None:
            seen = wanted[match.weight] > math.log(SEEN / (1 - SEEN))
            rows.append(_alike(np.where(seen, got, 0.0), np.where(seen, values, 0.0), centred=False))
        else:
            rows.append(_alike(got, values))
    return np.asarray(np.mean(rows, axis=0))


def _alike(found: np.ndarray, wanted: np.ndarray, centred: bool = True) -> np.ndarray:
    a, b = (x.astype(np.float64) for x in (found, wanted))
    if b[0].size == 1:
        spread = max(float(b.std()), _TINY)
        return np.clip(1 - np.abs(a - b).reshape(len(b)) / spread, 0.0, 1.0)
    if centred and b.ndim > 2:
        centre = b.mean(axis=tuple(range(1, b.ndim - 1)), keepdims=True)
        a, b = a - centre, b - centre
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = np.all(np.abs(a - b) <= _TINY, axis=1)  # two empty answers have no angle either
    return np.where(same, 1.0, np.clip((a * b).sum(axis=1) / np.maximum(norms, _TINY), 0.0, 1.0))
