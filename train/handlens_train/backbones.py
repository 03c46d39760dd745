"""Backbones that quantize well: relu6 or swish, explicit stride-2 padding (hard-swish where asked for).

The padding is written out as zeros (`same` pads differently in torch, TensorFlow and after a change of input size),
so ported weights see what they were trained on and every exporter writes the same graph. Builders take keras.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BN_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class Stage:
    """`repeats` inverted residual blocks (Sandler et al. 2018) of `channels`, the first with `stride`."""

    expand: int
    kernel: int
    stride: int
    channels: int
    repeats: int


# EfficientNet-Lite0 (Liu 2020): EfficientNet-B0 without squeeze-excite, relu6 for swish.
EFFICIENTNET_LITE0 = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
# MobileNetV2 (Sandler et al. 2018), for training from scratch at any width.
MOBILENET_V2 = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 3, 2, 32, 3),
    Stage(6, 3, 2, 64, 4),
    Stage(6, 3, 1, 96, 3),
    Stage(6, 3, 2, 160, 3),
    Stage(6, 3, 1, 320, 1),
)


def inverted_residuals(
    keras: Any,
    x: Any,
    stages: Sequence[Stage],
    *,
    blocks: int | None = None,
    width: float = 1.0,
    last_stride: int = 32,
    activation: str = "relu6",
) -> Any:
    """Stem and inverted residual blocks on a Keras tensor (N, H, W, C); layers are named `stem_*`, `block{i}_*`.

    Args:
        keras: the keras module (Keras 3, or tf_keras where a legacy tool rebuilds the net).
        x: input tensor, already scaled.
        stages: the table of the network.
        blocks: keep only the first so many blocks; None keeps all.
        width: multiplier of all channel counts, rounded to multiples of 8.
        last_stride: total stride not exceeded; later strides become 1 (re-ID keeps 16 where ImageNet goes to 32).
        activation: "relu6", or "hard_swish" as in MobileNetV3, which has no upper end and so costs int8 its steps.
    """
    x = conv_bn(keras, x, _round(32, width), 3, 2, "stem", activation=activation)
    total, index = 2, 0
    for stage in stages:
        for repeat in range(stage.repeats):
            if index == blocks:
                return x
            stride = stage.stride if repeat == 0 else 1
            if total * stride > last_stride:
                stride = 1
            total *= stride
            x = _block(keras, x, stage, stride, _round(stage.channels, width), f"block{index}", activation)
            index += 1
    return x


def conv_bn(
    keras: Any,
    x: Any,
    channels: int,
    kernel: int,
    stride: int,
    name: str,
    *,
    act: bool = True,
    activation: str = "relu6",
) -> Any:
    """Convolution, batch normalisation, activation (none without `act`); padding written out for stride 2."""
    layers = keras.layers
    x, padding = pad(keras, x, kernel, stride, name)
    x = layers.Conv2D(channels, kernel, stride, padding, use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x)
    return _activate(keras, x, activation, name) if act else x


def _activate(keras: Any, x: Any, activation: str, name: str) -> Any:
    if activation == "relu6":
        return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


def _block(keras: Any, x: Any, stage: Stage, stride: int, channels: int, name: str, activation: str) -> Any:
    layers = keras.layers
    shortcut, expanded = x, x.shape[-1] * stage.expand
    if stage.expand != 1:
        x = conv_bn(keras, x, expanded, 1, 1, f"{name}_expand", activation=activation)
    x, padding = pad(keras, x, stage.kernel, stride, f"{name}_depthwise")
    x = layers.DepthwiseConv2D(stage.kernel, stride, padding, use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = _activate(keras, x, activation, f"{name}_depthwise")
    x = conv_bn(keras, x, channels, 1, 1, f"{name}_project", act=False)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def pad(keras: Any, x: Any, kernel: int, stride: int, name: str) -> tuple[Any, str]:
    """(padded tensor, what the convolution itself still pads): explicit zeros for stride 2, "same" for stride 1."""
    if stride == 1:
        return x, "same"
    before = (kernel - 2) // 2  # TensorFlow's SAME for even inputs: one pixel more behind than before.
    amount = (before, kernel - 2 - before)
    return keras.layers.ZeroPadding2D((amount, amount), name=f"{name}_pad")(x), "valid"


def _round(channels: int, width: float) -> int:
    return max(8, int(channels * width + 4) // 8 * 8)


def freeze(model: Any, blocks: int) -> None:
    """Keep the stem and the first `blocks` blocks as they are, batch statistics included; 0 freezes nothing."""
    frozen = {"stem", *(f"block{i}" for i in range(blocks))} if blocks else set()
    for layer in model.layers:
        if layer.name.partition("_")[0] in frozen:
            layer.trainable = False


def vgg_blocks(keras: Any, x: Any, channels: Sequence[int]) -> Any:
    """VGG blocks: two 3x3 relu convolutions and a 2x2 max pool each (the early reports' grey network)."""
    layers = keras.layers
    for index, count in enumerate(channels):
        for half in "ab":
            x = layers.Conv2D(count, 3, padding="same", activation="relu", name=f"vgg{index}{half}")(x)
        x = layers.MaxPooling2D(name=f"vgg{index}_pool")(x)
    return x


def dcnn_blocks(keras: Any, x: Any, channels: Sequence[int], kernels: Sequence[int]) -> Any:
    """Convolution, batch normalisation, swish, max pool, with a kernel a block (the early reports' colour network)."""
    layers = keras.layers
    for index, (count, kernel) in enumerate(zip(channels, kernels, strict=True)):
        x = layers.Conv2D(count, kernel, padding="same", use_bias=False, name=f"dcnn{index}_conv")(x)
        x = layers.BatchNormalization(epsilon=BN_EPSILON, name=f"dcnn{index}_bn")(x)
        x = layers.Activation("swish", name=f"dcnn{index}_swish")(x)
        x = layers.MaxPooling2D(name=f"dcnn{index}_pool")(x)
    return x
