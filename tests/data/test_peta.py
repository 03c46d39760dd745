"""PETA and Market-1501's attributes: what their labels become, whom the splits keep together."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.errors import DataError, EmptyFolder, OptionError, UnknownLayout
from handlens_data.datasets import market_attributes, peta
from handlens_data.datasets.attributes import HEADS, MISSING


def named(labels: tuple[int, ...]) -> dict[str, str | None]:
    """Labels in words; None where missing."""
    pairs = zip(HEADS.items(), labels, strict=True)
    return {head: None if label == MISSING else classes[label] for (head, classes), label in pairs}


def of(*attributes: str) -> dict[str, str | None]:
    return named(peta.labels_of(attributes))


def test_a_whole_person_becomes_six_labels() -> None:
    line = (
        "upperBodyBlue lowerBodyGrey hairBlack footwearWhite lowerBodyCasual lowerBodyJeans personalLess30 "
        "personalFemale upperBodyCasual upperBodyShortSleeve upperBodyTshirt carryingBackpack accessoryNothing"
    )
    assert of(*line.split()) == {
        "gender": "female",
        "torso_type": "short sleeve",
        "torso_colour": "blue",
        "leg_type": "trousers",
        "leg_colour": "grey",
        "luggage": "backpack",
    }


@pytest.mark.parametrize(
    ("attributes", "head", "label"),
    [
        ("personalMale personalFemale", "gender", None),
        ("upperBodyNoSleeve", "torso_type", None),
        ("upperBodyLongSleeve upperBodyNoSleeve", "torso_type", None),
        ("upperBodyBlack upperBodyRed", "torso_colour", None),
        ("lowerBodyJeans lowerBodySuits", "leg_type", "trousers"),
        ("lowerBodyHotPants", "leg_type", "shorts"),
        ("lowerBodyCapri", "leg_type", None),
        ("lowerBodyCapri lowerBodyShorts", "leg_type", None),
        ("lowerBodyLongSkirt", "leg_type", "skirt"),
        ("lowerBodyTrousers lowerBodyShortSkirt", "leg_type", None),
        ("carryingNothing", "luggage", "none"),
        ("carryingOther", "luggage", None),
        ("carryingFolder carryingUmbrella", "luggage", None),
        ("carryingOther carryingBackpack", "luggage", "backpack"),
        ("carryingPlasticBags carryingMessengerBag", "luggage", "bag"),
        ("carryingBackpack carryingMessengerBag", "luggage", None),
        ("carryingNothing carryingBackpack", "luggage", None),
        ("carryingSuitcase carryingLuggageCase", "luggage", "case"),
        ("carryingShoppingTro", "luggage", "case"),
        ("hairLong footwearRed", "leg_colour", None),
    ],
)
def test_what_is_double_or_no_class_is_missing(attributes: str, head: str, label: str | None) -> None:
    assert of(*attributes.split())[head] == label


@settings(deadline=None)
@given(st.lists(st.sampled_from([*(name for table in peta._CLASSES.values() for name in table), "hairBald", "x"])))
def test_order_and_repetition_of_attributes_say_nothing(attributes: list[str]) -> None:
    labels = peta.labels_of(attributes)
    assert labels == peta.labels_of(reversed(attributes)) == peta.labels_of(attributes * 2)
    assert all(MISSING <= label < len(classes) for label, classes in zip(labels, HEADS.values(), strict=True))


def picture(seed: int) -> np.ndarray:
    """Noise of large patches, 32x16: pictures of two seeds do not look alike."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(patches, (16, 32), interpolation=cv2.INTER_NEAREST)


def write(folder: Path, lines: list[str], files: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "Label.txt").write_text("\n".join(lines) + "\n")
    for number, name in enumerate(files):
        assert cv2.imwrite(str(folder / name), picture(number + 1000 * len(lines)))


def write_set(root: Path, archive: str = "") -> Path:
    """VIPeR with 40 people of two images each, and CUHK with 60 numbers under names in .png."""
    people = [f"{i:03}" for i in range(40)]
    genders = ("personalMale", "personalFemale")
    write(
        root / "VIPeR" / archive,
        [f"{name} {genders[int(name) % 2]} upperBodyRed" for name in people],
        [f"{name}_{angle}_1.bmp" for name in people for angle in (0, 90)],
    )
    numbers = [f"{i:04}" for i in range(60)]
    write(root / "CUHK" / archive, [f"{name}.png lowerBodyBlue" for name in numbers], [f"{n}.jpg" for n in numbers])
    return root


@pytest.mark.parametrize(("inside", "archive"), [("", ""), ("peta", ""), ("PETA dataset", "archive")])
def test_each_layout_is_read_and_splits_alike(tmp_path: Path, inside: str, archive: str) -> None:
    write_set(tmp_path / "plain")
    write_set(tmp_path / "given" / inside, archive)
    plain, found = peta.load(tmp_path / "plain"), peta.load(tmp_path / "given")
    for name in ("train", "val", "test"):
        ours, theirs = plain.split(name), found.split(name)
        assert [(s.path.name, s.group, s.labels) for s in ours.samples] == [
            (s.path.name, s.group, s.labels) for s in theirs.samples
        ]
        assert ours.sha256() == theirs.sha256()
    assert len(found.train) + len(found.val) + len(found.test) == 140 and found.skipped == ()


def test_no_group_of_people_is_on_two_sides(tmp_path: Path) -> None:
    found = peta.load(write_set(tmp_path))
    sides = [set(split.groups) for split in (found.train, found.val, found.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40 + 3  # CUHK: 20 numbers a group
    for split in (found.train, found.val, found.test):
        for sample in split.samples:
            assert named(sample.labels)["torso_colour"] == (None if "CUHK" in sample.group else "red")
            assert named(sample.labels)["leg_colour"] == ("blue" if "CUHK" in sample.group else None)


def test_neighbours_of_one_camera_stay_together_and_repeats_train() -> None:
    assert peta.group_of("CUHK", "0040") == peta.group_of("CUHK", "0059") != peta.group_of("CUHK", "0060")
    assert peta.group_of("MIT", "00001") == "MIT/0-19" and peta.group_of("PRID", "0001") == "PRID/0001"
    for first, last in peta.REPEATED:
        assert peta.split_of(peta.group_of("CUHK", str(first))) == "train"
        assert peta.group_of("CUHK", str(first)) == peta.group_of("CUHK", str(last))
        assert peta.group_of("MIT", str(first)) != peta.group_of("MIT", str(last))


def test_the_split_is_the_hash_of_the_group() -> None:
    import hashlib

    places = {"test": (0, 1), "val": (2,), "train": range(3, 10)}
    for number in range(50):
        group = f"VIPeR/{number:03}"
        place = int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10
        assert place in places[peta.split_of(group)]


def test_a_copy_of_a_held_out_picture_does_not_train(tmp_path: Path) -> None:
    found = peta.load(write_set(tmp_path))
    copied = cv2.imread(str(found.test.paths[0]))
    cv2.imwrite(str(found.train.paths[0]), copied)
    cv2.imwrite(str(found.val.paths[0]), copied)
    kept = peta.unseen(found)
    assert kept.train.samples == found.train.samples[1:] and kept.val.samples == found.val.samples[1:]
    assert kept.test == found.test


def test_images_without_a_line_are_skipped_and_named(tmp_path: Path) -> None:
    root = write_set(tmp_path)
    cv2.imwrite(str(root / "VIPeR" / "777_0_1.bmp"), picture(1))
    assert peta.load(root).skipped == ("VIPeR/777_0_1.bmp",)


def test_counts_name_every_class_and_what_is_missing(tmp_path: Path) -> None:
    found = peta.load(write_set(tmp_path))
    counts = found.train.counts()
    assert set(counts) == set(HEADS) and list(counts["luggage"]) == [*HEADS["luggage"], "missing"]
    for head in HEADS:
        assert sum(counts[head].values()) == len(found.train)
    assert counts["luggage"]["missing"] == len(found.train)


def test_what_is_no_peta_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="Label.txt"):
        peta.load(tmp_path)
    write(tmp_path / "a" / "VIPeR", ["000 personalMale"], ["001_0.bmp"])
    with pytest.raises(EmptyFolder, match="begins with an identity"):
        peta.load(tmp_path / "a")
    write(tmp_path / "b" / "VIPeR", ["000 personalMale"], ["000_0.bmp"])
    few = peta.load(tmp_path / "b")
    assert len(few.split(peta.split_of("VIPeR/000"))) == 1
    with pytest.raises(DataError, match="too little for a (val|test) split: a fifth of the people"):
        few.split(next(name for name in ("val", "test") if name != peta.split_of("VIPeR/000")))
    with pytest.raises(OptionError, match="valid: train, val, test"):
        few.split("dev")
    (tmp_path / "b" / "VIPeR" / "Label.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no Label.txt"):
        peta.load(tmp_path / "b")


COLOURS = {
    "up": ("black", "white", "red", "purple", "yellow", "gray", "blue", "green"),
    "down": ("black", "white", "pink", "purple", "yellow", "gray", "blue", "green", "brown"),
}


def market(**changes: int) -> dict[str, int]:
    """One identity's values: 1 but for the changes."""
    names = ["age", "backpack", "bag", "handbag", "clothes", "down", "up", "hair", "hat", "gender"]
    return dict.fromkeys(names + [part + colour for part in COLOURS for colour in COLOURS[part]], 1) | changes


@pytest.mark.parametrize(
    ("changes", "head", "label"),
    [
        ({}, "gender", "male"),
        ({"gender": 2}, "gender", "female"),
        ({"up": 2}, "torso_type", "short sleeve"),
        ({"clothes": 1}, "leg_type", "skirt"),
        ({"clothes": 2}, "leg_type", "trousers"),
        ({"clothes": 2, "down": 2}, "leg_type", "shorts"),
        ({}, "torso_colour", None),
        ({"upgray": 2}, "torso_colour", "grey"),
        ({"upgray": 2, "upred": 2}, "torso_colour", None),
        ({"downbrown": 2}, "leg_colour", "brown"),
        ({"downbrown": 2}, "torso_colour", None),
        ({}, "luggage", "none"),
        ({"bag": 2, "handbag": 2}, "luggage", "bag"),
        ({"backpack": 2}, "luggage", "backpack"),
        ({"backpack": 2, "handbag": 2}, "luggage", None),
    ],
)
def test_markets_values_become_the_same_heads(changes: dict[str, int], head: str, label: str | None) -> None:
    assert named(market_attributes.labels_of(market(**changes)))[head] == label


def write_market(root: Path, names: list[str]) -> Path:
    """Market-1501 with an image a name, and attributes of identities 2 and 7."""
    scipy = pytest.importorskip("scipy.io")
    for part in ("train", "probe", "gallery"):
        (root / "market1501" / part).mkdir(parents=True)
    for part, name in zip(("train", "train", "probe", "gallery"), names, strict=True):
        cv2.imwrite(str(root / "market1501" / part / name), picture(len(name)))
    rows = {"train": [(2, market(upred=2))], "test": [(7, market(gender=2))]}
    parts = {
        part: {key: np.array([values[key] for _, values in given], np.uint8) for key in given[0][1]}
        | {"image_index": np.array([f"{identity:04}" for identity, _ in given], dtype=object)}
        for part, given in rows.items()
    }
    scipy.savemat(root / "market1501" / "market_attribute.mat", {"market_attribute": parts})
    return root


def test_market_attributes_go_to_every_image_of_their_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["0002_c1s1_000001_00.jpg", "0009_c1s1_000002_00.jpg", "0007_c2s1_000003_00.jpg", "0007_c3s1_000004_00.jpg"]
    monkeypatch.setattr(market_attributes.market1501, "load", lambda root: _split_free(root))
    found = market_attributes.load(write_market(tmp_path, names))
    assert market_attributes.found(tmp_path) and not market_attributes.found(tmp_path / "no" / "where")
    assert [sample.group for sample in found.samples] == ["0002", "0007", "0007"]  # 9 has no attributes
    assert named(found.samples[0].labels)["torso_colour"] == "red"
    assert [named(sample.labels)["gender"] for sample in found.samples] == ["male", "female", "female"]


def _split_free(root: Path) -> object:
    """Market-1501 without the split for validation, for which four images are too few."""
    from handlens_data.datasets.identity import IdentitySplit
    from handlens_data.datasets.market1501 import Market1501, read_folder

    base = root / "market1501"
    parts = {part: IdentitySplit(part, read_folder(base / part)) for part in ("train", "probe", "gallery")}
    return Market1501(root=base, protocol="probe-gallery", val=None, **parts)


def test_a_file_that_is_not_markets_is_refused(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    file = tmp_path / "market_attribute.mat"
    for write_it in (lambda: file.write_bytes(b"no matlab"), lambda: scipy.savemat(file, {"other": 1})):
        write_it()
        with pytest.raises(DataError, match="no market_attribute.mat"):
            market_attributes.read_labels(file)
    with pytest.raises(DataError, match="holds no market_attribute.mat"):
        market_attributes.load(tmp_path / "no" / "where")
