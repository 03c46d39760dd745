"""A model's outputs as one row of numbers an image: what it tells apart, whatever the task."""

from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from handlens.artifact import Artifact
from handlens.engine import open_engine
from handlens.image import to_tensor

WIDEST = 256


class Rows:
    """An artifact on its default engine; a context manager."""

    def __init__(self, artifact: Artifact) -> None:
        """Opens the engine.

        Raises:
            EngineError: it is missing, or answers the goldens wrongly.
        """
        self._spec = artifact.manifest.input
        self._engine = open_engine(artifact)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the engine."""
        self._engine.close()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, D) float32 of prepared uint8 images (N, H, W, C): all outputs in a row, each averaged to at most 256."""
        return np.stack([self._row(image) for image in images])

    def _row(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = self._engine.run({self._spec.name: to_tensor(image, self._spec)})
        return np.concatenate([_short(outputs[name].reshape(-1)) for name in sorted(outputs)])


def _short(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(values) <= WIDEST:
        return values
    return np.array([part.mean() for part in np.array_split(values, WIDEST)], np.float32)
