"""Makes the tiny face models beside this file: `python tests/golden/models/make_face_models.py` (extra `export`).

Weights are set by hand, so that a test can draw what they find. They are checked in: the runtime's tests need neither
Keras nor TensorFlow.

The detector (64 x 64, one stride of 16) takes a green cell for a face: score = 30 (green - 0.5). Gender follows red
less blue, and the box's size grows with red. The verifier (28 x 28, aligned) answers the mean colours of 4 x 4 fields.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
SIDE, STRIDE, FACE = 64, 16, 28
CELLS = (SIDE // STRIDE) ** 2
POINTS = (-0.25, -0.25, 0.25, -0.25, 0.0, 0.0, -0.2, 0.25, 0.2, 0.25)


def detector() -> keras.Model:
    """(1, 64, 64, 3) of 0..1 to score (1, 16, 1), box (1, 16, 4), points (1, 16, 10), gender (1, 16, 1)."""
    image = keras.Input((SIDE, SIDE, 3), batch_size=1, name="image")
    cells = keras.layers.AveragePooling2D(STRIDE)(image)
    heads = {
        "score": ([[0], [30], [0]], [-15]),
        "box": ([[0, 0, 0.5, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]], [0, 0, 0, 0]),
        "points": (np.outer([0.5, 0, 0], POINTS), POINTS),
        "gender": ([[8], [0], [-8]], [0]),
    }
    outputs = {}
    for name, (kernel, bias) in heads.items():
        layer = keras.layers.Conv2D(len(bias), 1, name=f"{name}_head")
        outputs[name] = keras.layers.Reshape((CELLS, len(bias)), name=name)(layer(cells))
        layer.set_weights([np.array(kernel, np.float32)[None, None], np.array(bias, np.float32)])
    return keras.Model(image, outputs)


def verifier() -> keras.Model:
    """(1, 28, 28, 3) of -1..1 to an embedding (1, 48)."""
    image = keras.Input((FACE, FACE, 3), batch_size=1, name="image")
    fields = keras.layers.AveragePooling2D(FACE // 4)(image)
    return keras.Model(image, {"embedding": keras.layers.Flatten(name="embedding")(fields)})


if __name__ == "__main__":
    for name, model in (("tiny_detector", detector()), ("tiny_verifier", verifier())):
        (HERE / f"{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
