"""Market-1501's two layouts become splits that share no identity."""

from pathlib import Path

import pytest

from handlens.errors import DataError, EmptyFolder, UnknownLayout
from handlens_data.datasets import market1501
from handlens_data.datasets.identity import hold_out


def test_validation_identities_never_train(market: Path) -> None:
    data = market1501.load(market)
    train, val = set(data.train.identities.tolist()), set(data.val.identities.tolist())
    assert len(train) == 20 and len(val) == 50 and not train & val
    assert not (train | val) & set(data.probe.identities.tolist())


def test_the_same_seed_splits_alike_and_another_does_not(market: Path) -> None:
    first, again = market1501.load(market), market1501.load(market.parent)
    other = market1501.load(market, val_seed=1)
    assert first.val.sha256() == again.val.sha256() != other.val.sha256()


def test_the_public_layout_is_read_too(market: Path, tmp_path: Path) -> None:
    for name, public in {"train": "bounding_box_train", "probe": "query", "gallery": "bounding_box_test"}.items():
        (tmp_path / public).symlink_to(market / name)
    data = market1501.load(tmp_path)
    assert data.protocol == "market1501-full"
    assert data.train.sha256() == market1501.load(market).train.sha256()


def test_file_names_carry_identity_and_camera(tmp_path: Path) -> None:
    for name in ("-1_c3s2_000001_00.jpg", "0000_c6s1_000001_00.jpg", "1501_c2s1_000001_00.jpg", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    samples = market1501.read_folder(tmp_path)
    assert [(s.identity, s.camera) for s in samples] == [(-1, 3), (0, 6), (1501, 2)]


def test_a_name_without_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="holiday.jpg"):
        market1501.read_folder(tmp_path)


def test_unknown_layouts_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="probe/"):
        market1501.load(tmp_path)
    (tmp_path / "probe").mkdir()
    (tmp_path / "gallery").mkdir()
    with pytest.raises(EmptyFolder, match="probe"):
        market1501.load(tmp_path)


def test_holding_out_more_than_there_is_says_how_many_there_are(market: Path) -> None:
    samples = market1501.read_folder(market / "train")
    with pytest.raises(DataError, match="only 70"):
        hold_out(samples, 69, 0)
