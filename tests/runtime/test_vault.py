"""Templates at rest: who can read them, what happens when a file is changed, and what deletion leaves."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handlens import _sealed, keys, vault
from handlens.errors import AlreadyEnrolled, InputError, StoreTampered, UnknownName
from handlens.store import Store
from handlens.vault import Record, Vault

MODEL, OTHER = "a" * 32, "b" * 32


def templates(seed: int, count: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 16))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def make(folder: Path) -> Store:
    return Store.open(folder, use_keyring=False)


def put(store: Store, name: str, seed: int, model: str = MODEL, replace: bool = False) -> None:
    with store.lock():
        Vault(store, model, 16).put(Record(name, templates(seed), "2026-01-01T00:00:00+00:00"), replace=replace)


def read(store: Store, model: str = MODEL) -> dict[str, Record]:
    with store.lock():
        return Vault(store, model, 16).read()


def forget(store: Store, name: str) -> int:
    with store.lock():
        return vault.forget(store, name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make(tmp_path / "store")


def test_templates_come_back_as_they_were_after_a_restart(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    put(store, "Zoë Łukasz", 2)
    found = read(make(tmp_path / "store"))
    assert list(found) == ["Ada", "Zoë Łukasz"]
    assert np.array_equal(found["Ada"].templates, templates(1)) and found["Ada"].templates.dtype == np.float32


def test_nothing_in_the_files_is_readable(tmp_path: Path, store: Store) -> None:
    put(store, "Ada Lovelace", 1)
    content = (tmp_path / "store" / f"{MODEL}.vault").read_bytes()
    assert b"Ada" not in content and templates(1).tobytes()[:16] not in content
    assert (tmp_path / "store" / f"{MODEL}.vault").stat().st_mode & 0o777 == 0o600


def test_every_byte_is_guarded(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    file = tmp_path / "store" / f"{MODEL}.vault"
    good = file.read_bytes()
    for position in range(0, len(good), 7):
        bad = bytearray(good)
        bad[position] ^= 1
        file.write_bytes(bad)
        with pytest.raises(StoreTampered):
            read(store)
    for cut in (0, 1, 100, len(good) - 1):
        file.write_bytes(good[:cut])
        with pytest.raises(StoreTampered):
            read(store)
    file.write_bytes(good + b"x")
    with pytest.raises(StoreTampered):
        read(store)


def test_templates_of_another_model_do_not_open(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1, MODEL)
    assert read(store, OTHER) == {}
    shutil.copy(tmp_path / "store" / f"{MODEL}.vault", tmp_path / "store" / f"{OTHER}.vault")
    with pytest.raises(StoreTampered, match="model_id"):
        read(store, OTHER)
    # Not even by somebody who also rewrites the header.
    file = tmp_path / "store" / f"{OTHER}.vault"
    file.write_bytes(file.read_bytes().replace(MODEL.encode(), OTHER.encode(), 1))
    with pytest.raises(StoreTampered, match="changed since it was written"):
        read(store, OTHER)


def test_a_file_of_another_store_does_not_open_even_under_the_same_key(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    other = make(tmp_path / "other")
    shutil.copy(tmp_path / "store" / "key", tmp_path / "other" / "key")
    shutil.copy(tmp_path / "store" / f"{MODEL}.vault", tmp_path / "other" / f"{MODEL}.vault")
    shutil.copy(tmp_path / "store" / "attempts", tmp_path / "other" / "attempts")
    with pytest.raises(StoreTampered, match="store is"):
        read(other)


def test_the_same_contents_are_never_encrypted_alike(tmp_path: Path, store: Store) -> None:
    key = keys.Key.new()
    blobs = {_sealed.seal(key, "vault", {}, b"same") for _ in range(20)}
    assert len(blobs) == 20


def test_a_name_is_taken_once(store: Store) -> None:
    put(store, "Ada", 1)
    with pytest.raises(AlreadyEnrolled, match="--replace"):
        put(store, "Ada", 2)
    put(store, "Ada", 2, replace=True)
    assert np.array_equal(read(store)["Ada"].templates, templates(2))


def test_deletion_leaves_nothing_that_opens(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    put(store, "Bob", 2)
    put(store, "Ada", 3, OTHER)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "store", backup)
    assert forget(store, "Ada") == 2
    assert set(read(store)) == {"Bob"} and read(store, OTHER) == {}
    # A copy of the folder, taken before, but without its key: the key of today does not open it.
    for model in (MODEL, OTHER):
        shutil.copy(backup / f"{model}.vault", tmp_path / "store" / f"{model}.vault")
        with pytest.raises(StoreTampered):
            read(store, model)


def test_replacing_deletes_the_old_templates_likewise(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    old = (tmp_path / "store" / f"{MODEL}.vault").read_bytes()
    put(store, "Ada", 2, replace=True)
    (tmp_path / "store" / f"{MODEL}.vault").write_bytes(old)
    with pytest.raises(StoreTampered):
        read(store)


def test_forgetting_nobody_says_so_and_changes_nothing(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    before = (tmp_path / "store" / "key").read_bytes()
    with pytest.raises(UnknownName, match="'Eve'"):
        forget(store, "Eve")
    assert (tmp_path / "store" / "key").read_bytes() == before


@pytest.mark.parametrize("after", range(6))
def test_a_crash_at_any_step_of_a_deletion_loses_nobody_else(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    put(store, "Ada", 1)
    put(store, "Bob", 2)
    put(store, "Ada", 3, OTHER)
    steps = 0
    real = keys.write_private

    def stumble(path: Path, data: bytes) -> None:
        nonlocal steps
        steps += 1
        if steps > after:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(keys, "write_private", stumble)
    with pytest.raises(KeyboardInterrupt):
        forget(store, "Ada")
    monkeypatch.undo()
    again = make(tmp_path / "store")
    assert np.array_equal(read(again)["Bob"].templates, templates(2))
    with again.lock():
        assert len(again._keys) == 1, "the rotation was finished"
    if "Ada" in {*read(again), *read(again, OTHER)}:
        forget(again, "Ada")
    assert set(read(again)) == {"Bob"} and not read(again, OTHER)


def test_a_missing_description_beside_templates_is_noticed(tmp_path: Path, store: Store) -> None:
    put(store, "Ada", 1)
    (tmp_path / "store" / "store.json").unlink()
    with pytest.raises(StoreTampered, match="store.json is missing"):
        make(tmp_path / "store")


@pytest.mark.parametrize("name", ["", "   ", "a" * 81, "a\nb", "a\x00b", "\u202e"])
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="printable"):
        vault.clean_name(name)


def test_two_spellings_of_a_name_are_one() -> None:
    assert vault.clean_name(" Zoe\u0308 ") == vault.clean_name("Zo\u00eb") == "Zo\u00eb"


WORKER = """
import sys
import numpy as np
from handlens.attempts import Attempts
from handlens.store import Store
from handlens.vault import Record, Vault
store = Store.open(sys.argv[1])
for number in range(6):
    with store.lock():
        Vault(store, "a" * 32, 4).put(Record(f"{sys.argv[2]} {number}", np.eye(1, 4, dtype=np.float32), "now"))
    if number < 2:
        with store.lock():
            Attempts(store).begin("everybody")
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    make(folder)
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(folder), name]) for name in ("one", "two")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    from handlens.attempts import Attempts

    store = make(folder)
    with store.lock():
        assert len(Vault(store, MODEL, 4).read()) == 12
        assert Attempts(store).failures("everybody") == 4
