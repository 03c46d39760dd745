"""Images as an enemy, a bad cable or an odd camera makes them: one file a number, always the same one.

`make(n)` is a pure function, so a file that brings something down is made again from its number.
"""

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np

Maker = Callable[[random.Random], bytes]


@functools.cache
def photographs() -> tuple[np.ndarray, ...]:
    """Public-domain photographs of scikit-image, one of them with a face: uint8 (H, W, 3)."""
    import skimage.data

    astronaut = np.asarray(skimage.data.astronaut(), np.uint8)
    return astronaut[20:276, 100:356], astronaut[::2, ::2], np.asarray(skimage.data.chelsea(), np.uint8)


def encode(image: np.ndarray, kind: str, **options: object) -> bytes:
    """Encodes with Pillow: JPEG, PNG, WebP, BMP, GIF or TIFF."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@functools.cache
def _good(index: int, kind: str) -> bytes:
    return encode(photographs()[index], kind)


def good(dice: random.Random) -> bytes:
    """A whole photograph."""
    return _good(dice.randrange(3), dice.choice(("JPEG", "PNG", "WebP", "BMP")))


def truncated(dice: random.Random) -> bytes:
    """Ends early, anywhere."""
    data = good(dice)
    return data[: dice.randrange(len(data))]


def flipped(dice: random.Random) -> bytes:
    """Some bytes are others; half of the times near the beginning, where the structure is."""
    data = bytearray(good(dice))
    reach = len(data) if dice.random() < 0.5 else min(len(data), 700)
    for _ in range(dice.choice((1, 2, 5, 20, 100))):
        data[dice.randrange(reach)] = dice.randrange(256)
    return bytes(data)


def spliced(dice: random.Random) -> bytes:
    """A part is doubled, left out, or comes from another file."""
    data, other = good(dice), good(dice)
    start, length = dice.randrange(len(data)), dice.randrange(1, 5000)
    middle = dice.choice((b"", data[start : start + length] * 2, other[start : start + length], bytes(length)))
    return data[:start] + middle + data[start + length :]


def wrong_magic(dice: random.Random) -> bytes:
    """Begins like another format, or like none."""
    data = good(dice)
    heads = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBPVP8X", b"BM", b"GIF89a", b"II*\0", b"%PDF-1.7")
    head = dice.choice((*heads, b"\0\0\0 ftypavif", b"<svg xmlns=", b"\x00" * 12, dice.randbytes(12)))
    return head + data[len(head) :]


def noise(dice: random.Random) -> bytes:
    """No picture at all, with or without a head that promises one."""
    head = dice.choice((b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM"))
    return head + dice.randbytes(dice.choice((0, 1, 3, 30, 3000)))


def promised(dice: random.Random) -> bytes:
    """A header that promises far more pixels than there are, or none, or fewer than none."""
    size = dice.choice((0, 1, 4096, 16383, 30000, 65535, 2**31 - 1, 2**32 - 1))
    other = dice.choice((1, 16383, 65535, 2**31 - 1, size))
    kind = dice.choice(("JPEG", "PNG", "WebP", "BMP"))
    data = bytearray(_good(1, kind))
    if kind == "JPEG":
        start = next(at for at in range(2, len(data)) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2))
        data[start + 5 : start + 9] = struct.pack(">HH", size & 0xFFFF, other & 0xFFFF)
    elif kind == "PNG":
        data[16:24] = struct.pack(">II", size, other)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "WebP":
        canvas = struct.pack("<II", size & 0xFFFFFF, other & 0xFFFFFF)
        extended = b"VP8X" + struct.pack("<II", 10, 0) + canvas[:3] + canvas[4:7]
        data = bytearray(b"RIFF" + struct.pack("<I", len(data) + 10) + b"WEBP" + extended + data[12:])
    else:
        data[18:26] = struct.pack("<II", size, other)
    return bytes(data)


@functools.cache
def _zeros(width: int, height: int) -> bytes:
    """A right PNG of one colour: some kilobytes that become width x height pixels."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body)
        for kind, body in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            (b"IDAT", swollen(height * (1 + 3 * width))),
            (b"IEND", b""),
        )
    )


@functools.cache
def swollen(size: int) -> bytes:
    """A zlib stream of so many zeros, made without compressing them all: one block, repeated."""
    block, rest = zlib.compressobj(9, wbits=-15), zlib.compressobj(9, wbits=-15)
    many, left = divmod(size, 2**20)
    packed = (block.compress(bytes(2**20)) + block.flush(zlib.Z_FULL_FLUSH)) * many
    packed += rest.compress(bytes(left)) + rest.flush()
    return b"\x78\xda" + packed + struct.pack(">I", (size % 65521) << 16 | 1)  # Adler-32 of zeros


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(dice: random.Random) -> bytes:
    """Small to send, large to decode: 9 to 144 million pixels, or a text or profile that swells."""
    if dice.random() < 0.6:
        return _zeros(*dice.choice(((3000, 3000), (12000, 12000), (65000, 700), (100, 500_000))))
    data, packed = _good(1, "PNG"), swollen(dice.choice((2**20, 2**25)))
    kind = dice.choice((b"zTXt", b"iCCP", b"iTXt"))
    body = {b"zTXt": b"x\0\0", b"iCCP": b"x\0\0", b"iTXt": b"x\0\1\0\0\0"}[kind] + packed
    return data[:33] + chunk(kind, body) * dice.choice((1, 3)) + data[33:]


_ODD: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("CMYK", "JPEG", {}),
    ("L", "JPEG", {"quality": 5}),
    ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    ("YCbCr", "JPEG", {"restart_marker_rows": 1}),
    ("P", "PNG", {}),
    ("1", "PNG", {}),
    ("LA", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("I;16", "PNG", {}),
    ("RGB", "PNG", {"save_all": True}),
    ("RGBA", "WebP", {"lossless": True}),
    ("RGB", "WebP", {"save_all": True}),
    ("P", "BMP", {}),
    ("1", "BMP", {}),
    ("RGB", "GIF", {}),
    ("RGB", "TIFF", {}),
)


@functools.cache
def _odd(photograph: int, which: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(photographs()[photograph])
    mode, kind, options = _ODD[which]
    if "save_all" in options:  # an animation of two frames
        options = {**options, "append_images": [image.rotate(90).convert(mode)]}
    file = io.BytesIO()
    (image.convert("L").convert(mode) if mode in ("I;16", "LA") else image.convert(mode)).save(file, kind, **options)
    return file.getvalue()


def odd_mode(dice: random.Random) -> bytes:
    """Whole files that few expect: CMYK, palettes, one bit, 16 bits, alpha, progressive, lossless, animations."""
    return _odd(dice.randrange(3), dice.randrange(len(_ODD)))


def odd_size(dice: random.Random) -> bytes:
    """One pixel, one line, or a very long strip."""
    longest = dice.choice((1, 2, 3, 7, 15, 16, 17, 4000, 16383))
    size = dice.choice(((longest, 1), (1, longest), (longest, 2), (3, longest)))
    pixels = np.frombuffer(dice.randbytes(size[0] * size[1] * 3), np.uint8).reshape(*size, 3)
    return encode(pixels, dice.choice(("JPEG", "PNG", "WebP", "BMP")))


def exif(dice: random.Random) -> bytes:
    """EXIF of every kind: huge, cut, going in circles, with all orientations and with impossible ones."""
    order = dice.choice("<>")
    entries = [(0x0112, 3, 1, dice.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535)))]
    entries += [(dice.randrange(65536), dice.randrange(20), dice.randrange(2**32), 0)] * dice.choice((0, 1, 100))
    body = struct.pack(
        f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, dice.choice((8, 8, 8, 2**31)), len(entries)
    )
    for tag, kind, count, value in entries:
        body += struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)
    body += struct.pack(f"{order}I", dice.choice((0, 8, 2**32 - 1)))  # the next directory: none, itself, nowhere
    body += dice.randbytes(dice.choice((0, 10, 60_000)))
    body = body[: dice.choice((len(body), 65_000, dice.randrange(1, 40)))]
    if dice.random() < 0.7:
        segment = b"\xff\xe1" + struct.pack(">H", min(65535, len(body) + 8)) + b"Exif\0\0" + body[:65527]
        data = _good(dice.randrange(3), "JPEG")
        return data[:2] + segment * dice.choice((1, 1, 1, 200)) + data[2:]
    data = _good(dice.randrange(3), "PNG")
    return data[:33] + chunk(b"eXIf", body * dice.choice((1, 1, 100))) + data[33:]


KINDS: tuple[Maker, ...] = (
    good,
    truncated,
    flipped,
    spliced,
    wrong_magic,
    noise,
    promised,
    bomb,
    odd_mode,
    odd_size,
    exif,
)


def make(number: int) -> tuple[str, bytes]:
    """Makes file `number`: the name of its kind, and its bytes."""
    maker = KINDS[number % len(KINDS)]
    return maker.__name__, maker(random.Random(number))
