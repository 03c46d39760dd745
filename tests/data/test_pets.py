"""Oxford-IIIT Pet in both layouts: breeds from names, splits by hash, trimaps, and nothing held out that trains."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlens.errors import DataError, EmptyFolder, ImageError, OptionError, UnknownLayout
from handlens_data.datasets import pets


def picture(seed: int) -> np.ndarray:
    """Noise of large patches, 24x32: pictures of two seeds do not look alike."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(patches, (32, 24), interpolation=cv2.INTER_NEAREST)


def trimap() -> np.ndarray:
    """Background, a border, and the pet in the middle: uint8 24x32."""
    mask = np.full((24, 32), 2, np.uint8)
    mask[4:20, 6:26] = 3
    mask[8:16, 10:22] = 1
    return mask


def write(folder: Path, names: list[str], *, masks: Path | None = None, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), picture(seed + index))
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(masks / f"{Path(name).stem}.png"), trimap())


def named(count: int, breed: str = "Abyssinian", first: int = 0) -> list[str]:
    return [f"{breed}_{first + index}.jpg" for index in range(count)]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """60 training images, 8 tested, 40 masked ones; three of the masked are in train, two in test under their name."""
    base = tmp_path / "pets"
    masked = named(40, "american_bulldog", 500)
    write(base / "train", [*named(60), *masked[:3]])
    write(base / "test", [*named(8, "pug"), *masked[3:5]], seed=200)
    write(base / "masked_dev", masked, masks=base / "masked_dev", seed=400)
    return tmp_path


def stems(split: pets.PetSplit) -> set[str]:
    return {path.stem for path in split.paths}


def test_masked_images_that_are_held_out_train_in_no_form(small: Path) -> None:
    found = pets.load(small)
    splits = {name: stems(found.split(name)) for name in pets.SPLITS}
    held = splits["masked-test"] | splits["masked-val"]
    assert not splits["train"] & (held | splits["val"] | splits["test"]) and not splits["val"] & held
    assert splits["masked-test"] & splits["test"] == {"american_bulldog_503", "american_bulldog_504"}
    assert sum(len(found.split(name).masked) for name in ("train", "masked-val", "masked-test")) == 40
    assert len(found.split("train").masked) > 15 and not found.split("val").masked
    assert len(splits["train"] | splits["val"] | held) == 100  # each picture once, whatever folder it is in


def test_names_alone_deal_the_splits(small: Path) -> None:
    found = pets.load(small)
    for pet in found.split("val").pets:
        assert pets.digit(pet.path.name) == 2
    for pet in found.split("masked-test").pets:
        assert pets.digit(pet.path.name) <= 2 or (small / "pets/test" / pet.path.name).exists()
    assert {pets.digit(path.name) for path in found.split("masked-val").paths} == {3}
    assert pets.digit("pug_1.png") == pets.digit("pug_1.jpg")
    again = pets.load(small / "pets")
    assert [again.split(name).sha256() for name in pets.SPLITS] == [found.split(name).sha256() for name in pets.SPLITS]


def public(root: Path, masks: bool = True) -> Path:
    base = root / "oxford-iiit-pet"
    train, test = named(30), named(6, "Sphynx")
    write(base / "images", [*train, *test, "Abyssinian_999.jpg"], masks=base / "annotations/trimaps" if masks else None)
    (base / "annotations").mkdir(exist_ok=True)
    for name, files in (("trainval", train), ("test", test)):
        rows = [f"{Path(file).stem} 1 1 1" for file in files]
        (base / "annotations" / f"{name}.txt").write_text("\n".join(["#Image CLASS-ID SPECIES BREED ID", *rows, ""]))
    return root


def test_the_public_layout_has_masks_for_all_and_its_own_test(tmp_path: Path) -> None:
    found = pets.load(public(tmp_path))
    counts = {name: (len(found.split(name)), len(found.split(name).masked)) for name in pets.SPLITS}
    assert counts["test"] == counts["masked-test"] == (6, 6) and counts["val"] == counts["masked-val"]
    assert counts["train"][0] == counts["train"][1] and counts["train"][0] + counts["val"][0] == 30
    assert set(found.split("test").breeds) == {pets.BREEDS.index("Sphynx")}


def test_a_set_without_masks_still_loads(tmp_path: Path) -> None:
    found = pets.load(public(tmp_path, masks=False))
    assert not found.split("train").masked and not found.split("masked-test") and len(found.split("test")) == 6


def test_a_list_that_names_a_missing_image_is_said(tmp_path: Path) -> None:
    base = public(tmp_path) / "oxford-iiit-pet"
    (base / "images/Sphynx_3.jpg").unlink()
    with pytest.raises(DataError, match=r"test\.txt names Sphynx_3\.jpg"):
        pets.load(tmp_path)
    (base / "annotations/test.txt").unlink()
    with pytest.raises(DataError, match=r"test\.txt is missing"):
        pets.load(tmp_path)


def test_copies_of_held_out_pictures_leave_training(small: Path) -> None:
    found = pets.load(small)
    copied, kept = found.split("train").masked.pets[0], found.split("train").pets[0]
    cv2.imwrite(str(copied.path), cv2.imread(str(found.split("test").pets[0].path)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    clean = pets.unseen(found)
    assert copied not in clean.split("train").pets and kept in clean.split("train").pets
    assert len(clean.split("train")) == len(found.split("train")) - 1 and clean.split("test") == found.split("test")


def test_other_files_are_skipped_and_said(small: Path) -> None:
    write(small / "pets/train", ["hamster_1.jpg", "Abyssinian.jpg"])
    assert pets.load(small).skipped == ("Abyssinian.jpg", "hamster_1.jpg")
    with pytest.raises(OptionError, match="valid: train, val, test, masked-val"):
        pets.load(small).split("dev")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match=r"trainval\.txt"):
        pets.load(tmp_path)
    write(tmp_path / "train", ["hamster_1.jpg"])
    write(tmp_path / "test", named(2))
    with pytest.raises(EmptyFolder, match="Abyssinian_12"):
        pets.load(tmp_path)


def test_a_trimap_becomes_pet_background_and_nobody_knows(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), trimap())
    mask = pets.read_mask(tmp_path / "a.png")
    assert (mask[0, 0], mask[5, 7], mask[12, 16]) == (pets.BACKGROUND, pets.IGNORED, pets.FOREGROUND)
    assert (mask == pets.FOREGROUND).sum() == 96
    cv2.imwrite(str(tmp_path / "b.png"), np.full((4, 4), 38, np.uint8))
    with pytest.raises(ImageError, match=r"\[38\]"):
        pets.read_mask(tmp_path / "b.png")
    with pytest.raises(ImageError, match="no trimap"):
        pets.read_mask(tmp_path / "c.png")


@given(st.sampled_from(pets.BREEDS), st.integers(1, 300), st.sampled_from(["jpg", "png", "JPG"]))
def test_every_breed_is_read_from_its_names(breed: str, number: int, suffix: str) -> None:
    assert pets.breed_of(f"{breed}_{number}.{suffix}") == pets.BREEDS.index(breed)
    assert pets.breed_of(f"{breed.upper()}_{number}.{suffix}") == pets.BREEDS.index(breed)
    assert pets.breed_of(f"{breed}.{suffix}") is None and pets.breed_of(f"not_{breed}_{number}.{suffix}") is None


def test_the_breeds_are_those_of_the_set() -> None:
    assert len(pets.BREEDS) == 37 == len(set(pets.BREEDS))
    assert sum(breed[0].isupper() for breed in pets.BREEDS) == 12  # cats
    assert list(pets.BREEDS) == sorted(pets.BREEDS, key=str.lower)
