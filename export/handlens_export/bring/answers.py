"""What a model file answers."""

import numpy as np

from handlens.engine import open_model
from handlens_export.recipes import Format


def run(model: bytes, images: np.ndarray, kind: Format) -> dict[str, np.ndarray]:
    """The outputs of a file for images (N, ...) float32 as its input takes them, one at a time."""
    engine = open_model(model, kind)
    try:
        (feed,) = (tensor.name for tensor in engine.inputs)
        rows = [engine.run({feed: image[None]}) for image in images]
    finally:
        engine.close()
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
