"""Calibration sets are drawn from training images, can be made again, and never from what is tested."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from handlens.errors import DataError, SplitLeak
from handlens_data.calibration import CalibrationSet, pick
from handlens_data.datasets import market1501


def _pick(data: market1501.Market1501, count: int = 20, seed: int = 0) -> CalibrationSet:
    tested = (data.val, data.probe, data.gallery)
    return pick(data.train, count, seed, (128, 64), market1501.NAME, market1501.LICENCE, tested)


def test_a_draw_spreads_over_identities_and_repeats_with_its_seed(market: Path) -> None:
    data = market1501.load(market)
    first, again, other = _pick(data), _pick(data), _pick(data, seed=1)
    assert len({name[:4] for name in first.files}) == 20  # one image of each identity before a second of any
    assert first.sha256 == again.sha256 != other.sha256
    assert first.images.shape == (20, 128, 64, 3)


def test_a_saved_set_comes_back_whole(market: Path, tmp_path: Path) -> None:
    first = _pick(market1501.load(market))
    first.save(tmp_path / "calib.npz")
    again = CalibrationSet.load(tmp_path / "calib.npz")
    assert np.array_equal(first.images, again.images)
    assert (again.files, again.files_sha256) == (first.files, first.files_sha256)
    assert again.split_sha256 == first.split_sha256


def test_an_image_that_is_also_tested_is_refused(market: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(market, tmp_path / "market1501")
    leaked = sorted((copy / "probe").iterdir())[0]
    for path in market1501.load(copy).train.paths:
        shutil.copy(leaked, path)
    with pytest.raises(SplitLeak, match=leaked.name):
        _pick(market1501.load(copy))


def test_a_damaged_set_is_refused(market: Path, tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    _pick(market1501.load(market)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="no calibration set"):
        CalibrationSet.load(path)


def test_more_than_the_split_holds_is_refused(market: Path) -> None:
    with pytest.raises(DataError, match="121"):
        _pick(market1501.load(market), count=121)
