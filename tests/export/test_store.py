"""Kept networks: what was saved comes back, and a damaged file is no obstacle."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from handlens_export.store import Kept, Store  # noqa: E402


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "export")
    path = store.path("qat", {"seed": 1})
    weights = {"a/b": (np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)), "c": (np.zeros(1),)}
    store.save(path, Kept(weights, {"a": (-1.0, 2.5)}, "a note"))
    kept = store.load(path)
    assert kept is not None and kept.ranges == {"a": (-1.0, 2.5)} and kept.note == "a note"
    assert list(kept.weights) == ["a/b", "c"]
    assert all(np.array_equal(x, y) for x, y in zip(kept.weights["a/b"], weights["a/b"], strict=True))


def test_other_facts_have_another_place(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.path("qat", {"seed": 1}) == store.path("qat", {"seed": 1})
    places = {store.path("qat", {"seed": 1}), store.path("qat", {"seed": 2}), store.path("pruned", {"seed": 1})}
    assert len(places) == 3


@pytest.mark.parametrize("damage", [b"", b"no zip at all", None])
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: bytes | None) -> None:
    store = Store(tmp_path)
    path = store.path("pruned", {})
    store.save(path, Kept({"a": (np.ones(50),)}, {}, ""))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert store.load(path) is None
    assert store.load(tmp_path / "missing.npz") is None


def test_two_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "export")
    path, made, inside = store.path("qat", {}), [], []

    def obtain() -> None:
        with store.alone(path):
            inside.append(1)
            assert len(inside) == 1  # nobody else is in here
            if store.load(path) is None:
                time.sleep(0.05)
                made.append(1)
                store.save(path, Kept({"a": (np.ones(2),)}, {}, ""))
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(obtain) for _ in range(24)]:
            future.result(timeout=20)
    assert made == [1]
    assert [file.name for file in (tmp_path / "export").iterdir()] == [path.name]  # and no lock is left


def test_others_do_not_wait(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.alone(store.path("qat", {"seed": 1})), store.alone(store.path("qat", {"seed": 2})):
        pass
