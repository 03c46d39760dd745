"""Where the master key is kept, and whom it is kept from."""

import json
import stat
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from handlens import keys
from handlens.errors import KeyMissing, OptionError, StoreOpen, StoreTampered
from handlens.store import Store


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: made)
    return made


@pytest.fixture
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_a_keyring_the_key_goes_into_a_file_of_the_owner_and_the_operator_is_told(
    tmp_path: Path, no_ring: None
) -> None:
    store = Store.open(tmp_path / "store")
    key = tmp_path / "store" / "key"
    assert mode(key) == 0o600 and mode(tmp_path / "store") == 0o700
    assert len(store.notices) == 1 and str(key) in store.notices[0] and "no keyring" in store.notices[0]
    assert not Store.open(tmp_path / "store").notices, "said once, when the store is made"


def test_with_a_keyring_no_key_lies_in_the_folder(tmp_path: Path, ring: Ring) -> None:
    store = Store.open(tmp_path / "store")
    assert not store.notices and "keyring" in store.key_place
    (secret,) = json.loads(next(iter(ring.kept.values())))["keys"]
    everything = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert not (tmp_path / "store" / "key").exists() and secret["secret"].encode() not in everything
    Store.open(tmp_path / "store")


def test_a_keyring_that_is_gone_or_locked_is_an_error_and_makes_no_new_key(
    tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(tmp_path / "store")
    ring.locked = True
    with pytest.raises(KeyMissing, match="unlock it"):
        Store.open(tmp_path / "store")
    ring.locked = False
    ring.kept.clear()
    with pytest.raises(KeyMissing, match="cannot be read by anybody"):
        Store.open(tmp_path / "store")
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)
    with pytest.raises(KeyMissing, match="there is none now"):
        Store.open(tmp_path / "store")
    assert not (tmp_path / "store" / "key").exists()


def test_to_insist_on_a_keyring_where_there_is_none_is_refused(tmp_path: Path, no_ring: None) -> None:
    with pytest.raises(OptionError, match="no keyring to use"):
        Store.open(tmp_path / "store", use_keyring=True)


def test_a_keyring_that_keeps_passwords_readable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = type("PlaintextKeyring", (Ring,), {"__module__": "keyrings.alt.file"})
    monkeypatch.setattr(keyring, "get_keyring", plain)
    backend, why = keys.find_keyring()
    assert backend is None and "keyrings.alt.file" in why


@pytest.mark.parametrize("wrong", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_that_others_can_get_at_is_refused(tmp_path: Path, no_ring: None, wrong: int) -> None:
    Store.open(tmp_path / "store")
    (tmp_path / "store" / "key").chmod(wrong)
    with pytest.raises(StoreOpen, match=f"mode {wrong:04o}.*chmod 600"):
        Store.open(tmp_path / "store")


def test_a_folder_that_others_can_get_at_is_refused(tmp_path: Path, no_ring: None) -> None:
    (tmp_path / "store").mkdir(mode=0o755)
    with pytest.raises(StoreOpen, match="chmod 700"):
        Store.open(tmp_path / "store")


def test_a_key_file_that_is_a_link_is_refused(tmp_path: Path, no_ring: None) -> None:
    Store.open(tmp_path / "store")
    key = tmp_path / "store" / "key"
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreOpen, match="not a plain file"):
        Store.open(tmp_path / "store")


def test_a_key_file_can_lie_elsewhere(tmp_path: Path, no_ring: None) -> None:
    Store.open(tmp_path / "store", key_file=tmp_path / "safe")
    assert mode(tmp_path / "safe") == 0o600 and not (tmp_path / "store" / "key").exists()
    Store.open(tmp_path / "store", key_file=tmp_path / "safe")
    with pytest.raises(KeyMissing, match="--key-file"):
        Store.open(tmp_path / "store")


def test_a_new_store_does_not_overwrite_the_key_of_another(tmp_path: Path, no_ring: None) -> None:
    Store.open(tmp_path / "store", key_file=tmp_path / "safe")
    before = (tmp_path / "safe").read_bytes()
    with pytest.raises(OptionError, match="another store's key"):
        Store.open(tmp_path / "other", key_file=tmp_path / "safe")
    assert (tmp_path / "safe").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys": [{"id": "1", "secret": "AAAA"}]}', b"\0" * 200])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, no_ring: None, content: bytes) -> None:
    Store.open(tmp_path / "store")
    (tmp_path / "store" / "key").write_bytes(content)
    with pytest.raises(StoreTampered, match="holds no key"):
        Store.open(tmp_path / "store")


def test_an_older_key_is_overwritten_not_only_unlinked(tmp_path: Path) -> None:
    holder = keys.FileHolder(tmp_path / "key")
    old = keys.Key.new()
    holder.save([old])
    (tmp_path / "old").hardlink_to(tmp_path / "key")
    holder.save([keys.Key.new()])
    assert set((tmp_path / "old").read_bytes()) == {0}


def test_a_key_does_not_show_its_secret() -> None:
    key = keys.Key.new()
    assert key.secret.hex() not in repr(key) and repr(key.secret) not in repr(key)
