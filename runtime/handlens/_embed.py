"""From an embedding model's raw answer to a template of length 1; people and faces share it."""

import numpy as np

from handlens._backends import Array, FloatArray
from handlens.engine import Engine
from handlens.errors import EngineWrong


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
