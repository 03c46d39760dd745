"""What an image file says about itself before anything decodes it: format, size, orientation, completeness.

Decoders allocate whatever a header asks for, and `cv2.imread` fills the missing part of a cut JPEG with grey without an
error, so this small reader goes first. It allocates nothing that grows with the pixel count, and visits each byte at
most once.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from handlens import _jpeg
from handlens.errors import ImageUnreadable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's own structure says.

    Attributes:
        format: JPEG, PNG, WebP or BMP.
        width: of the stored pixels, before the orientation is applied.
        height: of the stored pixels.
        orientation: EXIF 1..8; 1 is upright.
        truncated: the file ends before its structure does.
        damage: what is broken in it, or an empty text.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    truncated: bool = False
    damage: str = ""


def read_header(data: bytes) -> Header:
    """Reads the header of an encoded image.

    Args:
        data: the whole file.

    Raises:
        ImageUnreadable: no known format, or no size in the header.
    """
    if data[:2] == b"\xff\xd8":
        header = _read_jpeg(data)
    elif data[:8] == PNG_SIGNATURE:
        header = _read_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        header = _read_webp(data)
    elif data[:2] == b"BM":
        header = _read_bmp(data)
    elif not data:
        raise ImageUnreadable("the file is empty; expected a JPEG, PNG, WebP or BMP image")
    else:
        raise ImageUnreadable(f"the file starts with {data[:8]!r}; expected a JPEG, PNG, WebP or BMP image")
    if header.width < 1 or header.height < 1:
        raise ImageUnreadable(f"the {header.format} header says {header.width} x {header.height} pixels")
    return header


def _read_jpeg(data: bytes) -> Header:
    scan = _jpeg.scan(data)
    orientation = _jpeg.orientation(scan.exif) if scan.exif else 1
    return Header("JPEG", scan.width, scan.height, orientation, scan.truncated, scan.damage)


def _read_png(data: bytes) -> Header:
    """PNG (ISO/IEC 15948): chunks of length, type, data and CRC-32, from IHDR to IEND."""
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise ImageUnreadable("the PNG has no IHDR chunk; it is cut short or damaged")
    width, height = struct.unpack_from(">II", data, 16)
    orientation, damage, position, kind, view = 1, "", 8, b"", memoryview(data)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return Header("PNG", width, height, damage=f"the checksum of its {kind!r} chunk is wrong")
        if kind == b"IEND":
            return Header("PNG", width, height, orientation, damage=damage)
        if kind == b"IHDR" and position != 8:
            damage = "it has a second IHDR chunk"
        elif kind == b"eXIf":
            orientation = _jpeg.orientation(data[position + 8 : end - 4])
        position = end
    return Header("PNG", width, height, truncated=True)


def _read_webp(data: bytes) -> Header:
    """WebP container (RFC 9649): RIFF chunks VP8 (lossy), VP8L (lossless) and VP8X (extended)."""
    size = struct.unpack_from("<I", data, 4)[0]
    width = height = 0
    orientation, damage = 1, ""
    for kind, body in _riff_chunks(data, 12):
        found = (0, 0)
        if kind == b"VP8X" and len(body) >= 10:
            found = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            found = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"VP8 " and len(body) >= 10 and bytes(body[3:6]) == b"\x9d\x01\x2a":
            found = (int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF)
        elif kind in (b"ANIM", b"ANMF"):
            damage = "it is an animation"
        elif kind == b"EXIF":
            orientation = _jpeg.orientation(bytes(body).removeprefix(b"Exif\0\0"))
        # A small canvas around a huge frame must not pass.
        width, height = max(width, found[0]), max(height, found[1])
    if not width:
        raise ImageUnreadable("the WebP header holds no picture; it is cut short or damaged")
    return Header("WebP", width, height, orientation, len(data) < size + 8, damage)


def _riff_chunks(data: bytes, position: int) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _read_bmp(data: bytes) -> Header:
    """Windows bitmap with a BITMAPINFOHEADER or one of its successors, not compressed."""
    if len(data) < 34:
        raise ImageUnreadable("the BMP header is cut short")
    offset, header_size, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if header_size < 40 or bits not in (1, 4, 8, 16, 24, 32) or compression not in (0, 3):
        raise ImageUnreadable("this kind of BMP (old header, or compressed) is not read; save it as PNG or JPEG")
    stride = (abs(width) * bits + 31) // 32 * 4
    return Header("BMP", width, abs(height), truncated=len(data) < offset + stride * abs(height))
