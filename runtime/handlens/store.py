"""A door's store: a folder of mode 0700 with sealed files, one key, and a lock for whoever changes them.

    store.json        the store's id, and whether its key is in the keyring or a file
    key               the master key, where there is no keyring (mode 0600)
    <model id>.vault  the templates that one model made: `handlens.vault`
    attempts          the failed attempts: `handlens.attempts`
    lock              locked while a process reads or changes the others

Deletion changes the master key: what is left of an older file (in a backup without the key, in the blocks a file
system freed) cannot be decrypted any more. `Store.rotate` says in which order, and what a crash leaves.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from handlens import _sealed, keys
from handlens.errors import KeyMissing, OptionError, StoreError, StoreTampered

_ABOUT, _KEY, _LOCK, ATTEMPTS = "store.json", "key", "lock", "attempts"
_VAULT_SUFFIX = ".vault"
_PATIENCE = 20.0  # seconds to wait for another process's lock


def default_folder() -> Path:
    """Where a store lies when no folder is named: `$XDG_DATA_HOME/handlens`, else `~/.local/share/handlens`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share") / "handlens"


class Store:
    """The folder, its key and its lock. Every method that reads or writes a sealed file wants `lock` held.

    Attributes:
        folder: its path.
        id: 32 hex digits, random; bound to every sealed file.
        notices: what the operator should know, such as where the key is when there is no keyring.
    """

    def __init__(self, folder: Path, store_id: str, holder: keys.Holder, notices: tuple[str, ...] = ()) -> None:
        """Takes the parts; use `open`."""
        self.folder = folder
        self.id = store_id
        self.notices = notices
        self._holder = holder
        self._keys: tuple[keys.Key, ...] = ()

    @classmethod
    def open(
        cls,
        folder: str | Path | None = None,
        *,
        key_file: str | Path | None = None,
        use_keyring: bool | None = None,
        create: bool = True,
    ) -> "Store":
        """Opens a store, or makes it where the folder is missing or empty.

        Args:
            folder: None for `default_folder()`.
            key_file: where the key is (or goes) when it is not in the keyring; None for a file in the folder.
            use_keyring: for a new store: True insists on the keyring, False on the file, None takes what there is.
            create: whether a missing store is made.

        Raises:
            StoreError: there is none, and `create` is off.
            StoreOpen: others can get at the folder or a file.
            StoreTampered: a file is missing or is not what it was.
            KeyMissing: the key is not where it was kept.
            OptionError: `use_keyring` is True, and there is none; or a new store's key file exists.
            MissingExtra: the package cryptography is not installed.
            OSError: the folder cannot be made or read.
        """
        place = Path(folder) if folder is not None else default_folder()
        if not create and not (place / _ABOUT).exists():
            raise StoreError(f"{place}: no store is here; enrol somebody first, or name its folder with --store")
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys.check_private(place, place.stat(), stat.S_ISDIR, "a folder", 0o700)
        file = Path(key_file) if key_file is not None else place / _KEY
        with _locked(place):
            about = _read_about(place)
            if about is None:
                if key_file is not None and file.exists():
                    raise OptionError(
                        f"{file} exists, and may be another store's key: it would be overwritten; name a new file"
                    )
                return cls._make(place, file, use_keyring)
            store = cls(place, about["store"], keys.reopen(about["key"], about["store"], file))
            store._load_keys()
            store._finish_rotation()
            if not (place / ATTEMPTS).exists():
                raise StoreTampered(
                    f"{place / ATTEMPTS} is missing: the failed attempts would be forgotten; put it back, "
                    "or enrol again in a new store"
                )
        return store

    @classmethod
    def _make(cls, place: Path, file: Path, use_keyring: bool | None) -> "Store":
        if sorted(place.glob(f"*{_VAULT_SUFFIX}")):
            raise StoreTampered(f"{place / _ABOUT} is missing, but there are templates; put it back from your own copy")
        store_id = secrets.token_hex(16)
        holder, notice = keys.choose(store_id, file, use_keyring)
        store = cls(place, store_id, holder, (notice,) if notice else ())
        # store.json comes last: without it, what a crash leaves is made anew.
        holder.save([keys.Key.new()])
        store._load_keys()
        store.write(ATTEMPTS, ATTEMPTS, {}, b"{}")
        about = {"handlens": "store", "schema": 1, "store": store_id, "key": holder.kind}
        keys.write_private(place / _ABOUT, json.dumps(about, indent=1).encode() + b"\n")
        return store

    @property
    def key_place(self) -> str:
        """Says where the key is kept."""
        return self._holder.where

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes and threads out, and reads the key anew: another process may have changed it.

        Raises:
            StoreError: another process has held it for too long, or the key is gone.
        """
        with _locked(self.folder):
            self._load_keys()
            self._finish_rotation()
            yield

    def read(self, name: str, kind: str, header: Mapping[str, str]) -> bytes | None:
        """Reads a sealed file; None where there is none.

        Raises:
            StoreOpen: others can get at it.
            StoreTampered: it was changed, or is another file than expected.
        """
        path = self.folder / name
        try:
            blob = keys.read_private(path)
        except FileNotFoundError:
            return None
        found = _sealed.read_header(blob, str(path)).get("key")
        key = next((key for key in self._keys if key.id == found), self._keys[0])
        return _sealed.unseal(key, kind, {"store": self.id, **header}, blob, str(path))

    def write(self, name: str, kind: str, header: Mapping[str, str], plain: bytes) -> None:
        """Seals a file with the current key and a fresh nonce, and replaces the old one.

        Raises:
            OSError: the folder cannot be written.
        """
        blob = _sealed.seal(self._keys[0], kind, {"store": self.id, **header}, plain)
        keys.write_private(self.folder / name, blob)

    def vaults(self) -> tuple[str, ...]:
        """The ids of the models that have templates here."""
        found = sorted(path.name.removesuffix(_VAULT_SUFFIX) for path in self.folder.glob(f"*{_VAULT_SUFFIX}"))
        return tuple(name for name in found if re.fullmatch(r"[0-9a-f]{32}", name))

    def read_vault(self, model_id: str) -> bytes | None:
        """Reads the templates' file of a model; see `read`."""
        return self.read(model_id + _VAULT_SUFFIX, "vault", {"model_id": model_id})

    def write_vault(self, model_id: str, plain: bytes) -> None:
        """Writes the templates' file of a model; see `write`."""
        self.write(model_id + _VAULT_SUFFIX, "vault", {"model_id": model_id}, plain)

    def start_rotation(self) -> None:
        """Makes a new current key; what is written from here on is sealed with it.

        Call it before writing files that lack what was deleted, then `finish_rotation`. After a crash in between, the
        next `open` or `lock` finishes it: both keys are kept until no file needs the old one.
        """
        self._holder.save([keys.Key.new(), *self._keys])
        self._load_keys()

    def finish_rotation(self) -> None:
        """Seals every file with the current key and destroys the older ones."""
        self._finish_rotation()

    def _finish_rotation(self) -> None:
        if len(self._keys) < 2:
            return
        for model_id in self.vaults():
            plain = self.read_vault(model_id)
            if plain is not None:
                self.write_vault(model_id, plain)
        attempts = self.read(ATTEMPTS, ATTEMPTS, {})
        if attempts is not None:
            self.write(ATTEMPTS, ATTEMPTS, {}, attempts)
        self._holder.save(self._keys[:1])
        self._load_keys()

    def _load_keys(self) -> None:
        self._keys = self._holder.load()
        if not self._keys:
            raise KeyMissing(
                f"the store's key is not in {self._holder.where}; put it back, or name its place with --key-file; "
                "without it the templates cannot be read by anybody"
            )


def _read_about(place: Path) -> dict[str, str] | None:
    path = place / _ABOUT
    try:
        about = json.loads(keys.read_private(path))
    except FileNotFoundError:
        return None
    except ValueError:
        about = None
    if not isinstance(about, dict) or not re.fullmatch(r"[0-9a-f]{32}", str(about.get("store"))):
        raise StoreTampered(f"{path}: no store's description; put it back from your own copy")
    if about.get("schema") != 1:
        raise StoreTampered(f"{path}: schema {about.get('schema')!r:.20}; this handlens reads 1; upgrade handlens")
    return {"store": str(about["store"]), "key": str(about.get("key"))}


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """An exclusive lock, held by this call alone: each opens the file anew, so it works between threads as well."""
    handle = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{place / _LOCK}: another process has held the store for {_PATIENCE:.0f} seconds; "
                        "see which with: fuser, then try again"
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(handle)
