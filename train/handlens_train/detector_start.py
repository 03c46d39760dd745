"""ImageNet starts for narrower blocks: of each inverted residual, the channels that weigh most are kept.

The channels inside a block meet nobody outside of it, so any of them can go. A channel's weight is what it can pass
on: |gamma| of the depthwise normalisation times the norm of its row of the projection (compare Liu et al. 2017).
"""

import keras
import numpy as np

from handlens_train import pretrained
from handlens_train.detector_nets import network


def load_lite0(model: keras.Model, blocks: int) -> int:
    """Fill stem and blocks of `model` from EfficientNet-Lite0's ImageNet weights; returns the number of layers filled.

    Raises:
        MissingExtra: the weights' package is not installed.
    """
    whole = network(64, expand=(1, *[6] * (blocks - 1)), pyramid=8, deep=8, head=0)
    pretrained.load_efficientnet_lite0(whole)
    return copy_trunk(whole, model)


def copy_trunk(source: keras.Model, target: keras.Model) -> int:
    """Copy stem and blocks of a detector into another whose blocks are as wide or narrower.

    Returns the number of layers filled; a block that the source lacks keeps its weights.
    """
    values = {layer.name: layer.get_weights() for layer in source.layers if layer.get_weights()}
    kept: dict[str, np.ndarray] = {}
    filled = 0
    for layer in target.layers:
        owner, _, part = layer.name.partition("_")
        if layer.name not in values or not (owner == "stem" or owner.startswith("block")):
            continue
        found, shapes = values[layer.name], [tuple(value.shape) for value in layer.get_weights()]
        if [value.shape for value in found] != shapes:
            if owner not in kept:
                wide = target.get_layer(f"{owner}_depthwise_bn").gamma.shape[0]
                kept[owner] = _strongest(values, owner, wide)
            found = _narrow(found, part, kept[owner])
        if [value.shape for value in found] == shapes:
            layer.set_weights(found)
            filled += 1
    return filled


def copy_alike(source: keras.Model, target: keras.Model) -> int:
    """Copy every layer whose name and shapes agree; returns the number of layers filled."""
    values = {layer.name: layer.get_weights() for layer in source.layers}
    filled = 0
    for layer in target.layers:
        found = values.get(layer.name)
        if found and [value.shape for value in found] == [tuple(value.shape) for value in layer.get_weights()]:
            layer.set_weights(found)
            filled += 1
    return filled


def _strongest(values: dict[str, list[np.ndarray]], block: str, count: int) -> np.ndarray:
    gamma = np.abs(values[f"{block}_depthwise_bn"][0])
    rows = np.linalg.norm(values[f"{block}_project_conv"][0][0, 0], axis=1)
    return np.sort(np.argsort(-gamma * rows, kind="stable")[:count])


def _narrow(found: list[np.ndarray], part: str, kept: np.ndarray) -> list[np.ndarray]:
    if part == "expand_conv":
        return [found[0][..., kept]]
    if part in ("depthwise_conv", "project_conv"):
        return [found[0][:, :, kept, :]]
    return [value[kept] for value in found]
