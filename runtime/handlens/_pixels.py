"""Reading and decoding image files, once their headers were found fit: what `handlens.image.load_image` needs."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens._imagefile import Header
from handlens.errors import ImageTooLarge, ImageUnreadable

Pixels = NDArray[np.uint8]


def read(path: Path, max_pixels: int) -> bytes:
    """Returns a file's bytes.

    Raises:
        ImageTooLarge: more bytes than an image of `max_pixels` takes.
        ImageUnreadable: no such file, or none that can be read.
    """
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


def decode(data: bytes, header: Header, name: str) -> Pixels:
    """Returns RGB pixels (H, W, 3) as they lie in the file.

    Raises:
        ImageUnreadable: the file is damaged.
    """
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


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies an EXIF orientation: 2-4 mirror, 5-8 also swap the axes."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
