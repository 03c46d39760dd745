"""The structure of a JPEG file (ITU-T T.81), and the EXIF orientation that it and other formats carry."""

import re
import struct
from dataclasses import dataclass

from handlens.errors import ImageUnreadable

# A marker that matters: not a stuffed zero (FF 00), fill byte, TEM or restart. One byte of look-ahead keeps this
# linear.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_SOI, _EOI, _SOS, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION_TAG, _SHORT = 0x0112, 3


@dataclass(frozen=True, slots=True)
class Scan:
    """What walking every segment of a JPEG shows.

    Attributes:
        width: of the frame header, in pixels.
        height: of the frame header.
        exif: the TIFF bytes of the first EXIF segment, or nothing.
        truncated: the data ends before the end-of-image marker.
        damage: what is broken, or an empty text.
    """

    width: int
    height: int
    exif: bytes
    truncated: bool
    damage: str


def scan(data: bytes) -> Scan:
    """Walks the segments of a JPEG up to its end-of-image marker; what follows that is ignored.

    Raises:
        ImageUnreadable: there is no frame header, so no size.
    """
    width = height = frames = scans = 0
    exif, damage, ended, position = b"", "", False, 2
    while marker := _MARKER.search(data, position):
        code, position = data[marker.end() - 1], marker.end()
        if code == _EOI:
            ended = True
            break
        if code == _SOI:
            continue
        if position + 2 > len(data):
            break
        length = struct.unpack_from(">H", data, position)[0]
        if length < 2:
            damage = damage or f"a segment (marker {code:02X}) has length {length}"
            break
        if position + length > len(data):
            break
        body = position + 2
        if code in _FRAMES and length >= 8:
            # The largest of several, for the pixel limit; a decoder would stop at the second.
            frames += 1
            height = max(height, struct.unpack_from(">H", data, body + 1)[0])
            width = max(width, struct.unpack_from(">H", data, body + 3)[0])
        elif code == _SOS:
            scans += 1
        elif code == _APP1 and not exif and data[body : body + 6] == b"Exif\0\0":
            exif = data[body + 6 : position + length]
        position += length
    if not frames:
        raise ImageUnreadable("the JPEG has no frame header; it is cut short or damaged")
    if ended and frames > 1:
        damage = damage or f"it has {frames} frame headers"
    if ended and not scans:
        damage = damage or "it has no image data"
    return Scan(width, height, exif, not ended and not damage, damage)


def orientation(tiff: bytes) -> int:
    """Returns the EXIF orientation, 1..8, of a TIFF block; 1 when it has none or makes no sense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack_from(f"{order}I", tiff, 4)[0]
    if start + 2 > len(tiff):
        return 1
    entries = struct.unpack_from(f"{order}H", tiff, start)[0]
    for entry in range(start + 2, min(start + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, entry)
        if tag == _ORIENTATION_TAG and kind == _SHORT and count == 1:
            value = int(struct.unpack_from(f"{order}H", tiff, entry + 8)[0])
            return value if 1 <= value <= 8 else 1
    return 1
