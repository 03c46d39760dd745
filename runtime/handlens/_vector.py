"""A list of numbers as a model's input tensor: for geometry "vector" what `handlens.image` is for pictures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens.errors import InputError
from handlens.manifest import InputSpec


def to_tensor(values: ArrayLike, spec: InputSpec) -> NDArray[Any]:
    """Turns numbers into the tensor; for an integer model they are quantized as pixels are, in float64.

    Args:
        values: (spec.width,) finite numbers, in the order that the task gives them.
        spec: the model's input, of geometry "vector".

    Returns:
        (1, 1, spec.width, 1) of the spec's dtype.

    Raises:
        InputError: the input takes images, or the numbers are too few, too many or not finite.
    """
    if spec.geometry != "vector":
        raise InputError(f"the input {spec.name} has geometry {spec.geometry}: it takes images, not numbers")
    numbers = np.asarray(values, np.float64)
    if numbers.shape != (spec.width,) or not np.isfinite(numbers).all():
        raise InputError(
            f"the input {spec.name} got numbers of shape {numbers.shape}; expected {spec.width}, all finite"
        )
    if spec.quant_scale is not None and spec.quant_zero_point is not None:
        limits = np.iinfo(spec.dtype)
        steps = np.floor(numbers / spec.quant_scale + 0.5) + spec.quant_zero_point
        numbers = np.clip(steps, limits.min, limits.max)
    return numbers.astype(spec.dtype).reshape(spec.shape)


def to_pixels(values: ArrayLike, spec: InputSpec) -> NDArray[np.uint8]:
    """Rounds numbers to the 256 levels of the golden patterns: how export takes calibration data.

    Args:
        values: (N, spec.width) numbers.
        spec: the model's input, of geometry "vector".

    Returns:
        uint8 (N, 1, spec.width, 1), each level worth `level * scale + offset`; what is beyond the ends is clipped.
    """
    numbers = np.asarray(values, np.float64)
    levels = np.clip(np.floor((numbers - spec.offset[0]) / spec.scale[0] + 0.5), 0, 255)
    pixels: NDArray[np.uint8] = levels.astype(np.uint8)[:, None, :, None]
    return pixels


def numbers(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float64]:
    """The numbers (spec.width * channels * height,) that pixels stand for, by the first channel's scale and offset."""
    values: NDArray[np.float64] = pixels.astype(np.float64).reshape(-1) * spec.scale[0] + spec.offset[0]
    return values
