"""Writes refusals.json beside this file: changed artifacts, and how every language must refuse them, by error name.

Each row edits a file of artifacts/, and then perhaps seals it anew with a right hash, as an attacker would: `cut` keeps
so many bytes, `put` writes bytes (hex) at places, `tail` replaces all from a place on (base64 of deflated bytes).
"refused" is null where the file stays good. Run `python tests/golden/make_refusals.py` when a case is added.
"""

import base64
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from handlens import _model, _zip, artifact
from handlens._malformed import Malformed
from handlens._patterns import Draws
from handlens.errors import HandlensError

HERE = Path(__file__).parent
FILES = ("tiny_float32.tflite", "tiny_int8.tflite", "tiny_float32.onnx")
FLIPS, SEALED, CUTS = 25, 90, 16
MARK = b"handlens sha256="


def edited(row: dict) -> bytes:
    """The bytes that a row stands for."""
    data = (HERE / "artifacts" / row["file"]).read_bytes()[: row.get("cut")]
    for at, text in row.get("put", ()):
        data = data[:at] + bytes.fromhex(text) + data[at + len(text) // 2 :]
    if "tail" in row:
        at, text = row["tail"]
        data = data[:at] + zlib.decompress(base64.b64decode(text))
    if row.get("seal"):
        body = data[:-80]
        data = body + MARK + artifact.hashlib.sha256(body).hexdigest().encode()
    return data


def refusal(data: bytes) -> str | None:
    """The name of the error that Python gives."""
    try:
        artifact._parse(Path("x"), data)
    except HandlensError as error:
        return type(error).__name__
    return None


def _flips() -> list[dict]:
    draws, rows = Draws(5), []
    for name in FILES:
        data = (HERE / "artifacts" / name).read_bytes()
        start = artifact.Artifact.open(HERE / "artifacts" / name).model_size
        for index in range(FLIPS + SEALED):
            # Half of the places in the model, whose structure is dense at its end; half in what rides along.
            at = draws.below(start) if index % 2 else start + draws.below(len(data) - 80 - start)
            if index % 4 == 1:
                at = max(0, start - 1 - draws.below(min(start, 1200)))
            byte = data[at] ^ (1 << draws.below(8)) if index % 3 else draws.below(256)
            row = {"file": name, "put": [[at, f"{byte:02x}"]]}
            rows.append(row if index < FLIPS else {**row, "seal": True})
        for _ in range(CUTS):
            rows.append({"file": name, "cut": draws.below(len(data))})
        rows.append({"file": name, "cut": 0})
        rows.append({"file": name, "cut": len(data) - 1})
        rows.append({"file": name, "put": [[len(data), "0a"]]})
        rows.append({"file": name})
    return rows


def _tricks() -> list[dict]:
    """ZIPs and parts that somebody who can compute SHA-256 could write."""
    rows = []

    def add(name: str, change: dict[str, bytes | None], edit: Callable[[bytes], bytes] = lambda packed: packed) -> None:
        path = HERE / "artifacts" / name
        data = path.read_bytes()
        start, parts = _zip.unpack(data, 80, artifact._LIMITS)
        for key, content in change.items():
            parts = {**parts, key: content} if content is not None else {k: v for k, v in parts.items() if k != key}
        packed = edit(_zip.pack(parts, start, 80)) + bytes(80)
        text = base64.b64encode(zlib.compress(packed, 9)).decode()
        rows.append({"file": name, "tail": [start, text], "seal": True})

    name = FILES[0]
    parts = _zip.unpack((HERE / "artifacts" / name).read_bytes(), 80, artifact._LIMITS)[1]
    manifest, index = json.loads(parts["manifest.json"]), json.loads(parts["goldens.json"])
    values = parts["goldens.bin"]

    def said(**changes: object) -> dict[str, bytes]:
        return {"manifest.json": json.dumps({**manifest, **changes}).encode()}

    def gold(*rows: dict, values: bytes = values) -> dict[str, bytes]:
        return {"goldens.json": json.dumps(rows).encode(), "goldens.bin": values}

    add(name, {})
    add(name, said(schema=2, signature="x"))
    add(name, said(schema=10**30))
    add(name, said(schema=True))
    add(name, said(task=" "))
    add(name, said(model_id="0" * 32))
    add(name, said(decoding={"deep": json.loads("[" * 16 + "]" * 16)}))
    add(name, said(decoding={"deep": json.loads("[" * 17 + "]" * 17)}))
    add(name, said(labels=["a"] * 4096))
    add(name, said(labels=["a"] * 4097))
    add(name, said(labels=["\x1b[2J"]))
    add(name, said(labels=["\ud800"]))
    add(name, said(name="n" * 65536))
    add(name, said(name="n" * 65537))
    add(name, said(extra=1))
    add(name, {"manifest.json": parts["manifest.json"].replace(b'"name"', b'"name": "x", "name"', 1)})
    add(name, {"manifest.json": parts["manifest.json"].replace(b"0.0,", b"NaN,", 1)})
    add(name, {"manifest.json": parts["manifest.json"].replace(b"0.0,", b"1e999,", 1)})
    add(name, {"manifest.json": b"\xff"})
    add(name, {"manifest.json": b"\xef\xbb\xbf" + parts["manifest.json"]})
    add(name, {"manifest.json": b"[" * 100_000})
    add(name, {"goldens.json": b"[" * 5000})
    add(name, gold(*index[:1], values=values[:32]))
    add(name, gold(*index, values=values + b"\0"))
    add(name, gold(*index, values=values[:-4]))
    add(name, gold(*index, values=bytes(len(values))))
    add(name, gold(*index, values=b"\xff" * len(values)))
    add(name, gold({**index[0], "generator": "circle"}, *index[1:]))
    add(name, gold({**index[0], "seed": -1}, *index[1:]))
    add(name, gold({**index[0], "input_sha256": "x"}, *index[1:]))
    add(name, gold({**index[0], "outputs": {"embedding": [2**40, 2**40]}}, *index[1:]))
    add(name, gold({**index[0], "outputs": {"embedding": [8]}}, *index[1:]))
    add(name, gold({**index[0], "outputs": {"other": [1, 8]}}, *index[1:]))
    add(name, gold({**index[0], "outputs": {"embedding": [1, 0]}}, *index[1:]))
    for key in ("readme.txt", "extras/../../x", "extras/", "models/x", "extras/UP", "extras/" + "n" * 65):
        add(name, {key: b"x"})
    add(name, {"extras/" + "n" * 64: b"x"})
    add(name, {"extras/big": bytes(2**20)})
    add(name, {"extras/big": bytes(2**20 + 1)})
    add(name, {f"extras/{number}": b"" for number in range(15)})
    add(name, {f"extras/{number}": b"" for number in range(16)})
    add(name, {f"extras/{number}": b"" for number in range(40)})
    add(name, {"goldens.bin": None})
    add(name, {"manifest.json": None})
    add(name, {"extras/x": bytes(2**20)}, lambda packed: packed.replace(b"\0\0\x10\0\x08", b"d\0\0\0\x08"))
    add(name, {"extras/x": bytes(100)}, lambda packed: packed.replace(b"d\0\0\0\x08", b"e\0\0\0\x08"))
    add(name, {"extras/aa": b"1", "extras/bb": b"2"}, lambda packed: packed.replace(b"extras/bb", b"extras/aa"))
    add(name, {}, lambda packed: b"\0" + packed)
    add(name, {}, lambda packed: packed[:-22] + b"\0" + packed[-22:])
    add(name, {}, _before_directory)
    add(name, {}, _behind_deflate)
    add(FILES[2], {})
    add(FILES[2], {"extras/other": b"longer"})  # the protobuf field's length no longer fits
    return rows


def _before_directory(packed: bytes) -> bytes:
    """A byte between the last entry and the directory, whose place is corrected."""
    size, offset = struct.unpack_from("<2I", packed, len(packed) - 10)
    at = len(packed) - 22 - size
    return packed[:at] + b"\0" + packed[at:-10] + struct.pack("<2I", size, offset + 1) + packed[-2:]


def _behind_deflate(packed: bytes) -> bytes:
    """A byte behind the first entry's deflate stream, which its packed size counts."""
    (length,) = struct.unpack_from("<I", packed, 18)
    size, offset = struct.unpack_from("<2I", packed, len(packed) - 10)
    first = 30 + len("manifest.json")
    at = len(packed) - 22 - size
    directory = bytearray(packed[at:-22])
    place = 0
    while place < len(directory):
        (moved,) = struct.unpack_from("<I", directory, place + 42)
        struct.pack_into("<I", directory, place + 42, moved + (place > 0))
        place += 46 + struct.unpack_from("<H", directory, place + 28)[0]
    struct.pack_into("<I", directory, 20, length + 1)
    head = packed[:18] + struct.pack("<I", length + 1) + packed[22 : first + length] + b"\0"
    end = packed[-22:-10] + struct.pack("<2I", size, offset + 1) + packed[-2:]
    return head + packed[first + length : at] + bytes(directory) + end


def _models() -> list[dict]:
    """Changed models: indices one too large, offsets beyond the end. What passes is no longer the manifest's model."""
    rows = []
    for name in FILES:
        made = artifact.Artifact.open(HERE / "artifacts" / name)
        draws, seen = Draws(8), set()
        changes = [(at, word) for at in range(8, len(made.model) - 4, 4) for word in range(1, 16)]
        changes += [(8 + draws.below(len(made.model) - 12), draws.below(2**31)) for _ in range(3000)]
        for at, word in changes:
            text = struct.pack("<I", word).hex()
            model = made.model[:at] + bytes.fromhex(text) + made.model[at + 4 :]
            why = "passes"
            try:
                _model.check(model, made.kind)
            except Malformed as error:
                index = re.search("([1-9][0-9]*) of ([0-9]+)$", str(error))
                why = re.sub("[0-9]+", "N", str(error)) + ("!" if index and index[1] == index[2] else "")
            if why not in seen:
                seen.add(why)
                rows.append({"file": name, "put": [[at, text]], "seal": True})
    return rows


def rows() -> list[dict]:
    """The edits without their outcome."""
    return _flips() + _tricks() + _models()


if __name__ == "__main__":
    lines = [json.dumps({**row, "refused": refusal(edited(row))}) for row in rows()]
    (HERE / "refusals.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
