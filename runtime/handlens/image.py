"""From an image file or array to the model's input tensor: the only pre-processing there is.

Training, evaluation and the device call these very functions. Images are RGB uint8 arrays (H, W, 3), upright; points
and boxes are in pixels of the upright image, x to the right, y down, (0, 0) the outer corner of the first pixel.
Everything up to the uint8 pixels is integer arithmetic (or OpenCV's bit-exact resize), so that another language can
match it to the bit.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens._align import fit_similarity, warp
from handlens._geometry import Transform, centre_box, clip_box, fit_inside
from handlens._imagefile import read_header
from handlens._levels import look_up
from handlens._pixels import decode, read, upright
from handlens._resize import resize_pixels
from handlens.errors import ImageError, ImageShapeError, ImageTooLarge, ImageTruncated, ImageUnreadable
from handlens.manifest import InputSpec

__all__ = [
    "Transform",
    "align",
    "crop",
    "letterbox",
    "load_image",
    "place",
    "prepare",
    "preprocess",
    "resize",
    "to_grey",
    "to_tensor",
]

Pixels = NDArray[np.uint8]
Source = str | Path | bytes | NDArray[Any]

MAX_PIXELS = 40_000_000
_LETTERBOX_FILL = 114


def load_image(source: Source, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Loads an image as upright RGB.

    The size in the file's header is checked before anything is decoded, and a file that ends early is refused
    (`cv2.imread` fills the rest with grey). Grey files become RGB, 16-bit ones 8-bit; transparency is dropped. The
    EXIF orientation is applied. An array is checked and returned as it is, without a copy. Wrong bytes in the middle
    of a JPEG's data are not noticed: the format has no checksum.

    Args:
        source: a JPEG, PNG, WebP or BMP file, its bytes, or a uint8 array (H, W, 3) in RGB order.
        max_pixels: refuse files of more.

    Returns:
        (H, W, 3) uint8, C-contiguous.

    Raises:
        ImageTooLarge: the header, or the file itself, is larger than allowed.
        ImageTruncated: the file ends early.
        ImageUnreadable: no such file, no known format, or a damaged one.
        ImageShapeError: the array is not uint8 (H, W, 3).
    """
    if isinstance(source, np.ndarray):
        return _checked(source, channels=(3,))
    name, data = "the image", source
    if not isinstance(source, bytes):
        name, data = f"{source}", read(Path(source), max_pixels)
    assert isinstance(data, bytes)
    try:
        header = read_header(data)
    except ImageError as error:
        raise type(error)(f"{name}: {error}") from None
    if header.width * header.height > max_pixels:
        raise ImageTooLarge(
            f"{name}: its header says {header.width} x {header.height} pixels; at most {max_pixels:,} are read; "
            "make it smaller, or raise max_pixels if you trust it"
        )
    if header.truncated:
        raise ImageTruncated(f"{name}: the {header.format} file ends early, after {len(data):,} bytes; copy it again")
    if header.damage:
        raise ImageUnreadable(f"{name}: the {header.format} file is damaged: {header.damage}")
    return upright(decode(data, header, name), header.orientation)


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """Resizes an image, stretching it to fit.

    An axis that shrinks to half or less is averaged over the area each new pixel covers (no pixel is skipped, exact
    integer arithmetic, halves round up); any other is interpolated by OpenCV's bit-exact `INTER_LINEAR_EXACT`.

    Args:
        image: uint8 (H, W, 1 or 3).
        height: of the result, in pixels.
        width: of the result.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ImageShapeError: the image is no such array, or a size is below 1.
    """
    if height < 1 or width < 1:
        raise ImageShapeError(f"cannot resize to {height} x {width}; both must be 1 or more")
    return resize_pixels(_checked(image), height, width)


def letterbox(image: Pixels, height: int, width: int, fill: int = _LETTERBOX_FILL) -> tuple[Pixels, Transform]:
    """Fits an image inside a size without distortion, centred on a plain border.

    Args:
        image: uint8 (H, W, 1 or 3).
        height: of the result, in pixels.
        width: of the result.
        fill: value of the border, 0..255.

    Returns:
        The uint8 image (height, width, channels), and the `Transform` from image pixels to its pixels.

    Raises:
        ImageShapeError: the image is no such array, a size is below 1, or `fill` is no byte.
    """
    if height < 1 or width < 1 or not 0 <= fill <= 255:
        raise ImageShapeError(
            f"cannot letterbox to {height} x {width} with fill {fill}; valid: 1 or more, and 0 to 255"
        )
    pixels = _checked(image)
    rows, columns, transform = fit_inside(pixels.shape[0], pixels.shape[1], height, width)
    result = np.full((height, width, pixels.shape[2]), fill, np.uint8)
    top, left = int(transform.top), int(transform.left)
    result[top : top + rows, left : left + columns] = resize_pixels(pixels, rows, columns)
    return result, transform


def crop(image: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """Cuts out every pixel that a box touches.

    Args:
        image: uint8 (H, W, 1 or 3).
        box: (x1, y1, x2, y2) in pixels of the image; what lies outside of it is cut off.

    Returns:
        A copy, uint8 (h, w, channels).

    Raises:
        ImageShapeError: the image is no such array, or no part of the box lies inside it.
    """
    pixels = _checked(image)
    x1, y1, x2, y2 = clip_box(box, pixels.shape[0], pixels.shape[1])
    return pixels[y1:y2, x1:x2].copy()


def to_grey(image: Pixels) -> Pixels:
    """Turns RGB (H, W, 3) into BT.601 luma (H, W, 1), uint8; integer arithmetic, the formula of Pillow's mode L.

    Raises:
        ImageShapeError: the image is not uint8 (H, W, 3).
    """
    r, g, b = np.moveaxis(_checked(image, channels=(3,)).astype(np.uint32), 2, 0)
    grey: Pixels = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16).astype(np.uint8)
    return grey[:, :, None]


def align(image: Pixels, points: ArrayLike, spec: InputSpec) -> Pixels:
    """Turns, scales and shifts a face so that its five points come to lie as near as can be to the model's template.

    The similarity is the least-squares one (Umeyama 1991, without reflection). Sampling is bilinear in integers, after
    an average over blocks where the face shrinks to half or less; what lies outside of the image is 0 (black).

    Args:
        image: uint8 (H, W, 1 or 3).
        points: (5, 2): image-left eye, image-right eye, nose tip, image-left mouth corner, image-right mouth corner;
            x and y in pixels of the image.
        spec: the model's input, of geometry "align".

    Returns:
        uint8 (spec.height, spec.width, channels), in the image's colour order.

    Raises:
        ImageShapeError: the image is no such array, the points are not five, not finite or (nearly) coincide, or the
            input has no template.
    """
    if spec.geometry != "align":
        raise ImageShapeError(f"the input {spec.name} has geometry {spec.geometry}; only align takes points")
    return warp(_checked(image), fit_similarity(points, spec.template), spec.height, spec.width)


def prepare(image: NDArray[Any], spec: InputSpec, points: ArrayLike | None = None) -> Pixels:
    """Brings an image to the model's size and colour; still uint8.

    Geometry "resize" stretches, "letterbox" adds a border of 114, "crop" takes the largest centred part of the right
    aspect, "align" brings five points of a face onto the template.

    Args:
        image: uint8 (H, W, 3) RGB; for a GREY model also (H, W) or (H, W, 1).
        spec: the model's input.
        points: (5, 2) in pixels of the image, for "align" alone; see `align`.

    Returns:
        uint8 (spec.height, spec.width, spec.channels) in the spec's colour, C-contiguous.

    Raises:
        ImageShapeError: the image is no such array; points are missing, bad, or given for another geometry; or the
            model takes no image (geometry "vector").
    """
    if spec.geometry != "align" and points is None:
        return place(image, spec)[0]
    if points is None:
        raise ImageShapeError(
            f"the input {spec.name} has geometry align, which needs the face's five points; find them with a "
            "FaceDetector, then prepare(image, spec, points)"
        )
    return _coloured(align(_accepted(image, spec), points, spec), spec)


def place(image: NDArray[Any], spec: InputSpec) -> tuple[Pixels, Transform]:
    """Prepares an image, and says where its pixels went: what a detector needs to bring boxes back.

    Args:
        image: as for `prepare`.
        spec: the model's input; of any geometry but "align" and "vector".

    Returns:
        As `prepare`, and the `Transform` from pixels of the image to pixels of the input.

    Raises:
        ImageShapeError: the image is no such array, or the geometry is "align" or "vector".
    """
    if spec.geometry == "vector":
        raise ImageShapeError(
            f"the input {spec.name} has geometry vector: {spec.width} numbers, no image; use the model's task class"
        )
    if spec.geometry == "align":
        raise ImageShapeError(f"the input {spec.name} has geometry align; use prepare(image, spec, points)")
    pixels = _accepted(image, spec)
    if pixels.shape[:2] == (spec.height, spec.width):  # every geometry leaves it as it is
        return _coloured(pixels, spec), Transform(1.0, 1.0, 0.0, 0.0)
    if spec.geometry == "letterbox":
        pixels, transform = letterbox(pixels, spec.height, spec.width)
        return _coloured(pixels, spec), transform
    x1, y1, x2, y2 = 0, 0, pixels.shape[1], pixels.shape[0]
    if spec.geometry == "crop":
        x1, y1, x2, y2 = centre_box(pixels.shape[0], pixels.shape[1], spec.height, spec.width)
    scale_x, scale_y = spec.width / (x2 - x1), spec.height / (y2 - y1)
    pixels = resize_pixels(pixels[y1:y2, x1:x2], spec.height, spec.width)
    return _coloured(pixels, spec), Transform(scale_x, scale_y, -x1 * scale_x, -y1 * scale_y)


def to_tensor(pixels: Pixels, spec: InputSpec) -> NDArray[Any]:
    """Scales (and, for an integer model, quantizes) prepared pixels, through a table of 256 values a channel.

    Computed in float64: value = pixel * scale + offset; quantized = floor(value / quant_scale + 0.5) + zero point,
    clipped.

    Args:
        pixels: uint8 (spec.height, spec.width, spec.channels) in the spec's colour order, as `prepare` returns them.
        spec: the model's input.

    Returns:
        (1, h, w, c), or (1, c, h, w) for NCHW, of the spec's dtype.

    Raises:
        ImageShapeError: the pixels have another shape or type.
    """
    expected = (spec.height, spec.width, spec.channels)
    if pixels.shape != expected or pixels.dtype != np.uint8:
        raise ImageShapeError(
            f"pixels are {pixels.dtype} {pixels.shape}; expected uint8 {expected}; call prepare() first"
        )
    tensor = look_up(pixels, spec)
    if spec.layout == "NCHW":
        tensor = np.moveaxis(tensor, 2, 0)
    return np.ascontiguousarray(tensor[None])


def preprocess(image: Source, spec: InputSpec, points: ArrayLike | None = None) -> NDArray[Any]:
    """Loads, prepares and scales an image: `to_tensor(prepare(load_image(image), spec, points), spec)`.

    Args:
        image: as `load_image` takes it; for a GREY model an array may also be uint8 (H, W) or (H, W, 1).
        spec: the model's input.
        points: (5, 2) in pixels of the image, for geometry "align".

    Raises:
        ImageError: as `load_image` and `prepare`.
    """
    loaded = image if isinstance(image, np.ndarray) else load_image(image)
    return to_tensor(prepare(loaded, spec, points), spec)


def _accepted(image: NDArray[Any], spec: InputSpec) -> Pixels:
    if spec.colour == "GREY" and isinstance(image, np.ndarray) and image.ndim == 2:
        image = image[:, :, None]
    return _checked(image, channels=(1, 3) if spec.colour == "GREY" else (3,))


def _coloured(pixels: Pixels, spec: InputSpec) -> Pixels:
    if spec.channels == 1 and pixels.shape[2] == 3:
        pixels = to_grey(pixels)
    elif spec.colour == "BGR":
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(pixels)


def _checked(image: NDArray[Any], channels: tuple[int, ...] = (1, 3)) -> Pixels:
    wanted = " or ".join(map(str, channels))
    if not isinstance(image, np.ndarray):
        raise ImageShapeError(f"expected a uint8 array (H, W, {wanted}); got {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in channels or 0 in image.shape:
        hint = "; a grey image needs three equal channels here" if image.ndim == 2 or image.shape[-1:] == (1,) else ""
        raise ImageShapeError(f"the image is {image.dtype} {image.shape}; expected uint8 (H, W, {wanted}), RGB{hint}")
    return np.ascontiguousarray(image)
