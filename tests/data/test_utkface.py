"""UTKFace in its layouts: labels from names, splits by hash, copies kept out of training."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlens.errors import DataError, EmptyFolder, OptionError, UnknownLayout
from handlens_data.datasets import utkface


def picture(seed: int) -> np.ndarray:
    """Noise of large patches, 32x32: pictures of two seeds do not look alike."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(patches, (32, 32), interpolation=cv2.INTER_NEAREST)


def write(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), picture(seed))
    return folder


def names(count: int, ending: str = ".jpg") -> list[str]:
    return [f"{20 + i}_{i % 2}_{i % 5}_2017011{i:07}{ending}" for i in range(count)]


@pytest.fixture(autouse=True)
def small_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utkface, "TEST", 4)
    monkeypatch.setattr(utkface, "VAL", 2)


def stems(split: utkface.FaceSplit) -> list[str]:
    return [path.name.partition(".")[0] for path in split.paths]


def test_the_first_by_the_hash_of_the_name_are_the_test(tmp_path: Path) -> None:
    given_names = names(10)
    found = utkface.load(write(tmp_path, given_names))
    expected = sorted(given_names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert [path.name for path in found.test.paths] == expected[:4]
    assert [path.name for path in found.val.paths] == expected[4:6]
    assert [path.name for path in found.train.paths] == expected[6:]
    face = found.test.faces[0]
    number = int(face.path.name[:2]) - 20
    assert (face.age, face.gender, face.race) == (20 + number, number % 2, number % 5)
    assert found.test.genders[0] == number % 2 and found.test.ages[0] == 20 + number


@pytest.mark.parametrize("inside", ["", "utkface", "UTKFace"])
def test_public_names_split_like_ours(tmp_path: Path, inside: str) -> None:
    ours = utkface.load(write(tmp_path / "ours", names(10)))
    public = write(tmp_path / "public" / inside, names(10, ".jpg.chip.jpg"))
    found = utkface.load(tmp_path / "public")
    assert found.root == public
    for name in ("train", "val", "test"):
        assert stems(found.split(name)) == stems(ours.split(name))


def test_three_parts_are_one_set(tmp_path: Path) -> None:
    whole = utkface.load(write(tmp_path / "whole", names(9)))
    for part, chosen in (("part1", names(9)[:3]), ("part2", names(9)[3:5]), ("part3", names(9)[5:])):
        write(tmp_path / "UTKFace" / part, chosen)
    found = utkface.load(tmp_path)
    assert stems(found.test) == stems(whole.test) and stems(found.train) == stems(whole.train)


def test_a_larger_copy_never_tests_on_what_a_smaller_one_trained_on(tmp_path: Path) -> None:
    everything = names(30)
    smaller = utkface.load(write(tmp_path / "smaller", everything[::2]))
    larger = utkface.load(write(tmp_path / "larger", everything))
    assert not set(stems(smaller.train)) & set(stems(larger.test))


@pytest.mark.parametrize(
    "name",
    ["39_1_20170116174525125.jpg", "53__0_20170116184028385.jpg", "44_3_2_2017.jpg", "20_0_7_2017.jpg", "me.jpg"],
)
def test_a_name_without_labels_is_skipped_and_counted(tmp_path: Path, name: str) -> None:
    write(tmp_path, [*names(7), name])
    found = utkface.load(tmp_path)
    assert found.skipped == (name,)
    assert len(found.train) + len(found.val) + len(found.test) == 7


@given(st.integers(0, 116), st.integers(0, 1), st.integers(0, 4), st.integers(1, 10**17))
def test_a_name_gives_its_labels_back(age: int, gender: int, race: int, date: int) -> None:
    for ending in (".jpg", ".jpg.chip.jpg", ".png"):
        assert utkface.parse(f"{age}_{gender}_{race}_{date}{ending}") == (age, gender, race)


@given(st.text(max_size=40))
def test_any_name_is_read_or_refused(name: str) -> None:
    labels = utkface.parse(name)
    assert labels is None or (0 <= labels[0] <= 116 and labels[1] in (0, 1) and labels[2] in range(5))


def test_a_copy_under_another_name_does_not_train(tmp_path: Path) -> None:
    found = utkface.load(write(tmp_path, names(12)))
    original, training = found.test.paths[0], found.train.paths[0]
    duller = cv2.imread(str(original)) * 0.7 + 20
    cv2.imwrite(str(training), cv2.resize(duller.astype(np.uint8), (48, 48)))
    kept = utkface.unseen(utkface.load(tmp_path))
    assert stems(kept.train) == stems(found.train)[1:]
    assert stems(kept.val) == stems(found.val) and stems(kept.test) == stems(found.test)


def test_what_is_held_out_of_validation_is_what_the_test_holds(tmp_path: Path) -> None:
    found = utkface.load(write(tmp_path, names(12)))
    found.val.paths[1].write_bytes(found.test.paths[3].read_bytes())
    kept = utkface.unseen(utkface.load(tmp_path))
    assert stems(kept.val) == stems(found.val)[:1] and len(kept.train) == len(found.train)


def test_the_hash_follows_names_order_and_bytes(tmp_path: Path) -> None:
    first, again = (utkface.load(write(tmp_path / folder, names(8))) for folder in "ab")
    assert first.train.sha256() == again.train.sha256() != first.test.sha256()
    again.train.paths[0].write_bytes(again.val.paths[0].read_bytes())
    assert first.train.sha256() != again.train.sha256()


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-3"), (3, "0-3"), (4, "4-12"), (19, "13-19"), (59, "40-59"), (60, "60+"), (116, "60+")]
)
def test_ages_have_bands(age: int, band: str) -> None:
    assert utkface.age_band(age) == band


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="utkface/ or UTKFace/"):
        utkface.load(tmp_path)
    write(tmp_path, ["me.jpg", "you.png"])
    with pytest.raises(EmptyFolder, match="2 images and no name like AGE_GENDER_RACE_DATE"):
        utkface.load(tmp_path)
    few = utkface.load(write(tmp_path, names(5)))
    with pytest.raises(DataError, match="too little for a train split"):
        few.split("train")
    with pytest.raises(OptionError, match="valid: train, val, test"):
        few.split("dev")
