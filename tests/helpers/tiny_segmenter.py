"""A segmenter that is made in a second: random features, heads fitted by least squares, every layer that masks need.

It finds one blob in a dim picture: warm above its middle ("upper"), cool below ("lower"), and tells round from square.
Bilinear upsampling, a transposed convolution, sums, concatenation, pooling over rows and two kinds of heads.
"""

from pathlib import Path
from typing import Any

import numpy as np

from handlens.manifest import DataSource, InputSpec, OutputSpec, Provenance, Tolerance
from handlens.segment import Segmenter

SIDE, CELLS = 64, 32
CLASSES = ("background", "upper", "lower")
SHAPES = {"mask": (1, CELLS, CELLS, 1), "classes": (1, CELLS, CELLS, 3), "class": (1, 2)}
SPEC = InputSpec(
    name="image",
    height=SIDE,
    width=SIDE,
    channels=3,
    scale=(1 / 128,) * 3,
    offset=(-1.0,) * 3,
    geometry="letterbox",
)
DECODING: dict[str, object] = {"kind": "mask", "labels_of": "classes"}
SOURCE = DataSource(name="drawn blobs", licence="Apache-2.0", split="train", sha256="")


def scenes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(count, 64, 64, 3) uint8 pictures, (count, 64, 64) uint8 labels, (count,) 1 where the blob is round."""
    random = np.random.default_rng(seed)
    pictures = random.integers(20, 70, (count, SIDE, SIDE, 3)).astype(np.uint8)
    labels, rounds = np.zeros((count, SIDE, SIDE), np.uint8), random.integers(0, 2, count)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for picture, label, is_round in zip(pictures, labels, rounds, strict=True):
        size = random.uniform(20, 40)
        cx, cy = random.uniform(size / 2, SIDE - size / 2, 2)
        dx, dy = np.abs(x - cx) / size * 2, np.abs(y - cy) / size * 2
        inside = np.hypot(dx, dy) <= 1.1 if is_round else np.maximum(dx, dy) <= 1
        label[inside] = np.where(y < cy, 1, 2)[inside]
        picture[label == 1], picture[label == 2] = (235, 200, 60 * is_round), (60 * is_round, 200, 235)
    return pictures, labels, rounds


def network(keras: Any) -> Any:
    """The fitted segmenter: "image" (N, 64, 64, 3) float32 to "mask", "classes" (32 x 32) and "class"."""
    keras.utils.set_random_seed(5)
    model = _layers(keras)
    pictures, labels, rounds = scenes(300, 1)
    batch = pictures.astype(np.float32) / 128 - 1
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass in training mode leaves the statistics of these very pictures
    model(batch, training=True)
    reader = keras.Model(model.input, [model.get_layer(name).output for name in ("joined", "flat")])
    pixels, flat = (np.asarray(x) for x in reader.predict(batch, verbose=0))
    cells = labels[:, ::2, ::2]
    onehot = cells[..., None] == np.arange(3)
    model.get_layer("mask").set_weights(_fit(pixels, 12.0 * (cells[..., None] > 0) - 6, (1, 1)))
    model.get_layer("classes").set_weights(_fit(pixels, 10.0 * onehot - 5, (1, 1)))
    model.get_layer("class").set_weights(_fit(flat, 8.0 * (rounds[:, None] == [0, 1]) - 4, ()))
    return model


def exportable(model: Any, **changes: Any) -> Any:
    """What a trainer would hand on."""
    from handlens_train.evaluation import Evaluation
    from handlens_train.exportable import Exportable
    from handlens_train.mask_figures import MaskItem, Truth, evaluate_masks

    def evaluate(path: Path, split: str, engine: str | None) -> Evaluation:
        pictures, labels, _ = scenes(30, 2)
        items = [
            MaskItem(picture, lambda label=label: Truth(label > 0, None, label))
            for picture, label in zip(pictures, labels, strict=True)
        ]
        with Segmenter.load(path, engine=engine) as segmenter:
            return evaluate_masks(segmenter, items, dataset="blobs", split=split, protocol="drawn blobs")

    meanings = {"mask": "logit of foreground", "classes": "logits of background, upper, lower", "class": "logits"}
    parts: dict[str, Any] = {
        "model": model,
        "task": "person-mask",
        "name": "blobs",
        "version": "1.0",
        "input": SPEC,
        "outputs": tuple(
            OutputSpec(name=name, meaning=meanings[name], shape=shape, tolerance=Tolerance(absolute=0, relative=1e-3))
            for name, shape in SHAPES.items()
        ),
        "labels": CLASSES,
        "decoding": DECODING,
        "provenance": Provenance(
            data=(SOURCE,), weights_licence="Apache-2.0", seed=5, run="blobs", trained_seconds=0.0
        ),
        "primary": "iou",
        "training_images": lambda count, seed: (scenes(min(count, 128), 3)[0], SOURCE),
        "evaluate": evaluate,
    }
    return Exportable(**parts | changes)


def _layers(keras: Any) -> Any:
    from handlens_train.backbones import conv_bn

    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3), name="image")
    fine = conv_bn(keras, image, 16, 3, 2, "stem")
    coarse = layers.MaxPooling2D()(fine)
    # A box filter: what is left of the noise would only disturb.
    coarse = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_initializer="ones")(coarse)
    coarse = conv_bn(keras, layers.ReLU(6.0)(layers.BatchNormalization()(coarse)), 16, 1, 1, "down")
    up = layers.UpSampling2D(2, interpolation="bilinear", name="up")(coarse)
    merged = layers.Add(name="merged")([up, conv_bn(keras, fine, 16, 1, 1, "side", act=False)])
    grown = layers.Conv2DTranspose(8, 2, 2, use_bias=False, name="grow")(coarse)
    grown = layers.ReLU(6.0)(layers.BatchNormalization()(grown))
    joined = layers.Concatenate(name="joined")([fine, merged, grown])
    rows = layers.AveragePooling2D((CELLS // 4, CELLS), name="rows")(joined)
    flat = layers.Flatten(name="flat")(rows)
    return keras.Model(
        image,
        {
            "mask": layers.Conv2D(1, 1, name="mask")(joined),
            "classes": layers.Conv2D(3, 1, name="classes")(joined),
            "class": layers.Dense(2, name="class")(flat),
        },
    )


def _fit(features: np.ndarray, targets: np.ndarray, kernel: tuple[int, ...]) -> list[np.ndarray]:
    """Ridge regression to a head's kernel, its spatial size in front, and bias."""
    rows = np.concatenate([features, np.ones((*features.shape[:-1], 1))], axis=-1).reshape(-1, features.shape[-1] + 1)
    values = targets.reshape(len(rows), -1)
    solved = np.linalg.solve(rows.T @ rows + 2.0 * np.eye(rows.shape[1]), rows.T @ values).astype(np.float32)
    return [solved[:-1].reshape(*kernel, *solved[:-1].shape), solved[-1]]
