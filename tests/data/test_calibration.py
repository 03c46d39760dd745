"""Calibration sets are drawn from training images, can be made again, and never from what is tested."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handlens.errors import DataError, SplitLeak
from handlens.image import load_image, prepare
from handlens.manifest import InputSpec
from handlens_data.calibration import CalibrationSet, Pool, pick
from handlens_data.calibration.pick import k_centre
from handlens_data.calibration.table import RangeTable, compare
from handlens_data.datasets import market1501

SPEC = InputSpec(name="image", height=64, width=32, channels=3, scale=(1 / 128,) * 3, offset=(-1.0,) * 3)


def pool_of(root: Path) -> Pool:
    data = market1501.load(root)
    assert data.train is not None and data.val is not None and data.probe is not None and data.gallery is not None
    return Pool(
        dataset=market1501.NAME,
        split="train",
        licence=market1501.LICENCE,
        sha256=data.train.sha256,
        paths=tuple(data.train.paths),
        groups=tuple(data.train.identities.tolist()),
        tested=(*data.val.paths, *data.probe.paths, *data.gallery.paths),
    )


def brightness(images: np.ndarray) -> np.ndarray:
    return images.mean(axis=(1, 2), dtype=np.float32)


def test_a_draw_spreads_over_identities_and_repeats_with_its_seed(market: Path) -> None:
    pool = pool_of(market)
    first, again, other = pick(pool, SPEC, 20, 0), pick(pool, SPEC, 20, 0), pick(pool, SPEC, 20, 1)
    assert len({name[:4] for name in first.files}) == 20  # one image of each identity before a second of any
    assert first.sha256 == again.sha256 != other.sha256 and first.by == "random"
    assert first.images.shape == (20, 64, 32, 3) and len(set(first.groups)) == 20


def test_diversity_takes_what_a_random_draw_misses(market: Path) -> None:
    pool = pool_of(market)
    random, diverse = pick(pool, SPEC, 8, 3), pick(pool, SPEC, 8, 3, brightness)
    assert diverse.by == "diversity" and len(set(diverse.files)) == 8
    spans = [float(np.ptp(brightness(each.images), axis=0).sum()) for each in (random, diverse)]
    assert spans[1] > spans[0]


def test_k_centre_leaves_nobody_far_away() -> None:
    random = np.random.default_rng(0)
    crowd, loners = random.normal(0, 0.1, (500, 2)), np.array([[9.0, 9.0], [-9.0, 3.0], [0.0, -9.0]])
    chosen = k_centre(np.concatenate([crowd, loners]), 4)
    assert len(set(chosen)) == 4 and {500, 501, 502} < set(chosen)
    same = k_centre(np.ones((5, 3)), 5)
    assert sorted(same) == [0, 1, 2, 3, 4], "equal rows are all there, once each"


def test_a_saved_set_comes_back_whole(market: Path, tmp_path: Path) -> None:
    first = pick(pool_of(market), SPEC, 20, 0)
    first.save(tmp_path / "calib.npz")
    again = CalibrationSet.load(tmp_path / "calib.npz")
    assert np.array_equal(first.images, again.images)
    assert (again.files, again.files_sha256, again.groups) == (first.files, first.files_sha256, first.groups)
    assert again.split_sha256 == first.split_sha256


def test_an_image_that_is_also_tested_is_refused(market: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(market, tmp_path / "market1501")
    leaked = sorted((copy / "probe").iterdir())[0]
    for path in pool_of(copy).paths:
        shutil.copy(leaked, path)
    with pytest.raises(SplitLeak, match=leaked.name):
        pick(pool_of(copy), SPEC, 20, 0)


def test_a_damaged_set_is_refused(market: Path, tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    pick(pool_of(market), SPEC, 20, 0).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="no calibration set"):
        CalibrationSet.load(path)


def test_images_with_nothing_to_prepare_are_passed_over(market: Path) -> None:
    def odd(path: Path, spec: InputSpec) -> np.ndarray | None:
        return None if int(path.name[:4]) % 2 else prepare(load_image(path), spec)

    pool = replace(pool_of(market), prepare=odd)
    for embed in (None, brightness):
        found = pick(pool, SPEC, 10, 0, embed)
        assert len(found.images) == len(set(found.files)) == 10
        assert not any(int(name[:4]) % 2 for name in found.files)
    shown = sum(not int(path.name[:4]) % 2 for path in pool.paths)
    with pytest.raises(DataError, match=f"only {shown} of the 120 images"):
        pick(pool, SPEC, shown + 1, 0)
    with pytest.raises(DataError, match="none of 120 images"):
        pick(replace(pool, prepare=lambda path, spec: None), SPEC, 1, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda images: images[:0], "holds no image"),
        (lambda images: images // 200, "over 255 already"),
        (lambda images: images // 32 + 100, "all its pixels lie between 100 and 107"),
    ],
)
def test_an_empty_set_and_one_of_another_range_are_refused(
    market: Path, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    whole = pick(pool_of(market), SPEC, 20, 0)
    images = change(whole.images)
    count = len(images)
    facts = {name: getattr(whole, name)[:count] for name in ("files", "files_sha256", "groups")}
    replace(whole, images=images, **facts).save(tmp_path / "wrong.npz")
    with pytest.raises(DataError, match=said) as caught:
        CalibrationSet.load(tmp_path / "wrong.npz")
    assert "wrong.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_tensors_are_no_set_and_it_says_what_to_do_with_them(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 8, 8, 3), np.float32))
    with pytest.raises(DataError, match="holds tensors.*calib lint.*calib pick"):
        CalibrationSet.load(tmp_path / "x.npy")


def test_more_than_the_split_holds_is_refused(market: Path) -> None:
    with pytest.raises(DataError, match="121"):
        pick(pool_of(market), SPEC, 121, 0)


TABLE = RangeTable(
    model="net-int8",
    dataset="drawn",
    split="train",
    count=40,
    seed=5,
    images_sha256="0" * 64,
    ranges={"stem": (0.0, 6.0), "head": (-2.0, 2.0)},
)


def test_a_table_comes_back_and_two_are_compared(tmp_path: Path) -> None:
    TABLE.save(tmp_path / "a.json")
    assert RangeTable.load(tmp_path / "a.json") == TABLE
    moved = replace(TABLE, ranges={"stem": (0.0, 6.0), "head": (-2.0, 4.0)})
    assert [(change.name, change.growth) for change in compare(TABLE, moved)] == [("head", 0.5), ("stem", 0.0)]
    with pytest.raises(DataError, match="two networks: 1 tensors are in one alone, such as head"):
        compare(TABLE, replace(TABLE, ranges={"stem": (0.0, 6.0)}))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": 2}', '{"schema": 1, "ranges": {}}', '{"schema": 1, "ranges": {"a": [2, 1]}}']
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match="no table of ranges"):
        RangeTable.load(tmp_path / "t.json")
