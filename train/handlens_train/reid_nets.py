"""The re-identification networks: a trunk, an embedding head, and the heads that only training needs."""

from typing import Any

import keras

from handlens_train import backbones


def trunk_lite0(x: Any, blocks: int, head: int) -> Any:
    """EfficientNet-Lite0's first `blocks` blocks at total stride 16, a 1x1 relu6 head, spatial mean: (N, head)."""
    x = backbones.inverted_residuals(keras, x, backbones.EFFICIENTNET_LITE0, blocks=blocks, last_stride=16)
    x = backbones.conv_bn(keras, x, head, 1, 1, "head")
    return keras.layers.GlobalAveragePooling2D(name="feature")(x)


def trunk_mobile(x: Any, width: float, head: int) -> Any:
    """MobileNetV2 without its last stage at any width, from scratch: (N, head)."""
    x = backbones.inverted_residuals(keras, x, backbones.MOBILENET_V2[:-1], width=width, last_stride=16)
    x = backbones.conv_bn(keras, x, head, 1, 1, "head")
    return keras.layers.GlobalAveragePooling2D(name="feature")(x)


def trunk_vgg(x: Any, head: int) -> Any:
    """The early reports' grey network: three VGG blocks and a dense embedding."""
    x = backbones.vgg_blocks(keras, x, (16, 32, 64))
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.layers.Dense(head, name="feature")(x)


def trunk_dcnn(x: Any, head: int) -> Any:
    """The early reports' colour network: swish blocks of 7x7, 5x5, 3x3 and a dense embedding."""
    x = backbones.dcnn_blocks(keras, x, (32, 64, 128), (7, 5, 3))
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.layers.Dense(head, name="feature")(x)


TRUNKS = {"lite0": trunk_lite0, "mobile": trunk_mobile, "vgg": trunk_vgg, "dcnn": trunk_dcnn}


def networks(
    height: int, width: int, channels: int, trunk: str, options: dict[str, Any], identities: int | None
) -> tuple[keras.Model, keras.Model]:
    """(training model, inference model); they share every layer of the inference model.

    The training model's outputs are "feature" and "embedding", the same (N, D) tensor for the metric loss and for
    distillation, and "logits" (N, identities) if `identities` is given. The inference model maps "image" (N, H, W, C)
    float32, scaled, to {"embedding": (N, D)}, not normalised.
    """
    image = keras.Input((height, width, channels), name="image")
    embedding = TRUNKS[trunk](image, **options)
    outputs = {"feature": embedding, "embedding": embedding}
    if identities is not None:
        # BNNeck (Luo et al. 2019): the identity loss sees the feature normalised, the metric loss as it is. Retrieval
        # reads it as it is, too: behind the neck every dimension weighs the same, and validation rank-1 was lower.
        neck = keras.layers.BatchNormalization(name="neck", center=False)(embedding)
        outputs["logits"] = keras.layers.Dense(identities, use_bias=False, name="identity")(neck)
    return keras.Model(image, outputs, name="train"), keras.Model(image, {"embedding": embedding}, name="reid")
