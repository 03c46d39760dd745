"""The attribute networks: one trunk, one dense head an attribute. Imports Keras when it builds."""

from typing import Any

import numpy as np

from handlens_data.datasets.attributes import HEADS


def network_lite0(height: int, width: int, *, blocks: int, head: int, stripes: int, dropout: float) -> Any:
    """EfficientNet-Lite0's first `blocks` blocks at total stride 16, a 1x1 head, the mean of each horizontal stripe.

    A person stands upright, so a stripe is about a part of the body (as in PCB, Sun et al. 2018); every head reads all
    of them and learns which. The mean over fixed rows is a plain pooling layer, which int8 keeps exact.

    Args:
        height: of the input in pixels; the feature map's (a sixteenth) must be a multiple of `stripes`.
        width: of the input in pixels.
        blocks: of EfficientNet-Lite0.
        head: channels of the 1x1 convolution.
        stripes: 1 is the mean of the whole image.
        dropout: of the pooled features.

    Returns:
        The Keras model: "image" (N, height, width, 3) float32, scaled, to a dict of logits, one entry a head.
    """
    import keras

    from handlens_train import backbones

    image = keras.Input((height, width, 3), name="image")
    x = backbones.inverted_residuals(keras, image, backbones.EFFICIENTNET_LITE0, blocks=blocks, last_stride=16)
    x = backbones.conv_bn(keras, x, head, 1, 1, "head")
    x = keras.layers.AveragePooling2D((x.shape[1] // stripes, x.shape[2]), name="stripes")(x)
    x = keras.layers.Flatten(name="feature")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    outputs = {name: keras.layers.Dense(len(classes), name=name)(x) for name, classes in HEADS.items()}
    return keras.Model(image, outputs, name="attributes")


def network_vgg(height: int, width: int, *, channels: tuple[int, ...], hidden: int, dropout: float) -> Any:
    """The early report's: VGG blocks, and a hidden dense layer for each head on the flat features.

    Args:
        height: of the input in pixels.
        width: of the input in pixels.
        channels: of each block.
        hidden: units of each head's hidden layer.
        dropout: behind it.

    Returns:
        The Keras model, as `network_lite0`.
    """
    import keras

    from handlens_train import backbones

    image = keras.Input((height, width, 3), name="image")
    x = keras.layers.Flatten(name="feature")(backbones.vgg_blocks(keras, image, channels))
    outputs = {}
    for name, classes in HEADS.items():
        y = keras.layers.Dense(hidden, activation="relu", name=f"{name}_hidden")(x)
        y = keras.layers.Dropout(dropout, name=f"{name}_dropout")(y)
        outputs[name] = keras.layers.Dense(len(classes), name=name)(y)
    return keras.Model(image, outputs, name="attributes")


def adjust(model: Any, heads: dict[str, dict[str, Any]]) -> None:
    """Fold what training noted into the last layers: logits become (logits - shift) / temperature.

    Args:
        model: either network.
        heads: head to {"temperature": number, "shift": one number a class}; a head that is not named stays.
    """
    for name, noted in heads.items():
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel / noted["temperature"], (bias - np.array(noted["shift"])) / noted["temperature"]])
