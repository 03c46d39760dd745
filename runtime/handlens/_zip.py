"""A strict, minimal ZIP: written the same way every time, and read only if it was written that way.

The general ZIP format leaves room for surprises (two directories, gaps, duplicate names, bombs). This reader accepts
only the shape `pack` writes: local entries one after another, the directory straight behind them, the end record with
a comment of known length at the very end of the file, no gaps, no flags, no extra fields. Any ZIP tool can read the
result.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from handlens.errors import ArtifactTampered

MAX_ENTRIES = 24
END = struct.Struct("<4s4H2IH")
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_VERSION = 20
_UNIX = 3 << 8
_DATE = (1 << 5) | 1  # 1980-01-01 00:00, the same in every file: bytes must be reproducible
_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def pack(parts: Mapping[str, bytes], start: int, comment_length: int) -> bytes:
    """Returns a ZIP of `parts` that is to stand `start` bytes into a file, less its comment (which the caller appends).

    Args:
        parts: name (ASCII) to content, in the order to write them.
        start: where in the file the ZIP begins; its offsets count from the file's start, as other tools expect.
        comment_length: bytes of the comment that will follow.
    """
    body, directory = bytearray(), bytearray()
    for name, content in parts.items():
        title = name.encode("ascii")
        squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = squeezer.compress(content) + squeezer.flush()
        method = 8 if len(packed) < len(content) else 0
        data = packed if method else content
        common = (0, method, 0, _DATE, zlib.crc32(content), len(data), len(content), len(title), 0)
        offset = start + len(body)
        body += _LOCAL.pack(b"PK\3\4", _VERSION, *common) + title + data
        directory += _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, _VERSION, *common, 0, 0, 0, _MODE, offset) + title
    count = len(parts)
    end = END.pack(b"PK\5\6", 0, 0, count, count, len(directory), start + len(body), comment_length)
    return bytes(body + directory + end)


def unpack(data: bytes, comment_length: int, limits: Mapping[str, int]) -> tuple[int, dict[str, bytes]]:
    """Reads the ZIP at the end of `data`.

    Args:
        data: the whole file.
        comment_length: the comment's length in bytes.
        limits: the most bytes each name may unpack to; a name ending in "/" stands for all names that begin with it.

    Returns:
        Where the ZIP begins, and the content by name, in file order.

    Raises:
        ArtifactTampered: it is not of the shape `pack` writes, or holds a name or size that is not allowed.
    """
    end = len(data) - END.size - comment_length
    if end < 0:
        raise ArtifactTampered("the ZIP's end record is missing")
    signature, disk, first_disk, count, total, size, offset, comment = END.unpack_from(data, end)
    if signature != b"PK\5\6" or (disk, first_disk) != (0, 0) or count != total or comment != comment_length:
        raise ArtifactTampered("the ZIP's end record is damaged")
    if not 1 <= count <= MAX_ENTRIES or offset + size != end:
        raise ArtifactTampered(
            f"the ZIP's directory of {count} entries, {size} bytes at {offset}, does not fit the file"
        )
    entries = _directory(data, offset, end, count)
    parts: dict[str, bytes] = {}
    expected = entries[0].offset
    for entry in entries:
        limit = _limit(entry.name, limits)
        if limit is None or entry.name in parts:
            raise ArtifactTampered(f"the ZIP holds {ascii(entry.name)[:80]}, which is unknown there or a duplicate")
        if entry.size > limit:
            raise ArtifactTampered(f"{entry.name} unpacks to {entry.size} bytes; at most {limit}")
        if entry.offset != expected:
            raise ArtifactTampered(f"{entry.name} stands at {entry.offset}; expected {expected}: the ZIP has a gap")
        parts[entry.name], expected = _content(data, entry, offset)
    if expected != offset:
        raise ArtifactTampered("there are bytes between the ZIP's entries and its directory")
    return entries[0].offset, parts


def _directory(data: bytes, offset: int, end: int, count: int) -> list[_Entry]:
    entries = []
    for _ in range(count):
        if offset + _CENTRAL.size > end:
            raise ArtifactTampered("the ZIP's directory is cut short")
        fields = _CENTRAL.unpack_from(data, offset)
        signature, made, needed, flags, method, time, date, crc, packed, size, length, extra = fields[:12]
        fixed = (signature, made, needed, flags, time, date, extra, *fields[12:16])
        if fixed != (b"PK\1\2", _UNIX | _VERSION, _VERSION, 0, 0, _DATE, 0, 0, 0, 0, _MODE) or method not in (0, 8):
            raise ArtifactTampered("the ZIP's directory holds an entry that handlens did not write")
        offset += _CENTRAL.size
        if offset + length > end:
            raise ArtifactTampered("the ZIP's directory is cut short")
        name = data[offset : offset + length].decode("ascii", "replace")
        entries.append(_Entry(name, method, crc, packed, size, fields[16]))
        offset += length
    if offset != end:
        raise ArtifactTampered("there are bytes between the ZIP's directory and its end record")
    return entries


def _content(data: bytes, entry: _Entry, limit: int) -> tuple[bytes, int]:
    """The entry's content, and where the next one must begin; nothing may reach past `limit`."""
    title = entry.name.encode("ascii", "replace")
    begin = entry.offset + _LOCAL.size + len(title)
    finish = begin + entry.packed
    if finish > limit:
        raise ArtifactTampered(f"{entry.name} reaches past the ZIP's directory")
    expected = (0, entry.method, 0, _DATE, entry.crc, entry.packed, entry.size, len(title), 0)
    if data[entry.offset : begin] != _LOCAL.pack(b"PK\3\4", _VERSION, *expected) + title:
        raise ArtifactTampered(f"{entry.name}: its header and the ZIP's directory disagree")
    content = data[begin:finish]
    if entry.method:
        inflater = zlib.decompressobj(-15)
        try:
            # One byte more than declared is enough to see a lie, and all that a bomb gets.
            content = inflater.decompress(content, entry.size + 1)
        except zlib.error as error:
            raise ArtifactTampered(f"{entry.name} does not unpack: {error}") from None
        if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
            raise ArtifactTampered(f"{entry.name} does not unpack to the {entry.size} bytes it declares")
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise ArtifactTampered(f"{entry.name} does not unpack to the content its header declares")
    return content, finish


def _limit(name: str, limits: Mapping[str, int]) -> int | None:
    folder, slash, _ = name.partition("/")
    return limits.get(folder + slash if slash else name)
