"""Keras 3 layers that simulate compression in training: masked and fake-quantized convolutions, and activation ranges.

They work on every backend. Quantizing a weight is straight-through (Bengio et al. 2013): rounded forwards, untouched
backwards. Weights: symmetric per output channel, int8 (-127..127) or int4 (-7..7), scale max|w| / 127 or 7.
Activations: int8, one range a tensor, a moving average while training (Jacob et al. 2018).
"""

from typing import Any

import keras
import numpy as np
from keras import ops

INT8, INT4 = 127, 7  # the largest weight in steps
_TINY = 1e-8


def fake_quantize_kernel(kernel: Any, axes: tuple[int, ...], levels: int = INT8) -> Any:
    """Rounds a kernel to steps; the largest magnitude over `axes` is `levels` of them, as the converter does it."""
    scale = ops.maximum(ops.max(ops.abs(kernel), axis=axes, keepdims=True), _TINY) / levels
    return kernel + ops.stop_gradient(ops.round(kernel / scale) * scale - kernel)


class Compressed:
    """What the compressed convolutions share; stands before the Keras layer among a class's parents.

    Args:
        levels: also simulate a kernel of so many steps up and down (`INT8`, `INT4`); 0 leaves it in float.
    """

    def __init__(self, *args: Any, levels: int = 0, **kwargs: Any) -> None:
        """Takes what the plain layer takes."""
        super().__init__(*args, **kwargs)
        self.levels = levels

    def build(self: Any, input_shape: Any) -> None:
        """Adds the mask behind the kernel and the bias."""
        super().build(input_shape)  # type: ignore[misc]
        self.mask = self.add_weight(shape=self.kernel.shape, initializer="ones", trainable=False, name="mask")

    def compressed_kernel(self: Any, reduced: tuple[int, ...]) -> Any:
        """The masked kernel, its steps simulated where asked for; `reduced` are all axes but those of outputs."""
        kernel = self.kernel * self.mask
        return fake_quantize_kernel(kernel, reduced, self.levels) if self.levels else kernel

    def plain_kernel(self: Any) -> np.ndarray:
        """The masked kernel before quantization."""
        return np.asarray(self.kernel.numpy() * self.mask.numpy())


class CompressedConv2D(Compressed, keras.layers.Conv2D):
    """A linear Conv2D whose kernel is masked and perhaps fake-quantized per output channel."""

    def call(self, inputs: Any) -> Any:
        """Convolves with the compressed kernel and adds the bias."""
        kernel = self.compressed_kernel((0, 1, 2))
        outputs = ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)
        return outputs + self.bias


class CompressedDepthwiseConv2D(Compressed, keras.layers.DepthwiseConv2D):
    """A linear DepthwiseConv2D whose kernel is masked and perhaps fake-quantized per output channel."""

    def call(self, inputs: Any) -> Any:
        """Convolves with the compressed kernel and adds the bias."""
        kernel = self.compressed_kernel((0, 1))
        outputs = ops.depthwise_conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)
        return outputs + self.bias


class CompressedConv2DTranspose(Compressed, keras.layers.Conv2DTranspose):
    """A linear Conv2DTranspose whose kernel, (h, w, out, in), is masked and perhaps fake-quantized per output."""

    def call(self, inputs: Any) -> Any:
        """Convolves, transposed, with the compressed kernel and adds the bias."""
        outputs = ops.conv_transpose(
            inputs,
            self.compressed_kernel((0, 1, 3)),
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )
        return outputs + self.bias


class NearestUpsample(keras.layers.Layer):
    """Repeats rows and columns: Keras's nearest UpSampling2D, which converts to five operators, as one.

    Args:
        size: how often a row and a column are repeated.
    """

    def __init__(self, size: tuple[int, int], **kwargs: Any) -> None:
        """Makes the layer; it has no weights."""
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, x: Any) -> Any:
        """(N, H, W, C) to (N, H * size[0], W * size[1], C)."""
        height, width = x.shape[1:3]
        return ops.image.resize(x, (height * self.size[0], width * self.size[1]), interpolation="nearest")

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "size": self.size}


class FakeQuant(keras.layers.Layer):
    """Rounds a tensor to the 256 steps of its range, which holds zero exactly.

    Args:
        low: lower end of the range, at most 0.
        high: upper end, at least 0 and above `low`.
        momentum: of the moving average of the batch's range in training; None keeps the range fixed.
    """

    def __init__(self, low: float, high: float, momentum: float | None = None, **kwargs: Any) -> None:
        """Makes the layer; the range is stored as two weights that no gradient moves."""
        super().__init__(**kwargs)
        self.first = (low, high)
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Adds the two ends of the range."""
        low, high = (keras.initializers.Constant(end) for end in self.first)
        self.low = self.add_weight(shape=(), initializer=low, trainable=False, name="low")
        self.high = self.add_weight(shape=(), initializer=high, trainable=False, name="high")

    def call(self, x: Any, training: bool = False) -> Any:
        """Rounds; in training, moves the range first."""
        if training and self.momentum is not None:
            keep = self.momentum
            self.low.assign(keep * self.low + (1 - keep) * ops.minimum(ops.min(x), 0.0))
            self.high.assign(keep * self.high + (1 - keep) * ops.maximum(ops.max(x), 0.0))
        return keras.quantizers.fake_quant_with_min_max_vars(x, self.low, self.high)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def range(self) -> tuple[float, float]:
        """(low, high) as they are now."""
        return float(self.low.numpy()), float(self.high.numpy())
