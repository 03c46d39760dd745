"""From an image file or array to the model's input tensor: the only pre-processing there is.

Training, evaluation and the device call these very functions. Images are RGB uint8 arrays (H, W, 3), upright; points
and boxes are in pixels of the upright image, x to the right, y down, (0, 0) the outer corner of the first pixel.
Everything up to the uint8 pixels is integer arithmetic (or OpenCV's bit-exact resize), so that another language can
match it to the bit.
"""

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens._geometry import Transform, centre_box, clip_box, fit_inside
from handlens._imagefile import Header, read_header
from handlens._resize import resize_pixels
from handlens.errors import ImageError, ImageShapeError, ImageTooLarge, ImageTruncated, ImageUnreadable
from handlens.manifest import InputSpec

__all__ = ["Transform", "crop", "letterbox", "load_image", "prepare", "preprocess", "resize", "to_grey", "to_tensor"]

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
        name, data = f"{source}", _read(Path(source), max_pixels)
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
    return _upright(_decode(data, header, name), header.orientation)


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


def prepare(image: NDArray[Any], spec: InputSpec) -> Pixels:
    """Brings an image to the model's size and colour; still uint8.

    Geometry "resize" stretches, "letterbox" adds a border of 114, "crop" takes the largest centred part of the right
    aspect.

    Args:
        image: uint8 (H, W, 3) RGB; for a GREY model also (H, W) or (H, W, 1).
        spec: the model's input.

    Returns:
        uint8 (spec.height, spec.width, spec.channels), C-contiguous.

    Raises:
        ImageShapeError: the image is no such array.
    """
    if spec.colour == "GREY" and isinstance(image, np.ndarray) and image.ndim == 2:
        image = image[:, :, None]
    pixels = _checked(image, channels=(1, 3) if spec.colour == "GREY" else (3,))
    if spec.geometry == "letterbox":
        pixels = letterbox(pixels, spec.height, spec.width)[0]
    else:
        if spec.geometry == "crop":
            x1, y1, x2, y2 = centre_box(pixels.shape[0], pixels.shape[1], spec.height, spec.width)
            pixels = pixels[y1:y2, x1:x2]
        pixels = resize_pixels(pixels, spec.height, spec.width)
    if spec.channels == 1 and pixels.shape[2] == 3:
        pixels = to_grey(pixels)
    return np.ascontiguousarray(pixels)


def to_tensor(pixels: Pixels, spec: InputSpec) -> NDArray[Any]:
    """Scales (and, for an integer model, quantizes) prepared pixels, through a table of 256 values a channel.

    Computed in float64: value = pixel * scale + offset; quantized = floor(value / quant_scale + 0.5) + zero point,
    clipped.

    Args:
        pixels: uint8 (spec.height, spec.width, spec.channels), as `prepare` returns them.
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
    looked_up: Any = cv2.LUT(pixels, _table(spec))
    tensor: NDArray[Any] = looked_up.reshape(expected)
    if spec.layout == "NCHW":
        tensor = np.moveaxis(tensor, 2, 0)
    return np.ascontiguousarray(tensor[None])


def preprocess(image: Source, spec: InputSpec) -> NDArray[Any]:
    """Loads, prepares and scales an image: `to_tensor(prepare(load_image(image), spec), spec)`.

    Args:
        image: as `load_image` takes it; for a GREY model an array may also be uint8 (H, W) or (H, W, 1).
        spec: the model's input.

    Raises:
        ImageError: as `load_image` and `prepare`.
    """
    loaded = image if isinstance(image, np.ndarray) else load_image(image)
    return to_tensor(prepare(loaded, spec), spec)


@functools.lru_cache(maxsize=16)
def _table(spec: InputSpec) -> NDArray[Any]:
    """(1, 256, channels) of the spec's dtype: what each pixel value becomes."""
    levels = np.arange(256, dtype=np.float64)[None, :, None]
    table = levels * np.array(spec.scale, np.float64) + np.array(spec.offset, np.float64)
    if spec.dtype == "float32" or spec.quant_scale is None or spec.quant_zero_point is None:
        result: NDArray[Any] = table.astype(np.float32)
    else:
        limits = np.iinfo(spec.dtype)
        quantized = np.floor(table / spec.quant_scale + 0.5) + spec.quant_zero_point
        result = np.clip(quantized, limits.min, limits.max).astype(spec.dtype)
    result.setflags(write=False)
    return result


def _read(path: Path, max_pixels: int) -> bytes:
    try:
        if not path.exists():
            raise ImageUnreadable(f"{path}: no such file")
        if not path.is_file():
            raise ImageUnreadable(f"{path}: not a file; expected a JPEG, PNG, WebP or BMP image")
        # 8 bytes a pixel is the most an honest file takes (16-bit RGBA); the rest is for metadata.
        limit = 8 * max_pixels + 2**24
        if path.stat().st_size > limit:
            raise ImageTooLarge(f"{path}: {path.stat().st_size:,} bytes; an image file may have {limit:,}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ImageUnreadable(f"{path}: cannot be read ({error})") from None


def _decode(data: bytes, header: Header, name: str) -> Pixels:
    # OpenCV's own orientation handling differs between versions and formats, so it is off here.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageUnreadable(f"{name}: the {header.format} file cannot be decoded ({error.err})") from None
    if decoded is None:
        raise ImageUnreadable(f"{name}: the {header.format} file is damaged; OpenCV cannot decode it")
    if decoded.shape != (header.height, header.width, 3):
        raise ImageUnreadable(f"{name}: decoded to {decoded.shape}; its header says {header.height} x {header.width}")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies an EXIF orientation: 2-4 mirror, 5-8 also swap the axes."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _checked(image: NDArray[Any], channels: tuple[int, ...] = (1, 3)) -> Pixels:
    wanted = " or ".join(map(str, channels))
    if not isinstance(image, np.ndarray):
        raise ImageShapeError(f"expected a uint8 array (H, W, {wanted}); got {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in channels or 0 in image.shape:
        hint = "; a grey image needs three equal channels here" if image.ndim == 2 or image.shape[-1:] == (1,) else ""
        raise ImageShapeError(f"the image is {image.dtype} {image.shape}; expected uint8 (H, W, {wanted}), RGB{hint}")
    return np.ascontiguousarray(image)
