"""The face detector's network: a cut EfficientNet-Lite0, a stride-32 stage, a light feature pyramid, a head a stride.

Three strides see faces of about 8 to 320 pixels. Convolutions, relu6, nearest upsampling and additions only, so that
int8 loses little; every output kind of every stride is a convolution of its own, with ranges of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from handlens_train import backbones

STRIDES = (8, 16, 32)
# Of each cell: logit of a face; dx, dy, log w, log h; five points; logit of female (handlens/face.py decodes them).
OUTPUTS = {"score": 1, "box": 4, "points": 10, "gender": 1}
# Lite0's table, a row a block.
_BLOCKS = tuple(
    replace(stage, repeats=1, stride=stage.stride if index == 0 else 1)
    for stage in backbones.EFFICIENTNET_LITE0
    for index in range(stage.repeats)
)


def network(
    size: int | tuple[int, int], *, expand: Sequence[int], pyramid: int, deep: int, head: int, gender: int = 0
) -> keras.Model:
    """The detector: "image" (N, H, W, 3) float32, scaled, to {"score": (N, cells, 1), "box": ..4, "points": ..10, ...}.

    Fully convolutional: the weights fit every size. Cells go by ascending stride, then rows, then columns.

    Args:
        size: height and width of the input, multiples of 32; one number for a square.
        expand: of each block of the trunk; Lite0 has 1 and then 6 throughout. Five blocks end at stride 8, further
            ones run at stride 16.
        pyramid: channels of the feature pyramid and the heads.
        deep: channels of the stride-32 stage.
        head: separable convolutions before the outputs of a stride.
        gender: channels of a branch of its own for the gender, straight from the trunk's features: what tells women
            from men is not what finds faces; 0 reads it from the heads.
    """
    height, columns = (size, size) if isinstance(size, int) else size
    image = keras.Input((height, columns, 3), name="image")
    features = trunk(image, expand)
    x = separable(features[-1], deep, 2, "deep0", kernel=5)
    x = keras.layers.Add(name="deep1_add")([x, separable(x, deep, 1, "deep1")])
    features = [*features, x]
    levels = feature_pyramid(features, pyramid)
    outputs: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
    for stride, level, feature in zip(STRIDES, levels, features, strict=True):
        x = level
        for index in range(head):
            x = separable(x, pyramid, 1, f"head{stride}_{index}")
        looks = x
        if gender:
            looks = separable(feature, gender, 1, f"gender{stride}_0", kernel=5)
            looks = separable(looks, gender, 1, f"gender{stride}_1")
        for name, channels in OUTPUTS.items():
            # A start at the prior of a face keeps the first steps' loss from being all background (Lin et al. 2017).
            prior = -4.6 if name == "score" else 0.0
            y = keras.layers.Conv2D(
                channels, 1, bias_initializer=keras.initializers.Constant(prior), name=f"{name}{stride}"
            )(looks if name == "gender" else x)
            outputs[name].append(keras.layers.Reshape((-1, channels), name=f"{name}{stride}_cells")(y))
    joined = {name: keras.layers.Concatenate(axis=1, name=name)(parts) for name, parts in outputs.items()}
    return keras.Model(image, joined, name="face_detector")


def trunk(image: Any, expand: Sequence[int]) -> list[Any]:
    """Lite0's features at strides 8 and 16 with narrower blocks; layer names are the backbone's."""
    stages = [replace(stage, expand=wide) for stage, wide in zip(_BLOCKS, expand, strict=False)]
    x = backbones.inverted_residuals(keras, image, stages, last_stride=16)
    return [keras.Model(image, x).get_layer("block4_add").output, x]


def separable(x: Any, channels: int, stride: int, name: str, *, kernel: int = 3) -> Any:
    """Depthwise and pointwise convolution, each with batch normalisation and relu6."""
    layers = keras.layers
    x, padding = backbones.pad(keras, x, kernel, stride, name)
    x = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=backbones.BN_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    return backbones.conv_bn(keras, x, channels, 1, 1, f"{name}_point")


def feature_pyramid(features: Sequence[Any], channels: int) -> list[Any]:
    """Top-down pathway (Lin et al. 2017): 1x1 laterals, nearest upsampling, addition."""
    laterals = [
        backbones.conv_bn(keras, x, channels, 1, 1, f"lateral{stride}")
        for stride, x in zip(STRIDES, features, strict=True)
    ]
    out = [laterals[-1]]
    for stride, lateral in zip(STRIDES[-2::-1], laterals[-2::-1], strict=True):
        up = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"up{stride}")(out[0])
        out.insert(0, keras.layers.Add(name=f"merge{stride}")([lateral, up]))
    return out


def freeze(model: keras.Model, blocks: int, only: str | None = None) -> None:
    """Keep the stem and the first `blocks` blocks as they are, batch statistics included; 0 freezes nothing.

    With `only`, everything is kept but the layers whose names begin so.
    """
    backbones.freeze(model, blocks)
    for layer in model.layers:
        if only and not layer.name.startswith(only):
            layer.trainable = False
