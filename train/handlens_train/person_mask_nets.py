"""The person mask's network: EfficientNet-Lite0's early blocks, a glance at all, a light decoder. Imports Keras."""

from typing import Any

import keras

from handlens_data.datasets import ccp
from handlens_train import detector_start, mask_nets, pretrained
from handlens_train.tasks.person_mask import CLASS_STRIDE, Recipe


def network(how: Recipe) -> keras.Model:
    """From "image" (N, H, W, 3) float32, scaled, to logits: "mask" (N, H/s, W/s, 1), "classes" (N, H/4, W/4, 9)."""
    image = keras.Input((how.height, how.width, 3), name="image")
    features = mask_nets.trunk(keras, image, how.expand, last_stride=16)
    features = mask_nets.context(keras, features, how.context)
    x = mask_nets.decoder(keras, features, how.decoder_channels())
    for index in range(how.refine):
        name = f"refine{index}"
        x = keras.layers.Add(name=f"{name}_add")([x, mask_nets.separable(keras, x, x.shape[-1], 1, name)])
    outputs = {"mask": mask_nets.logits(keras, x, 1, "mask", prior=-1.0)}
    if how.classes:
        coarse = keras.Model(image, x).get_layer(f"decode{CLASS_STRIDE}_point_relu").output
        outputs["classes"] = mask_nets.logits(keras, coarse, len(ccp.NAMES), "classes")
    return keras.Model(image, outputs, name="person_mask")


def load_start(model: keras.Model, how: Recipe) -> None:
    """Fill the trunk from ImageNet weights; blocks narrower than Lite0's keep the channels that weigh most.

    Raises:
        MissingExtra: the weights' package is not installed.
    """
    image = keras.Input((64, 64, 3), name="image")
    deepest: Any = list(mask_nets.trunk(keras, image, len(how.expand), last_stride=16).values())[-1]
    whole = keras.Model(image, deepest)
    pretrained.load_efficientnet_lite0(whole)
    detector_start.copy_trunk(whole, model)
