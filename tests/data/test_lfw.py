"""LFW in both layouts: the folds' people never meet, and damage is named."""

from pathlib import Path

import pytest

from handlens.errors import DataError, OptionError, UnknownLayout
from handlens_data.datasets import lfw

FOLDS = 10


def make(root: Path, folder: str = "lfw", folds: int = FOLDS) -> Path:
    """A public layout of made-up people: in each fold a pair of one person and a pair of two; and two unpaired."""
    base = root / folder
    lines = [f"{folds}\t1"]
    people = []
    for fold in range(1, folds + 1):
        one, two = f"Fold_{fold}_One", f"Fold_{fold}_Two"
        lines += [f"{one}\t1\t2", f"{one}\t1\t{two}\t1"]
        people += [(one, 2), (two, 1)]
    for person, count in [*people, ("Nobody_Paired", 3), ("Nobody_Else", 1)]:
        (base / person).mkdir(parents=True)
        for number in range(1, count + 1):
            (base / person / f"{person}_{number:04d}.jpg").write_bytes(f"{person}{number}".encode())
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("folder", ["lfw", "lfw-deepfunneled", "lfw_funneled"])
def test_no_person_is_in_two_splits_and_late_folds_stay_out(tmp_path: Path, folder: str) -> None:
    splits = {name: lfw.load(make(tmp_path / name, folder), name) for name in ("train", "val", "test")}
    people = {name: set(split.people) for name, split in splits.items()}
    assert people["val"] == {"Fold_6_One", "Fold_6_Two"}
    assert people["test"] == {f"Fold_{fold}_{who}" for fold in (7, 8) for who in ("One", "Two")}
    assert {"Nobody_Paired", "Nobody_Else", "Fold_1_One"} <= people["train"]
    assert not any(f"Fold_{fold}_One" in people["train"] for fold in (6, 7, 8, 9, 10))
    assert [(pair.same, pair.fold) for pair in splits["test"].pairs] == [(True, 7), (False, 7), (True, 8), (False, 8)]
    assert len(splits["val"].photos) == 3


def test_pairs_without_a_header_come_in_folds_of_six_hundred(tmp_path: Path) -> None:
    base = tmp_path / "lfw"
    lines = []
    for fold in range(1, 9):
        (base / f"P{fold}").mkdir(parents=True)
        for number in (1, 2):
            (base / f"P{fold}" / f"P{fold}_{number:04d}.jpg").write_bytes(b"x")
        lines += [f"P{fold}\t1\t2"] * 300 + [f"P{fold}\t1\tP{fold}\t2"] * 300
    (base / "pairs_folds1-8.txt").write_text("\n".join(lines))
    assert lfw.load(tmp_path, "val").people == ("P6",)
    assert len(lfw.load(base, "test").pairs) == 1200


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="pairs"):
        lfw.load(tmp_path, "val")
    root = make(tmp_path / "data")
    with pytest.raises(OptionError, match="valid: train, val, test"):
        lfw.load(root, "dev")
    (root / "lfw" / "Fold_7_One" / "Fold_7_One_0002.jpg").unlink()
    with pytest.raises(DataError, match="Fold_7_One_0002.jpg"):
        lfw.load(root, "test")
    (root / "pairs.txt").write_text("10\t1\nSomebody one two\n")
    with pytest.raises(DataError, match="Somebody one two"):
        lfw.load(root, "val")
    make(tmp_path / "short", folds=6)
    with pytest.raises(DataError, match="6 folds"):
        lfw.load(tmp_path / "short", "test")


def test_the_hash_follows_the_bytes(tmp_path: Path) -> None:
    root = make(tmp_path)
    before = lfw.load(root, "train").sha256()
    (root / "lfw" / "Nobody_Else" / "Nobody_Else_0001.jpg").write_bytes(b"other")
    assert lfw.load(root, "train").sha256() != before
