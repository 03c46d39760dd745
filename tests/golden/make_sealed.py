"""Writes sealed.json beside this file: sealed files, a whole small store, and a gallery, byte for byte (base64).

Run `python tests/golden/make_sealed.py` only when a case is added; a recorded line never changes. Keys and nonces are
made up from counters, so that the bytes are the same each time; nothing real is ever sealed so.
"""

import base64
import hashlib
import json
import secrets
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from handlens import _sealed
from handlens.gallery import Gallery
from handlens.keys import Key
from handlens.store import Store
from handlens.vault import Record, Vault

MODEL = "0123456789abcdef0123456789abcdef"


def text(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode()


class Counted:
    """Stands in for the operating system's random numbers: hashes of a counter."""

    def __init__(self) -> None:
        self.count = 0

    def token_bytes(self, size: int) -> bytes:
        self.count += 1
        return hashlib.sha512(str(self.count).encode()).digest()[:size]

    def token_hex(self, size: int) -> str:
        return self.token_bytes(size).hex()


def templates(seed: int, count: int, dimension: int) -> np.ndarray:
    """Templates (count, dimension) float32 of length 1."""
    values = np.random.default_rng(seed).normal(size=(count, dimension))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


PEOPLE = (Record("Ada", templates(1, 2, 8), "2026-01-02T03:04:05+00:00"),
          Record("Zoë \U0001f98a \"Z\"", templates(2, 3, 8), "2026-02-03T04:05:06+00:00"))  # fmt: skip


def sealed(kind: str, header: dict[str, str], plain: bytes, number: int) -> dict[str, object]:
    """One sealed file with everything that goes into it."""
    key = Key(f"{number:016x}", hashlib.sha256(f"key {number}".encode()).digest())
    blob = _sealed.seal(key, kind, header, plain)
    body = len(blob.partition(b"\n")[0]) + 1
    return {
        "kind": kind,
        "header": header,
        "key": {"id": key.id, "secret": text(key.secret)},
        "nonce": text(blob[body : body + 12]),
        "plain": text(plain),
        "sealed": text(blob),
    }


def store() -> dict[str, str]:
    """Every file of a store in which two people are enrolled; one has failed attempts."""
    from handlens.attempts import Attempts, Moment

    with tempfile.TemporaryDirectory() as folder:
        made = Store.open(Path(folder) / "store", use_keyring=False)
        with made.lock():
            for record in PEOPLE:
                Vault(made, MODEL, 8).put(record)
            counter = Attempts(made, lambda: Moment(1.7e9, "boot", 12.5))
            for _ in range(3):
                counter.begin("Ada")
        return {file.name: text(file.read_bytes()) for file in sorted(made.folder.iterdir()) if file.name != "lock"}


def gallery() -> str:
    """A gallery's file."""
    with tempfile.TemporaryDirectory() as folder:
        made = Gallery(MODEL, 8)
        for record in PEOPLE:
            made.add([record.name] * len(record.templates), record.templates)
        made.save(Path(folder) / "people.gallery")
        return text((Path(folder) / "people.gallery").read_bytes())


if __name__ == "__main__":
    counted = Counted()
    with mock.patch.multiple(secrets, token_bytes=counted.token_bytes, token_hex=counted.token_hex):
        rows = [
            sealed("vault", {"store": "f" * 32, "model_id": MODEL}, b"[]", 1),
            sealed("attempts", {"store": "0" * 32}, b"{}", 2),
            sealed("vault", {"store": 'Zoë "\\\n', "model_id": ""}, bytes(range(256)) * 9, 3),
            sealed("vault", {}, b"", 4),
        ]
        people = [
            {"name": record.name, "enrolled": record.enrolled, "templates": text(record.templates.tobytes()),
             "count": len(record.templates), "failures": 3 * (record.name == "Ada")}
            for record in PEOPLE
        ]  # fmt: skip
        parts = {
            "files": rows,
            "model_id": MODEL,
            "dimension": 8,
            "people": people,
            "store": store(),
            "gallery": gallery(),
        }
    (Path(__file__).parent / "sealed.json").write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
