"""The parts of a manifest that describe tensors: the input, and how pixels become it; the outputs and tolerances."""

from dataclasses import dataclass
from typing import Literal

from handlens import _codec
from handlens.errors import ManifestInvalid

INTEGER_RANGE = {"int8": (-128, 127), "uint8": (0, 255)}
MAX_SIDE = 8_192
MAX_ELEMENTS = 2**28

Dtype = Literal["float32", "int8", "uint8"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The model's one input, and how an upright RGB uint8 image becomes it.

    A pixel p (0..255) of channel c becomes the float `p * scale[c] + offset[c]`; for an integer `dtype` that float is
    then quantized as `round(float / quant_scale) + quant_zero_point`, clipped to the dtype.

    Attributes:
        name: the tensor's name in the model (of its signature, where it has one).
        height: of the input, in pixels; 1 for "vector".
        width: of the input, in pixels; how many numbers for "vector".
        channels: 3 for RGB and BGR, 1 for GREY.
        dtype: of the tensor in the file.
        layout: NHWC or NCHW; the batch is 1.
        colour: RGB, BGR (the tensor's channels, `scale` and `offset` run blue to red) or GREY (integer BT.601 luma).
        scale: one factor a channel.
        offset: one summand a channel.
        geometry: how an image of another size is fitted: stretched, letterboxed, centre-cropped, or aligned, so that
            five points of a face come to lie on those of `template`. "vector" is no image: the input is a list of
            `width` numbers, taken as they are (`handlens._vector`); only the golden patterns are pixels, and `scale`
            and `offset` spread their 0..255 over the range that the numbers have.
        template: for "align": x and y of image-left eye, image-right eye, nose tip, image-left and image-right mouth
            corner, ten numbers in pixels of the input, (0, 0) the outer corner of the first pixel.
        quant_scale: for an integer dtype.
        quant_zero_point: for an integer dtype.
    """

    name: str
    height: int
    width: int
    channels: Literal[1, 3]
    dtype: Dtype = "float32"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    colour: Literal["RGB", "BGR", "GREY"] = "RGB"
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    geometry: Literal["resize", "letterbox", "crop", "align", "vector"] = "resize"
    template: tuple[float, ...] = ()
    quant_scale: float | None = None
    quant_zero_point: int | None = None

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        _named(self.name, "InputSpec.name")
        for what, side in (("height", self.height), ("width", self.width)):
            if not 1 <= side <= MAX_SIDE:
                raise ManifestInvalid(f"InputSpec.{what} is {side}; valid: 1 to {MAX_SIDE}")
        if {"RGB": 3, "BGR": 3, "GREY": 1}[self.colour] != self.channels:
            raise ManifestInvalid(
                f"InputSpec.channels is {self.channels} with colour {self.colour}; RGB and BGR have 3, GREY has 1"
            )
        if self.geometry == "vector" and (self.height, self.channels, self.layout) != (1, 1, "NHWC"):
            raise ManifestInvalid(
                f"InputSpec has geometry vector with height {self.height}, {self.channels} channels and layout "
                f"{self.layout}; a vector has height 1, one channel (GREY) and layout NHWC: its numbers are the width"
            )
        if len(self.template) != (10 if self.geometry == "align" else 0):
            raise ManifestInvalid(
                f"InputSpec.template has {len(self.template)} numbers with geometry {self.geometry}; "
                "align has 10 (x and y of five points), the others none"
            )
        for what, values in (("scale", self.scale), ("offset", self.offset)):
            if len(values) != self.channels:
                raise ManifestInvalid(
                    f"InputSpec.{what} has {len(values)} values; expected {self.channels}, one a channel"
                )
        _quantization("InputSpec", self.dtype, self.quant_scale, self.quant_zero_point)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's shape: (1, H, W, C) for NHWC, (1, C, H, W) for NCHW."""
        if self.layout == "NHWC":
            return (1, self.height, self.width, self.channels)
        return (1, self.channels, self.height, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a golden output may be missed: `absolute + relative * max|golden|`, in float (dequantized) units."""

    absolute: float
    relative: float

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a bound is negative.
        """
        _codec.normalise(self)
        if self.absolute < 0 or self.relative < 0:
            raise ManifestInvalid(f"Tolerance is {self.absolute}, {self.relative}; both must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """One output of the model.

    Attributes:
        name: the tensor's name in the model (of its signature, where it has one).
        meaning: what a person needs to know to use it, such as "embedding, not normalised".
        shape: with the batch of 1 in front, such as (1, 256).
        dtype: of the tensor in the file.
        quant_scale: for an integer dtype.
        quant_zero_point: for an integer dtype.
        tolerance: for golden replay.
    """

    name: str
    meaning: str
    shape: tuple[int, ...]
    dtype: Dtype = "float32"
    quant_scale: float | None = None
    quant_zero_point: int | None = None
    tolerance: Tolerance

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        _named(self.name, "OutputSpec.name")
        elements = 1
        for side in self.shape:
            elements *= side
        if not 1 <= len(self.shape) <= 8 or min(self.shape) < 1 or elements > MAX_ELEMENTS:
            raise ManifestInvalid(f"OutputSpec.shape is {self.shape}; expected 1 to 8 sizes of at least 1")
        _quantization("OutputSpec", self.dtype, self.quant_scale, self.quant_zero_point)


def _named(name: str, where: str) -> None:
    if not name.strip():
        raise ManifestInvalid(f"{where} is empty; expected a name")


def _quantization(where: str, dtype: str, scale: float | None, zero_point: int | None) -> None:
    if dtype == "float32":
        if scale is not None or zero_point is not None:
            raise ManifestInvalid(f"{where} is float32 but has quant_scale {scale} and quant_zero_point {zero_point}")
        return
    low, high = INTEGER_RANGE[dtype]
    if scale is None or scale <= 0 or zero_point is None or not low <= zero_point <= high:
        raise ManifestInvalid(
            f"{where} is {dtype} with quant_scale {scale} and quant_zero_point {zero_point}; "
            f"expected a scale above 0 and a zero point of {low} to {high}"
        )
