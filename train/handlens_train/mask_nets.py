"""Networks with a mask: features of EfficientNet-Lite0 at every stride, and a light decoder on top of them.

Convolutions, relu6, bilinear upsampling by two and additions only: all of them run as int8, and quickly. The builders
return Keras tensors, so a task puts its own heads on either end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from handlens_train import backbones

# Lite0's table, a row a block.
BLOCKS = tuple(
    replace(stage, repeats=1, stride=stage.stride if index == 0 else 1)
    for stage in backbones.EFFICIENTNET_LITE0
    for index in range(stage.repeats)
)


def trunk(keras: Any, image: Any, expand: Sequence[int] | int, *, last_stride: int = 32) -> dict[int, Any]:
    """The last feature of each total stride: {2: (N, H/2, W/2, 16), 4: ..24, 8: ..40, 16: ..80 or 112, 32: ..192}.

    Layer names are the backbone's, so that `pretrained.load_efficientnet_lite0` fills them (blocks with an expansion
    of their own excepted: `detector_start.load_lite0` narrows).

    Args:
        keras: the keras module.
        image: input tensor (N, H, W, 3), already scaled; H and W multiples of the largest stride.
        expand: of each block that is kept, from the first; one number keeps so many blocks as Lite0 has them.
        last_stride: total stride not exceeded; later strides become 1.
    """
    table = BLOCKS[:expand] if isinstance(expand, int) else BLOCKS
    kept = table if isinstance(expand, int) else [replace(b, expand=e) for b, e in zip(table, expand, strict=False)]
    x = backbones.inverted_residuals(keras, image, kept, last_stride=last_stride)
    model, features, stride = keras.Model(image, x), {}, 2
    for index, stage in enumerate(kept):
        stride *= stage.stride if stride * stage.stride <= last_stride else 1
        names = (f"block{index}_add", f"block{index}_project_bn")
        features[stride] = next(model.get_layer(name).output for name in names if _has(model, name))
    return features


def _has(model: Any, name: str) -> bool:
    return any(layer.name == name for layer in model.layers)


def separable(keras: Any, x: Any, channels: int, stride: int, name: str, *, kernel: int = 3) -> Any:
    """Depthwise and pointwise convolution, each with batch normalisation and relu6; padding as `backbones.pad`."""
    layers = keras.layers
    x, padding = backbones.pad(keras, x, kernel, stride, name)
    x = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.BatchNormalization(epsilon=backbones.BN_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    return backbones.conv_bn(keras, x, channels, 1, 1, f"{name}_point")


def context(keras: Any, features: Mapping[int, Any], channels: int) -> dict[int, Any]:
    """One more stride below the last feature: two 5x5 separable convolutions, which see most of the picture.

    Returns `features` with that stride added, (N, H/2s, W/2s, channels).
    """
    last = max(features)
    x = separable(keras, features[last], channels, 2, "context0", kernel=5)
    x = keras.layers.Add(name="context1_add")([x, separable(keras, x, channels, 1, "context1", kernel=5)])
    return {**features, last * 2: x}


def decoder(keras: Any, features: Mapping[int, Any], channels: Mapping[int, int]) -> Any:
    """From coarse to fine: up by two (bilinear), add the feature of that stride, one separable convolution.

    Args:
        keras: the keras module.
        features: by stride, powers of two without a gap, as `trunk` gives them.
        channels: of the decoder at each stride, down to the finest wanted; the largest stride starts.

    Returns:
        (N, H/s, W/s, channels[s]) of the smallest stride s in `channels`.
    """
    strides = sorted(channels, reverse=True)
    x = backbones.conv_bn(keras, features[strides[0]], channels[strides[0]], 1, 1, f"lateral{strides[0]}")
    for stride in strides[1:]:
        width = channels[stride]
        if x.shape[-1] != width:
            x = backbones.conv_bn(keras, x, width, 1, 1, f"narrow{stride}")  # before upsampling: a quarter of the work
        x = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"up{stride}")(x)
        side = backbones.conv_bn(keras, features[stride], width, 1, 1, f"lateral{stride}", act=False)
        x = keras.layers.Add(name=f"merge{stride}")([x, side])
        x = separable(keras, x, width, 1, f"decode{stride}")
    return x


def logits(keras: Any, x: Any, channels: int, name: str, prior: float = 0.0) -> Any:
    """A 1x1 convolution to `channels` logits a pixel, called `name`; its bias starts at `prior`."""
    start = keras.initializers.Constant(prior)
    return keras.layers.Conv2D(channels, 1, bias_initializer=start, name=name)(x)
