r"""Sealed files: a header anyone can read, and contents that only the key's holder can read or change.

    {"handlens": "vault", "schema": 1, "store": ..., "key": ..., "model_id": ...}\n
    nonce (12 bytes), ciphertext, tag (16 bytes)

AES-256-GCM with a random nonce for every writing; the header line is its associated data, so a file that is renamed,
moved to another store or given another model's id does not open. Each kind of file has a key of its own, derived from
the master key (HKDF-SHA256).
"""

import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from handlens.errors import MissingExtra, StoreTampered
from handlens.keys import KEY_BYTES, Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SCHEMA = 1
_NONCE_BYTES = 12
_LONGEST_HEADER = 4096


def seal(key: Key, kind: str, header: Mapping[str, str], plain: bytes) -> bytes:
    """Encrypts and authenticates.

    Args:
        key: the master key.
        kind: of file, such as "vault".
        header: what else the file says openly, and is bound to.
        plain: the contents.

    Raises:
        MissingExtra: the package cryptography is not installed.
    """
    line = json.dumps({"handlens": kind, "schema": SCHEMA, **header, "key": key.id}).encode() + b"\n"
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return line + nonce + _cipher(key, kind).encrypt(nonce, plain, line)


def read_header(blob: bytes, name: str) -> dict[str, object]:
    """Reads a sealed file's header; nothing in it can be trusted before `unseal`.

    Raises:
        StoreTampered: it is no sealed file.
    """
    line = blob[:_LONGEST_HEADER].partition(b"\n")[0]
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise StoreTampered(f"{name}: not a file that handlens sealed; put back the one from your own copy")
    return header


def unseal(key: Key, kind: str, header: Mapping[str, str], blob: bytes, name: str) -> bytes:
    """Checks and decrypts what `seal` wrote.

    Args:
        key: the master key.
        kind: of file that is expected.
        header: what the file must say.
        blob: the file.
        name: of the file, for messages.

    Raises:
        StoreTampered: a byte differs from what was sealed, or it is another file than expected.
        MissingExtra: the package cryptography is not installed.
    """
    cipher = _cipher(key, kind)
    from cryptography.exceptions import InvalidTag

    expected = {"handlens": kind, "schema": SCHEMA, **header, "key": key.id}
    found = read_header(blob, name)
    if found != expected:
        wrong = [f"{what} is {found.get(what)!r:.50}" for what in expected if found.get(what) != expected[what]]
        raise StoreTampered(f"{name}: not the file that belongs here ({', '.join(wrong) or 'unknown fields'})")
    line, _, body = blob.partition(b"\n")
    try:
        return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], line + b"\n")
    except (InvalidTag, ValueError):
        raise StoreTampered(
            f"{name}: changed since it was written; put back the file from your own copy, or enrol again in a new store"
        ) from None


def _cipher(key: Key, kind: str) -> "AESGCM":
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ModuleNotFoundError:
        raise MissingExtra("cryptography", "access") from None
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=f"handlens {kind}".encode()).derive(key.secret))
