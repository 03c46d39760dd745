"""Clothing Co-Parsing and Penn-Fudan in their layouts: labels grouped, splits by name, copies kept out of training."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from handlens.errors import DataError, EmptyFolder, ImageError, OptionError, UnknownLayout
from handlens_data.datasets import ccp, pennfudan


def picture(seed: int) -> np.ndarray:
    """Noise of large patches, 36x24: pictures of two seeds do not look alike."""
    patches = np.random.default_rng(seed).integers(0, 256, (9, 6, 3), dtype=np.uint8)
    return cv2.resize(patches, (24, 36), interpolation=cv2.INTER_NEAREST)


def labels(seed: int) -> np.ndarray:
    """Hair over a dress over boots, 36x24, the rest background."""
    mask = np.zeros((36, 24), np.uint8)
    mask[4:8, 8:16], mask[8:24, 6:18], mask[24 + seed % 3 : 30, 8:16] = 19, 14, 7
    return mask


def write(base: Path, count: int, *, public: bool = False) -> Path:
    (base / "photos").mkdir(parents=True)
    masks = base / ("annotations/pixel-level" if public else "masks")
    masks.mkdir(parents=True)
    for i in range(1, count + 1):
        cv2.imwrite(str(base / "photos" / f"{i:04}.jpg"), picture(i))
        if public:
            savemat(str(masks / f"{i:04}.mat"), {"groundtruth": labels(i)})
        else:
            cv2.imwrite(str(masks / f"{i:04}.png"), labels(i))
    return base


def names(base: Path, split: str) -> list[str]:
    return [path.name for path in ccp.load(base, split).paths]


@pytest.mark.parametrize(("inside", "public"), [("", False), ("ccp", False), ("clothing-co-parsing", True)])
def test_the_split_follows_from_the_name_in_every_layout(tmp_path: Path, inside: str, public: bool) -> None:
    write(tmp_path / inside, 40, public=public)
    found = {split: names(tmp_path, split) for split in ("train", "val", "test")}
    for split, files in found.items():
        for name in files:
            digit = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10
            assert split == ("test" if digit < 2 else "val" if digit == 2 else "train")
    assert sum(map(len, found.values())) == 40 and all(found.values())
    groups = ccp.load(tmp_path, "train").groups(0)
    assert groups.shape == (36, 24) and groups.dtype == np.uint8
    assert [ccp.NAMES[value] for value in groups[[0, 5, 12, 29], 12]] == [
        "background",
        "hair",
        "skirt or dress",
        "footwear",
    ]


def test_every_label_is_in_one_group() -> None:
    members = [label for group in ccp.GROUPS.values() for label in group]
    assert sorted(members) == sorted(ccp.LABELS) and len(set(members)) == len(members) == 59
    assert ccp.NAMES[0] == "background" and ccp.GROUPS["background"] == ("null",)


def test_the_order_of_labels_is_that_of_the_file(tmp_path: Path) -> None:
    base = write(tmp_path, 12)
    (base / "labels.txt").write_text("null\nskin\nhair\n")
    train = ccp.load(base, "train")
    mask = np.array([[0, 1, 2]], np.uint8)
    cv2.imwrite(str(train.photos[0].mask), mask)
    assert train.groups(0).tolist() == [[0, ccp.NAMES.index("skin"), ccp.NAMES.index("hair")]]
    with pytest.raises(ImageError, match="holds the value 19; valid: 0 to 2"):
        train.groups(1)
    (base / "labels.txt").write_text("null\ncloak\n")
    with pytest.raises(DataError, match="cloak"):
        ccp.load(base, "train")


def test_photographs_without_a_mask_are_left_out(tmp_path: Path) -> None:
    base = write(tmp_path, 20)
    gone = ccp.load(base, "train").photos[0]
    gone.mask.unlink()
    assert gone.path.name not in names(base, "train")
    for path in (base / "masks").iterdir():
        path.unlink()
    with pytest.raises(EmptyFolder, match="0001"):
        ccp.load(base, "train")


def test_a_photograph_whose_mask_is_known_to_be_empty_is_left_out(tmp_path: Path) -> None:
    base = write(tmp_path, 3)
    for folder, end in (("photos", "jpg"), ("masks", "png")):
        (base / folder / f"0001.{end}").rename(base / folder / f"0536.{end}")
    assert sum(len(ccp.load(base, split)) for split in ("train", "val", "test")) == 2


def test_training_loses_what_copies_a_held_out_photograph(tmp_path: Path) -> None:
    base = write(tmp_path, 30)
    train, test = ccp.load(base, "train"), ccp.load(base, "test")
    copied = train.paths[2]
    brighter = np.clip(cv2.imread(str(test.paths[0])).astype(int) + 20, 0, 255).astype(np.uint8)
    cv2.imwrite(str(copied), brighter)
    kept = ccp.unseen(train, test, ccp.load(base, "val"))
    assert set(train.paths) - set(kept.paths) == {copied} and kept.name == "train"
    assert len(ccp.unseen(train)) == len(train)


def test_the_hash_sees_masks_as_well(tmp_path: Path) -> None:
    base = write(tmp_path, 10)
    before = ccp.load(base, "train").sha256()
    assert ccp.load(base, "train").sha256() == before
    cv2.imwrite(str(ccp.load(base, "train").photos[0].mask), np.zeros((36, 24), np.uint8))
    assert ccp.load(base, "train").sha256() != before


def test_what_is_no_ccp_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="photos/ beside masks/"):
        ccp.load(tmp_path, "train")
    write(tmp_path, 3)
    with pytest.raises(OptionError, match="valid: train, val, test"):
        ccp.load(tmp_path, "dev")
    damaged = tmp_path / "masks" / "0001.png"
    damaged.write_bytes(b"no picture")
    with pytest.raises(ImageError, match="0001"):
        ccp.read_mask(damaged)
    broken = tmp_path / "0001.mat"
    savemat(str(broken), {"other": np.zeros((2, 2))})
    with pytest.raises(ImageError, match="groundtruth"):
        ccp.read_mask(broken)


@pytest.mark.parametrize(
    ("images", "masks", "end"), [("images", "masks", ""), ("PNGImages", "PedMasks", "_mask")], ids=["ours", "public"]
)
def test_penn_fudan_numbers_its_people(tmp_path: Path, images: str, masks: str, end: str) -> None:
    base = tmp_path / ("pennfudan" if not end else "PennFudanPed")
    for folder in (images, masks):
        (base / folder).mkdir(parents=True)
    people = np.zeros((30, 40), np.uint8)
    people[5:20, 5:10], people[8:25, 20:28] = 1, 2
    for i in (1, 2):
        cv2.imwrite(str(base / images / f"FudanPed0000{i}.png"), np.full((30, 40, 3), 90 * i, np.uint8))
    cv2.imwrite(str(base / masks / f"FudanPed00001{end}.png"), people)
    found = pennfudan.load(tmp_path)
    assert [scene.path.name for scene in found.scenes] == ["FudanPed00001.png"]
    np.testing.assert_array_equal(pennfudan.read_mask(found.scenes[0].mask), people)
    (base / masks / f"FudanPed00001{end}.png").unlink()
    with pytest.raises(EmptyFolder, match="FudanPed00001_mask"):
        pennfudan.load(tmp_path)
    with pytest.raises(UnknownLayout, match="PedMasks"):
        pennfudan.load(tmp_path / "elsewhere")
