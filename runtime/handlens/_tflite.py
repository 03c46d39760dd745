"""A light look at a TFLite FlatBuffer before a real parser sees it: is it one, and does everything it points at exist?

FlatBuffers (little endian): a table begins with a signed offset back to its vtable; the vtable lists where each field
stands (0: absent); strings, vectors and tables are reached by unsigned forward offsets. Field numbers are those of
TensorFlow Lite's schema.fbs, version 3.
"""

import struct

from handlens._malformed import CutShort, Malformed

IDENTIFIER = b"TFL3"
_MAX_ITEMS = 50_000


def check(data: bytes) -> None:
    """Checks that every table, vector and buffer reachable from the root lies within `data`, and indices are in range.

    Raises:
        Malformed: it does not; for a model that was cut short, this is how it shows.
    """
    if len(data) < 16 or data[4:8] != IDENTIFIER:
        raise Malformed(f"no TFLite model: bytes 4 to 8 are {data[4:8]!r}, expected {IDENTIFIER!r}")
    root = _u32(data, 0)
    _table(data, root)
    (version,) = struct.unpack("<I", _scalar(data, root, 0, 4, b"\0\0\0\0"))
    if version != 3:
        raise Malformed(f"TFLite schema version {version}; expected 3")
    buffers = _tables(data, root, 4)
    for buffer in buffers:
        _vector(data, buffer, 0, 1)
        start, size = struct.unpack(
            "<2Q", _scalar(data, buffer, 1, 8, b"\0" * 8) + _scalar(data, buffer, 2, 8, b"\0" * 8)
        )
        if start + size > len(data):
            raise CutShort(f"a buffer of {size} bytes at {start} ends beyond the {len(data)} bytes there are")
    codes = len(_tables(data, root, 1))
    subgraphs = _tables(data, root, 2)
    if not subgraphs:
        raise Malformed("the model has no subgraph")
    for subgraph in subgraphs:
        _subgraph(data, subgraph, len(buffers), codes)
    for signature in _tables(data, root, 7):
        for field in (0, 1):
            for entry in _tables(data, signature, field):
                _vector(data, entry, 0, 1)


def _subgraph(data: bytes, subgraph: int, buffers: int, codes: int) -> None:
    tensors = _tables(data, subgraph, 0)
    for tensor in tensors:
        _vector(data, tensor, 0, 4)
        _vector(data, tensor, 3, 1)
        (buffer,) = struct.unpack("<I", _scalar(data, tensor, 2, 4, b"\0\0\0\0"))
        if buffer >= buffers:
            raise Malformed(f"a tensor uses buffer {buffer} of {buffers}")
    _indices(data, subgraph, 1, len(tensors), 0)
    _indices(data, subgraph, 2, len(tensors), 0)
    for operator in _tables(data, subgraph, 3):
        (code,) = struct.unpack("<I", _scalar(data, operator, 0, 4, b"\0\0\0\0"))
        if code >= codes:
            raise Malformed(f"an operator uses code {code} of {codes}")
        _indices(data, operator, 1, len(tensors), -1)  # -1: an optional input left out
        _indices(data, operator, 2, len(tensors), 0)


def _indices(data: bytes, table: int, field: int, count: int, lowest: int) -> None:
    begin, length = _vector(data, table, field, 4)
    if length > _MAX_ITEMS:
        raise Malformed(f"a list of {length} tensors; at most {_MAX_ITEMS}")
    for index in struct.unpack_from(f"<{length}i", data, begin):
        if not lowest <= index < count:
            raise Malformed(f"tensor index {index} of {count}")


def _u32(data: bytes, at: int) -> int:
    if not 0 <= at <= len(data) - 4:
        raise CutShort(f"an offset points to byte {at} of {len(data)}")
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


def _table(data: bytes, at: int) -> tuple[int, int, int]:
    """The table's vtable: where it stands, its size, and the table's own size."""
    if not 0 <= at <= len(data) - 4:
        raise CutShort(f"a table at byte {at} of {len(data)}")
    vtable = at - struct.unpack_from("<i", data, at)[0]
    if not 0 <= vtable <= len(data) - 4:
        raise CutShort(f"a vtable at byte {vtable} of {len(data)}")
    size, span = struct.unpack_from("<2H", data, vtable)
    if size < 4 or size % 2 or span < 4 or vtable + size > len(data) or at + span > len(data):
        raise CutShort(f"a table at byte {at} ends beyond the {len(data)} bytes there are")
    return vtable, size, span


def _field(data: bytes, table: int, field: int, width: int) -> int | None:
    vtable, size, span = _table(data, table)
    slot = 4 + 2 * field
    if slot + 2 > size:
        return None
    offset: int = struct.unpack_from("<H", data, vtable + slot)[0]
    if offset == 0:
        return None
    if offset < 4 or offset + width > span:
        raise Malformed(f"field {field} of the table at byte {table} lies outside it")
    return table + offset


def _scalar(data: bytes, table: int, field: int, width: int, default: bytes) -> bytes:
    at = _field(data, table, field, width)
    return default if at is None else data[at : at + width]


def _vector(data: bytes, table: int, field: int, width: int) -> tuple[int, int]:
    """Where the vector's items begin, and how many there are (0 when absent)."""
    at = _field(data, table, field, 4)
    if at is None:
        return 0, 0
    begin = at + _u32(data, at)
    length = _u32(data, begin)
    if begin + 4 + length * width > len(data):
        raise CutShort(f"{length * width} bytes at {begin} end beyond the {len(data)} bytes there are")
    return begin + 4, length


def _tables(data: bytes, table: int, field: int) -> list[int]:
    begin, length = _vector(data, table, field, 4)
    if length > _MAX_ITEMS:
        raise Malformed(f"a list of {length} items; at most {_MAX_ITEMS}")
    tables = [at + _u32(data, at) for at in range(begin, begin + 4 * length, 4)]
    for item in tables:
        _table(data, item)
    return tables
