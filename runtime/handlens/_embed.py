"""What people and faces share: a model with one embedding, and its raw answer as a template of length 1."""

import numpy as np

from handlens._backends import Array, FloatArray
from handlens._task import Task, only_output
from handlens.engine import Engine
from handlens.errors import EngineWrong
from handlens.gallery import Gallery
from handlens.manifest import Manifest


class Embedder(Task):
    """A model whose one output is an embedding."""

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: the model has more than one output.
        """
        super().__init__(engine, manifest)
        self._output = only_output(manifest, "the embedding")

    @property
    def dimension(self) -> int:
        """Numbers in a template."""
        return int(np.prod(self._output.shape))

    def gallery(self) -> Gallery:
        """Returns an empty gallery bound to this model."""
        return Gallery(self.model_id, self.dimension)


def template(engine: Engine, feed: str, tensor: Array, output: str, what: str) -> FloatArray:
    """Runs an embedding model and normalises its answer.

    Args:
        engine: with the model.
        feed: name of the input.
        tensor: for it.
        output: name of the output.
        what: is embedded, for the message, such as "image 2".

    Returns:
        (D,) float32 of length 1.

    Raises:
        EngineWrong: the answer is zero or not finite.
    """
    values = engine.run({feed: tensor})[output].reshape(-1).astype(np.float64)
    length = float(np.linalg.norm(values))
    if not np.isfinite(length) or length == 0:
        raise EngineWrong(
            f"the embedding of {what} is zero or not finite on {engine.name} {engine.version}; "
            "check the engine: handlens check FILE"
        )
    unit: FloatArray = (values / length).astype(np.float32)
    return unit
