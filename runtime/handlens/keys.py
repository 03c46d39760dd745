"""Where a door's master key is kept: the operating system's keyring where there is one, else a file of mode 0600.

A holder keeps a short list of keys, the current one first. There are two only while a rotation is under way: see
`handlens.store`.
"""

import base64
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from handlens.errors import KeyMissing, OptionError, StoreOpen, StoreTampered

KEY_BYTES = 32  # AES-256
_ID_BYTES = 8
_SERVICE = "handlens door"
# Backends of these modules keep passwords readable in a file, or keep nothing: worse than a file of mode 0600.
_NO_KEYRING = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


@dataclass(frozen=True, slots=True)
class Key:
    """A master key.

    Attributes:
        id: 16 hex digits, random; tells which key sealed a file, and nothing about the key.
        secret: 32 bytes.
    """

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> "Key":
        """Makes a random key, from the operating system's source."""
        return cls(secrets.token_hex(_ID_BYTES), secrets.token_bytes(KEY_BYTES))


class Holder(Protocol):
    """A place that keeps the keys of one store."""

    kind: str
    where: str

    def load(self) -> tuple[Key, ...]:
        """Returns the keys, the current one first; none where nothing is kept.

        Raises:
            StoreError: they cannot be read, or must not be used.
        """

    def save(self, keys: Sequence[Key]) -> None:
        """Replaces what is kept."""


class FileHolder:
    """Keys in a file that its owner alone can read."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        """Takes the file's path; the file need not be there yet."""
        self.path = path
        self.where = f"the file {path}"

    def load(self) -> tuple[Key, ...]:
        """Reads the file.

        Raises:
            StoreOpen: it is no plain file, is another user's, or others can read or write it.
            StoreTampered: it holds no keys.
        """
        try:
            data = read_private(self.path)
        except FileNotFoundError:
            return ()
        return _parse(data, self.where)

    def save(self, keys: Sequence[Key]) -> None:
        """Writes the file atomically with mode 0600, then overwrites the old one's bytes with zeros.

        The overwriting is a best effort: a file system that copies on write, or a flash drive, may keep the old bytes.
        """
        old = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW) if self.path.exists() else None
        try:
            write_private(self.path, _dump(keys))
            if old is not None:
                os.write(old, b"\0" * os.fstat(old).st_size)
                os.fsync(old)
        finally:
            if old is not None:
                os.close(old)


class KeyringHolder:
    """Keys in the operating system's keyring (Secret Service, macOS Keychain, Windows Credential Locker)."""

    kind = "keyring"

    def __init__(self, store_id: str, backend: Any) -> None:
        """Takes the store's id, the entry's user name, and a keyring backend."""
        self._user = store_id
        self._backend = backend
        self.where = f"the keyring ({type(backend).__module__}), service {_SERVICE!r}, user {store_id}"

    def load(self) -> tuple[Key, ...]:
        """Asks the keyring.

        Raises:
            KeyMissing: the keyring is locked or fails.
            StoreTampered: its entry holds no keys.
        """
        text = self._call("get_password", _SERVICE, self._user)
        return _parse(text.encode(), self.where) if text else ()

    def save(self, keys: Sequence[Key]) -> None:
        """Replaces the keyring's entry.

        Raises:
            KeyMissing: the keyring is locked or fails, or gives back something else.
        """
        text = _dump(keys).decode()
        self._call("set_password", _SERVICE, self._user, text)
        if self._call("get_password", _SERVICE, self._user) != text:
            raise KeyMissing(f"{self.where} did not keep the key; use a key file instead: --key-file FILE")

    def _call(self, method: str, *arguments: str) -> Any:
        import keyring.errors

        try:
            return getattr(self._backend, method)(*arguments)
        except keyring.errors.KeyringError as error:
            raise KeyMissing(f"{self.where} cannot be used ({error}); unlock it, then try again") from None


def choose(store_id: str, key_file: Path, use_keyring: bool | None) -> tuple[Holder, str]:
    """Chooses where a new store keeps its keys.

    Args:
        store_id: of the store.
        key_file: where the keys go when there is no keyring.
        use_keyring: True insists on the keyring, False on the file, None takes the keyring where there is one.

    Returns:
        The holder, and a notice for the operator ("" when the keyring is used).

    Raises:
        OptionError: `use_keyring` is True and there is none.
    """
    backend, why = (None, "as asked") if use_keyring is False else find_keyring()
    if backend is not None:
        return KeyringHolder(store_id, backend), ""
    if use_keyring:
        raise OptionError(f"there is no keyring to use: {why}; leave the choice open, and the key goes into {key_file}")
    return FileHolder(key_file), f"no keyring used ({why}); the key is in {key_file}, mode 0600: keep it out of backups"


def reopen(kind: str, store_id: str, key_file: Path) -> Holder:
    """Returns the holder that a store was made with.

    Raises:
        KeyMissing: it was the keyring, and there is none now.
        StoreTampered: no such kind.
    """
    if kind == "file":
        return FileHolder(key_file)
    if kind != "keyring":
        raise StoreTampered(f"the store says that its key is in {kind!r:.40}; expected 'keyring' or 'file'")
    backend, why = find_keyring()
    if backend is None:
        raise KeyMissing(
            f"the store's key was put into the keyring, and there is none now: {why}; "
            "run as the user who enrolled, in a session with that keyring"
        )
    return KeyringHolder(store_id, backend)


def find_keyring() -> tuple[Any | None, str]:
    """Looks for a keyring that protects what it keeps.

    Returns:
        The backend and "", or None and why there is none.
    """
    try:
        import keyring
    except ModuleNotFoundError:
        return None, "the package keyring is not installed"
    backend: Any = keyring.get_keyring()
    parts = getattr(backend, "backends", None) or [backend]  # a chain of several tries each in turn
    names = [type(part).__module__ for part in parts]
    if any(name.startswith(_NO_KEYRING) for name in names):
        return None, f"this system has none that protects what it keeps, only {', '.join(names)}"
    return backend, ""


def read_private(path: Path) -> bytes:
    """Reads a file that its owner alone may read or write.

    Raises:
        FileNotFoundError: there is none.
        StoreOpen: it is a link or no plain file, another user's, or open to others.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreOpen(f"{path}: not a plain file, or not yours ({error.strerror}); put the real file there") from None
    with os.fdopen(handle, "rb") as file:
        check_private(path, os.fstat(handle), stat.S_ISREG, "a plain file", 0o600)
        return file.read()


def check_private(path: Path, found: os.stat_result, is_kind: Any, kind: str, mode: int) -> None:
    """Checks owner, kind and mode.

    Raises:
        StoreOpen: one of them is wrong; the message says which, and how to mend it.
    """
    if not is_kind(found.st_mode):
        raise StoreOpen(f"{path}: not {kind}; give another path")
    if found.st_uid != os.geteuid():
        raise StoreOpen(f"{path}: belongs to user {found.st_uid}, not to you ({os.geteuid()}); run as its owner")
    if found.st_mode & 0o077:
        raise StoreOpen(
            f"{path}: has mode {stat.S_IMODE(found.st_mode):04o}, so that others can get at it; expected {mode:04o}; "
            f"if nobody has copied it: chmod {mode:o} {path}"
        )


def write_private(path: Path, data: bytes) -> None:
    """Writes a file of mode 0600 atomically, and flushes it and its folder.

    Raises:
        OSError: the folder cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".tmp", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _dump(keys: Sequence[Key]) -> bytes:
    rows = [{"id": key.id, "secret": base64.b64encode(key.secret).decode()} for key in keys]
    return json.dumps({"handlens": "key", "schema": 1, "keys": rows}).encode()


def _parse(data: bytes, where: str) -> tuple[Key, ...]:
    try:
        rows = json.loads(data)["keys"]
        keys = tuple(Key(str(row["id"]), base64.b64decode(row["secret"], validate=True)) for row in rows)
    except (ValueError, TypeError, KeyError):
        keys = ()
    if not keys or any(len(key.secret) != KEY_BYTES for key in keys):
        raise StoreTampered(f"{where} holds no key of {KEY_BYTES} bytes; put the right one back from your own copy")
    return keys
