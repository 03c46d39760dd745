"""A detector of the house's output contract that is made in a second: random features, heads fitted by least squares.

It finds one bright blob in a dim picture. Nothing about it is trained by gradients, yet its outputs depend on the
picture as a detector's do: most cells are empty, a few answer, and those answer with boxes that can be compared.
"""

from pathlib import Path
from typing import Any

import numpy as np

from handlens.face import FaceDetector
from handlens.manifest import DataSource, InputSpec, OutputSpec, Provenance, Tolerance

SIDE = 64
STRIDES = (8, 16, 32)
OUTPUTS = {"score": 1, "box": 4, "points": 10, "gender": 1}
CELLS = sum((SIDE // stride) ** 2 for stride in STRIDES)
SPEC = InputSpec(
    name="image",
    height=SIDE,
    width=SIDE,
    channels=3,
    scale=(1 / 128,) * 3,
    offset=(-1.0,) * 3,
    geometry="letterbox",
)
DECODING: dict[str, object] = {"kind": "cells", "strides": list(STRIDES), "score_threshold": 0.5, "nms_iou": 0.4}
SOURCE = DataSource(name="drawn blobs", licence="Apache-2.0", split="train", sha256="")
Boxes = np.ndarray


def scenes(count: int, seed: int) -> tuple[np.ndarray, Boxes]:
    """(count, 64, 64, 3) uint8 pictures, each with one blob, and (count, 5): x1, y1, x2, y2 of it, and if it is red."""
    random = np.random.default_rng(seed)
    pictures = random.integers(20, 70, (count, SIDE, SIDE, 3)).astype(np.uint8)
    boxes = np.zeros((count, 5))
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    for picture, box in zip(pictures, boxes, strict=True):
        size = float(random.choice([12, 24, 44])) * random.uniform(0.85, 1.15)
        cx, cy = random.uniform(size / 2, SIDE - size / 2, 2)
        red = int(random.integers(2))
        inside = ((x - cx) / size * 2) ** 2 + ((y - cy) / size * 2) ** 2 <= 1
        picture[inside] = (235, 60, 60) if red else (60, 235, 235)
        box[:] = (cx - size / 2, cy - size / 2, cx + size / 2, cy + size / 2, red)
    return pictures, boxes


def network(keras: Any) -> Any:
    """The fitted detector: "image" (N, 64, 64, 3) float32 to score, box, points and gender of 84 cells."""
    keras.utils.set_random_seed(5)
    model = _layers(keras)
    pictures, boxes = scenes(400, 1)
    batch = pictures.astype(np.float32) / 128 - 1
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass in training mode leaves the statistics of these very pictures
    model(batch, training=True)
    levels = keras.Model(model.input, [model.get_layer(f"head{stride}_relu").output for stride in STRIDES])
    for stride, features in zip(STRIDES, map(np.asarray, levels(batch)), strict=True):
        targets = np.stack([_targets(box, stride) for box in boxes])
        for name, part in (
            ("score", slice(0, 1)),
            ("box", slice(1, 5)),
            ("points", slice(5, 15)),
            ("gender", slice(15, 16)),
        ):
            layer = model.get_layer(f"{name}{stride}")
            # The filled cells count as much as the empty ones; where nothing is, no box is asked for.
            weight = targets[..., 0] * 20 + (name == "score")
            layer.set_weights(_fit(features, targets[..., part] * 8 - 4 * (name in ("score", "gender")), weight))
    return model


def exportable(model: Any, **changes: Any) -> Any:
    """What a trainer would hand on; its evaluation is the overlap of the best box with the blob."""
    from handlens import metrics
    from handlens_train.evaluation import Evaluation
    from handlens_train.exportable import Exportable

    def evaluate(path: Path, split: str, engine: str | None) -> Evaluation:
        pictures, boxes = scenes(40, 2)
        with FaceDetector.load(path, engine=engine) as detector:
            found = [detector.detect(picture) for picture in pictures]
        hits = np.array([overlap(f[0].box, box) if f else 0.0 for f, box in zip(found, boxes[:, :4], strict=True)])
        return Evaluation(
            dataset="blobs",
            split=split,
            protocol="overlap of the best box with the blob",
            n=len(hits),
            primary="iou",
            metrics={"iou": metrics.bootstrap(hits, np.arange(len(hits)))},
            outcomes=hits,
            groups=np.arange(len(hits)),
        )

    parts: dict[str, Any] = {
        "model": model,
        "task": "face-detector",
        "name": "blobs",
        "version": "1.0",
        "input": SPEC,
        "outputs": tuple(
            OutputSpec(
                name=name,
                meaning=f"{'logit of ' if channels == 1 else ''}{name}, by cell",
                shape=(1, CELLS, channels),
                tolerance=Tolerance(absolute=0, relative=1e-3),
            )
            for name, channels in OUTPUTS.items()
        ),
        "labels": (),
        "decoding": DECODING,
        "provenance": Provenance(
            data=(SOURCE,), weights_licence="Apache-2.0", seed=5, run="blobs", trained_seconds=0.0
        ),
        "primary": "iou",
        "training_images": lambda count, seed: (scenes(min(count, 160), 3)[0], SOURCE),
        "evaluate": evaluate,
    }
    return Exportable(**parts | changes)


def stride_of(size: float) -> int:
    """The stride whose cells answer for a blob of this size."""
    return 8 if size < 18 else 16 if size < 34 else 32


def overlap(a: Any, b: Any) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def _layers(keras: Any) -> Any:
    from handlens_train.backbones import conv_bn

    layers = keras.layers

    def separable(x: Any, channels: int, stride: int, name: str) -> Any:
        # A box filter: what is left of the noise would only disturb.
        x = layers.DepthwiseConv2D(
            3, stride, "same", use_bias=False, depthwise_initializer="ones", name=f"{name}_depthwise"
        )(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        return conv_bn(keras, x, channels, 1, 1, name)

    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = separable(conv_bn(keras, image, 16, 3, 2, "stem"), 24, 2, "down4")
    levels = []
    for stride in STRIDES:
        x = separable(x, 32, 2, f"down{stride}")
        levels.append(conv_bn(keras, x, 32, 1, 1, f"lateral{stride}"))
    for index in (1, 0):
        up = layers.UpSampling2D(2, interpolation="nearest")(levels[index + 1])
        levels[index] = (layers.Add() if index else layers.Concatenate())([levels[index], up])
    parts: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
    for stride, level in zip(STRIDES, levels, strict=True):
        level = conv_bn(keras, level, 128, 3, 1, f"head{stride}")
        for name, channels in OUTPUTS.items():
            y = layers.Conv2D(channels, 1, name=f"{name}{stride}")(level)
            parts[name].append(layers.Reshape((-1, channels))(y))
    return keras.Model(image, {name: layers.Concatenate(axis=1, name=name)(y) for name, y in parts.items()})


def _targets(box: np.ndarray, stride: int) -> np.ndarray:
    """(H, W, 16): filled, dx, dy, log w, log h (each / 8), five points (/ 8), red; of the cells at this stride."""
    side = SIDE // stride
    x1, y1, x2, y2, red = box
    size, cx, cy = x2 - x1, (x1 + x2) / 2, (y1 + y2) / 2
    gy, gx = (np.mgrid[:side, :side] + 0.5) * stride
    cells = np.zeros((side, side, 16))
    near = np.maximum(np.abs(gx - cx), np.abs(gy - cy)) <= 0.75 * stride
    cells[..., 0] = near * (stride_of(size) == stride)
    cells[..., 1], cells[..., 2] = (cx - gx) / stride / 8, (cy - gy) / stride / 8
    cells[..., 3:5] = np.log(size / stride) / 8
    for index, (px, py) in enumerate([(-0.25, -0.25), (0.25, -0.25), (0, 0), (-0.25, 0.25), (0.25, 0.25)]):
        cells[..., 5 + 2 * index] = (cx + px * size - gx) / stride / 8
        cells[..., 6 + 2 * index] = (cy + py * size - gy) / stride / 8
    cells[..., 15] = red
    return cells


def _fit(features: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Weighted ridge regression from the features of a cell: the kernel and bias of a 1x1 convolution."""
    rows = np.concatenate([features, np.ones((*features.shape[:-1], 1))], axis=-1).reshape(-1, features.shape[-1] + 1)
    values, weight = targets.reshape(len(rows), -1), weight.reshape(-1, 1)
    left = rows.T @ (weight * rows) + 2.0 * np.eye(rows.shape[1])
    solved = np.linalg.solve(left, rows.T @ (weight * values)).astype(np.float32)
    return [solved[None, None, :-1], solved[-1]]
