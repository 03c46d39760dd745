"""Image files: what loads, and that nothing else does more than raise an ImageError."""

import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.errors import ImageError, ImageShapeError, ImageTooLarge, ImageTruncated, ImageUnreadable
from handlens.image import load_image

# Where the stored row 0 and column 0 belong in the upright image (EXIF 2.3, tag 0x0112).
EXIF_SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    """A smooth RGB picture without any symmetry, so that JPEG keeps it and every flip shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * y // height, 255 * x // width, 200 - 2 * y - x], axis=2).astype(np.uint8)


def encode(pixels: np.ndarray, extension: str = ".png", *flags: int) -> bytes:
    bgr = pixels[:, :, ::-1] if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels
    return cv2.imencode(extension, bgr, list(flags))[1].tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def tiff(orientation: int, order: str = ">") -> bytes:
    """A TIFF block with two entries, orientation second."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    entries = struct.pack(order + "HHII", 0x0100, 4, 1, 40) + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 2) + entries + struct.pack(order + "I", 0)


def with_exif(data: bytes, block: bytes) -> bytes:
    if data[:2] == b"\xff\xd8":
        segment = b"Exif\0\0" + block
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    return data[:33] + png_chunk(b"eXIf", block) + data[33:]


def resized_header(data: bytes, width: int, height: int) -> bytes:
    """The same file, its header lying about the size."""
    if data[:2] == b"\xff\xd8":
        at = data.index(b"\xff\xc0")
        return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]
    return data[:8] + png_chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


ENCODED = {
    "jpeg": encode(picture(), ".jpg"),
    "progressive": encode(picture(), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encode(picture(), ".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    "exif": with_exif(encode(picture(), ".jpg"), tiff(6)),
    "png": encode(picture(), ".png"),
    "webp": encode(picture(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless webp": encode(picture(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "bmp": encode(picture(), ".bmp"),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_a_whole_file_loads_upright_in_rgb(kind, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(ENCODED[kind])
    expected = np.rot90(picture(), -1) if kind == "exif" else picture()
    for source in (path, str(path), ENCODED[kind]):
        loaded = load_image(source)
        assert loaded.dtype == np.uint8 and loaded.shape == expected.shape and loaded.flags.c_contiguous
        assert np.abs(loaded.astype(int) - expected).mean() < (
            8 if kind not in ("png", "lossless webp", "bmp") else 1e-9
        )


@pytest.mark.parametrize("kind", ENCODED)
@settings(max_examples=25, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_never_loads(kind, part):
    data = ENCODED[kind]
    with pytest.raises(ImageError):
        load_image(data[: int(part * len(data))])


@pytest.mark.parametrize("kind", ENCODED)
def test_a_file_without_its_last_bytes_is_named_truncated(kind, tmp_path):
    path = tmp_path / "cut.img"
    path.write_bytes(ENCODED[kind][:-3])
    with pytest.raises(ImageTruncated, match=r"cut\.img.* ends early"):
        load_image(path)


def test_bytes_after_the_end_of_a_jpeg_are_no_harm():
    assert np.array_equal(load_image(ENCODED["jpeg"] + b"\xff\xd8 a second picture, cut"), load_image(ENCODED["jpeg"]))


def test_an_end_marker_inside_a_thumbnail_does_not_pass_for_the_end():
    whole = with_exif(ENCODED["jpeg"], tiff(1) + ENCODED["jpeg"])
    assert load_image(whole).shape == (24, 40, 3)
    with pytest.raises(ImageTruncated):
        load_image(whole[:-10])


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(ENCODED)),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    in_header=st.booleans(),
)
def test_a_damaged_file_gives_an_image_or_an_image_error(kind, edits, in_header):
    data = bytearray(ENCODED[kind])
    for part, value in edits:
        data[int(part * (min(len(data), 200) if in_header else len(data)))] = value
    check_loads_or_refuses(bytes(data))


@settings(max_examples=150, deadline=None)
@given(
    magic=st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"BM"]),
    body=st.binary(max_size=120),
)
def test_garbage_gives_an_image_error(magic, body):
    check_loads_or_refuses(magic + body)


@settings(max_examples=150, deadline=None)
@given(block=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda tail: tiff(6)[:10] + tail)))
def test_garbage_in_exif_leaves_the_picture(block):
    assert sorted(load_image(with_exif(ENCODED["png"], block)).shape) == [3, 24, 40]


def check_loads_or_refuses(data: bytes) -> None:
    try:
        loaded = load_image(data, max_pixels=100_000)
    except ImageError as error:
        assert str(error)
    else:
        assert loaded.dtype == np.uint8 and loaded.ndim == 3 and loaded.shape[2] == 3


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation, order):
    upright = picture()
    first_row, first_column = EXIF_SIDES[orientation]
    stored = upright
    if first_row in ("bottom", "right"):
        stored = stored[::-1] if first_row == "bottom" else stored[:, ::-1]
    if first_column in ("bottom", "right"):
        stored = stored[::-1] if first_column == "bottom" else stored[:, ::-1]
    if first_row in ("left", "right"):
        stored = stored.transpose(1, 0, 2)
    stored = np.ascontiguousarray(stored)
    assert np.array_equal(load_image(with_exif(encode(stored), tiff(orientation, order))), upright)
    jpeg = with_exif(encode(stored, ".jpg"), tiff(orientation, order))
    assert np.array_equal(load_image(jpeg), cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1)[:, :, ::-1])


def test_an_orientation_that_makes_no_sense_is_ignored():
    assert np.array_equal(load_image(with_exif(ENCODED["png"], tiff(9))), picture())


def test_a_grey_file_becomes_rgb():
    grey = picture()[:, :, 0]
    for extension in (".png", ".jpg"):
        loaded = load_image(encode(grey, extension))
        assert loaded.shape == (24, 40, 3) and np.ptp(loaded, axis=2).max() == 0
        assert np.abs(loaded[:, :, 0].astype(int) - grey).max() < 6


def test_16_bits_become_8_and_transparency_is_dropped():
    assert np.array_equal(load_image(encode(picture().astype(np.uint16) * 257)), picture())
    bgra = np.dstack([picture()[:, :, ::-1], np.zeros((24, 40), np.uint8)])
    assert np.array_equal(load_image(encode(bgra)), picture())


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_bomb_is_refused_before_it_is_decoded(kind):
    bomb = resized_header(ENCODED[kind], 20_000, 20_000)
    code = """if True:
        import sys
        from handlens.errors import ImageTooLarge
        from handlens.image import load_image
        data = sys.stdin.buffer.read()
        peak = lambda: next(int(s.split()[1]) for s in open("/proc/self/status") if s.startswith("VmHWM"))
        before = peak()
        try:
            load_image(data)
        except ImageTooLarge as error:
            print(peak() - before, error)
    """
    if not os.path.exists("/proc/self/status"):
        pytest.skip("needs /proc to see the peak memory")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], input=bomb, capture_output=True, env=env, check=True)
    kilobytes, message = done.stdout.decode().split(" ", 1)
    # Decoded it would be 1.2 GB.
    assert int(kilobytes) < 8_192
    assert "20000 x 20000" in message and "40,000,000" in message


def test_the_pixel_limit_is_inclusive():
    assert load_image(ENCODED["png"], max_pixels=24 * 40).shape == (24, 40, 3)
    with pytest.raises(ImageTooLarge, match="40 x 24"):
        load_image(ENCODED["png"], max_pixels=24 * 40 - 1)


def test_a_webp_with_a_small_canvas_around_a_large_frame_is_refused():
    frame = ENCODED["webp"][12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\3\0\0\3\0\0"
    riff = b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(frame)) + b"WEBP" + canvas + frame
    with pytest.raises(ImageTooLarge, match="40 x 24"):
        load_image(riff, max_pixels=100)


def test_a_file_that_is_far_too_long_is_not_read(tmp_path):
    path = tmp_path / "long.jpg"
    path.write_bytes(ENCODED["jpeg"])
    os.truncate(path, 2**40)
    with pytest.raises(ImageTooLarge, match=r"long\.jpg"):
        load_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"GIF89a", "expected a JPEG, PNG, WebP or BMP"), (b"<html>no</html>", "expected a JPEG")],
)
def test_what_is_no_image_is_named(tmp_path, content, message):
    path = tmp_path / "file.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageUnreadable, match=rf"file\.jpg.*{message}"):
        load_image(path)


def test_no_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageUnreadable, match=r"gone\.jpg: no such file"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageUnreadable, match="not a file"):
        load_image(tmp_path)
    with pytest.raises(ImageUnreadable):
        load_image("a\0b")


def test_a_wrong_checksum_in_a_png_is_named():
    data = bytearray(ENCODED["png"])
    data[data.index(b"IDAT") + 8] ^= 1
    with pytest.raises(ImageUnreadable, match="checksum of its b'IDAT'"):
        load_image(bytes(data))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
    ],
)
def test_an_array_of_another_kind_is_refused_with_what_it_is(array):
    with pytest.raises(ImageShapeError, match=rf"{array.dtype}.*expected uint8 \(H, W, 3\)"):
        load_image(array)


def test_a_good_array_is_returned_as_it_is():
    array = picture()
    assert load_image(array) is array
