"""A light look at an ONNX protobuf before a real parser sees it, and the field that holds the ZIP.

A protobuf message is a row of fields: a varint tag (number << 3 | wire type), then a varint, 8 bytes, 4 bytes, or a
varint length and that many bytes. Readers skip numbers they do not know, so one length-delimited field of an unused
number at the end carries the ZIP. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterator

from handlens._malformed import CutShort, Malformed

# Unused by ONNX (its ModelProto ends below 100), clear of the numbers protobuf keeps for itself (19000 to 19999).
CARRIER = 18_508
_MAX_DEPTH = 16
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check(data: bytes) -> None:
    """Checks that `data` is one protobuf message with a graph, complete, and without weights in other files.

    Raises:
        Malformed: it is not; for a model that was cut short, this is how it shows.
    """
    graphs = 0
    for number, kind, begin, end in _fields(data, 0, len(data)):
        if number == CARRIER:
            raise Malformed("the model part already carries a handlens ZIP")
        if number == 7 and kind == _BYTES:  # ModelProto.graph
            graphs += 1
            _graph(data, begin, end, 0)
        elif number == 25 and kind == _BYTES:  # ModelProto.functions
            for inner, _, start, stop in _fields(data, begin, end):
                if inner == 7:  # FunctionProto.node
                    _node(data, start, stop, 0)
    if graphs != 1:
        raise Malformed(f"no ONNX model: {graphs} graphs, expected 1")


def carrier(length: int) -> bytes:
    """The tag and length that stand before a ZIP of `length` bytes."""
    return _varint(CARRIER << 3 | _BYTES) + _varint(length)


def _graph(data: bytes, begin: int, end: int, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Malformed(f"graphs nest deeper than {_MAX_DEPTH} levels")
    for number, kind, start, stop in _fields(data, begin, end):
        if kind != _BYTES:
            continue
        if number == 1:  # GraphProto.node
            _node(data, start, stop, depth)
        elif number == 5:  # GraphProto.initializer
            _tensor(data, start, stop)
        elif number == 15:  # GraphProto.sparse_initializer
            _sparse(data, start, stop)


def _node(data: bytes, begin: int, end: int, depth: int) -> None:
    for number, _, start, stop in _fields(data, begin, end):
        if number != 5:  # NodeProto.attribute
            continue
        for inner, _, first, last in _fields(data, start, stop):
            if inner in (5, 10):  # AttributeProto.t, tensors
                _tensor(data, first, last)
            elif inner in (6, 11):  # g, graphs
                _graph(data, first, last, depth + 1)
            elif inner in (22, 23):  # sparse_tensor, sparse_tensors
                _sparse(data, first, last)


def _sparse(data: bytes, begin: int, end: int) -> None:
    for number, _, start, stop in _fields(data, begin, end):
        if number in (1, 2):  # SparseTensorProto.values, indices
            _tensor(data, start, stop)


def _tensor(data: bytes, begin: int, end: int) -> None:
    for number, _, start, _ in _fields(data, begin, end):
        # TensorProto.external_data, data_location (0: here)
        if number == 13 or (number == 14 and data[start : start + 1] not in (b"", b"\0")):
            raise Malformed("a tensor's data lies in another file; an artifact must hold all of it")


def _fields(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields number, wire type, begin and end of each field's value."""
    at = begin
    while at < end:
        tag, at = _read_varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, stop = _read_varint(data, at, end)
        elif kind == _BYTES:
            length, at = _read_varint(data, at, end)
            stop = at + length
        elif kind in (_FIXED64, _FIXED32):
            stop = at + (8 if kind == _FIXED64 else 4)
        else:
            raise Malformed(f"no protobuf: wire type {kind} at byte {at}")
        if number == 0:
            raise Malformed(f"no protobuf: field number 0 at byte {at}")
        if stop > end:
            raise CutShort(f"field {number} at byte {at} ends at {stop}, beyond byte {end}")
        yield number, kind, at, stop
        at = stop


def _read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise CutShort(f"a number at byte {at} is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise Malformed(f"a number before byte {at} is too long")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
