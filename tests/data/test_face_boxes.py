"""Data sets of face boxes: boxes.csv folders, COCO JSON, WIDER FACE's layout. Images are drawn here."""

import hashlib
import json
import string
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlens.errors import DataError, OptionError, UnknownLayout
from handlens_data.datasets import coco, faces, wider
from handlens_data.datasets.boxes import UNKNOWN, Faces, overlaps


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 50, 3), 90, np.uint8))


def test_a_file_stays_in_its_split_whatever_else_is_there(tmp_path: Path):
    names = [f"{i:03}.jpg" for i in range(40)]
    folder = tmp_path / "faces_multi"
    for name in names:
        picture(folder / name)
    rows = "".join(f"{name},face,1,2,11,22\n" for name in names)
    (folder / "boxes.csv").write_text("file,kind,x1,y1,x2,y2\n" + rows)
    before = {split: {i.name for i in faces.load(tmp_path, "faces_multi", split).images} for split in faces.SPLITS}
    assert sorted(name for part in before.values() for name in part) == names
    assert all(before.values())
    picture(folder / "zzz.jpg")
    after = {split: {i.name for i in faces.load(tmp_path, "faces_multi", split).images} for split in faces.SPLITS}
    assert all(after[split] - before[split] <= {"zzz.jpg"} for split in before)


@given(st.text(string.printable, min_size=1, max_size=30))
def test_the_split_is_that_of_the_names_hash(name: str):
    last = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10
    assert faces.split_of(name) == {0: "test", 1: "test", 2: "val"}.get(last, "train")


def test_several_rows_of_a_file_are_its_faces_and_none_is_no_face(tmp_path: Path):
    folder = tmp_path / "faces_one"
    picture(folder / "a.jpg")
    picture(folder / "b.jpg")
    (folder / "boxes.csv").write_text("file,kind,x1,y1,x2,y2\na.jpg,x,1,2,11,22\na.jpg,y,20,5,30.5,25\n")
    found = {i.name: i.faces for split in faces.SPLITS for i in faces.load(tmp_path, "faces_one", split).images}
    np.testing.assert_allclose(found["a.jpg"].boxes, [[1, 2, 11, 22], [20, 5, 30.5, 25]])
    np.testing.assert_allclose(found["a.jpg"].heights, [20, 20])
    assert np.isnan(found["a.jpg"].points).all() and (found["a.jpg"].genders == UNKNOWN).all()
    assert len(found["b.jpg"]) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,kind,x1,y1,x2\na.jpg,x,1,2,3\n", "y2"),
        ("file,kind,x1,y1,x2,y2\na.jpg,x,9,2,3,4\n", "line 2"),
        ("file,kind,x1,y1,x2,y2\na.jpg,x,one,2,3,4\n", "line 2"),
        ("file,kind,x1,y1,x2,y2\nmissing.jpg,x,1,2,3,4\n", "missing.jpg"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str, says: str):
    picture(tmp_path / "faces_one" / "a.jpg")
    (tmp_path / "faces_one" / "boxes.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        faces.load(tmp_path, "faces_one", "train")


def test_unknown_splits_and_folders_say_what_is_expected(tmp_path: Path):
    with pytest.raises(OptionError, match="train, val, test"):
        faces.load(tmp_path, "faces_one", "dev")
    with pytest.raises(UnknownLayout, match=r"boxes\.csv"):
        faces.load(tmp_path, "faces_one", "val")


def coco_file(path: Path, notes: list[dict]) -> Path:
    images = [{"id": 7, "file_name": "a/one.jpg"}, {"id": 9, "file_name": "two.jpg"}]
    path.write_text(json.dumps({"images": images, "annotations": notes}))
    return path


def test_coco_gives_corners_points_gender_score_and_crowds(tmp_path: Path):
    keypoints = [v for i in range(5) for v in (10 + i, 20 + i, 2)]
    hidden = [*keypoints[:12], 0, 0, 0]
    file = coco_file(
        tmp_path / "f.json",
        [
            {"image_id": 7, "bbox": [1, 2, 10, 20], "keypoints": keypoints, "attributes": {"gender": "female"}},
            {"image_id": 7, "bbox": [5, 5, 2, 2], "keypoints": hidden, "score": 0.25},
            {"image_id": 7, "bbox": [30, 30, 5, 6], "iscrowd": 1},
        ],
    )
    found = coco.read(file)
    one = found["a/one.jpg"]
    np.testing.assert_allclose(one.boxes, [[1, 2, 11, 22], [5, 5, 7, 7]])
    np.testing.assert_allclose(one.ignore, [[30, 30, 35, 36]])
    np.testing.assert_allclose(one.points[0], [[10 + i, 20 + i] for i in range(5)])
    assert np.isnan(one.points[1, 4]).all() and np.isfinite(one.points[1, :4]).all()
    assert one.genders.tolist() == [1, UNKNOWN] and one.scores.tolist() == [1.0, 0.25]
    assert len(found["two.jpg"]) == 0


@pytest.mark.parametrize(
    "note",
    [
        {"image_id": 8, "bbox": [1, 2, 3, 4]},
        {"image_id": 7, "bbox": [1, 2, 0, 4]},
        {"image_id": 7, "bbox": [1, 2, 3]},
        {"image_id": 7, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2]},
        {"image_id": 7},
    ],
)
def test_a_damaged_annotation_is_an_error_of_this_house(tmp_path: Path, note: dict):
    with pytest.raises(DataError, match=r"f\.json"):
        coco.read(coco_file(tmp_path / "f.json", [note]))


def test_a_coco_file_whose_image_is_gone_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"a/one\.jpg"):
        coco.load(coco_file(tmp_path / "f.json", []), tmp_path)


def wider_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "wider_face_split").mkdir(exist_ok=True)
    (tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(text)


def test_wider_faces_that_are_invalid_or_empty_are_ignored_not_learnt(tmp_path: Path):
    wider_text(
        tmp_path,
        "1--B/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n"
        "0--A/a.jpg\n3\n10 20 30 40 0 0 0 0 0 0\n1 1 5 5 2 0 0 1 2 0\n7 7 0 9 0 0 0 0 0 0\n",
    )
    split = wider.load(tmp_path, "test")
    assert [image.name for image in split.images] == ["0--A/a.jpg", "1--B/b.jpg"]
    a, b = (image.faces for image in split.images)
    np.testing.assert_allclose(a.boxes, [[10, 20, 40, 60]])
    np.testing.assert_allclose(a.ignore, [[1, 1, 6, 6], [7, 7, 7, 16]])
    assert len(b) == 0 and not len(b.ignore)
    assert split.images[0].path == tmp_path / "WIDER_val" / "images" / "0--A" / "a.jpg"


@pytest.mark.parametrize("text", ["0--A/a.jpg\nmany\n", "0--A/a.jpg\n2\n1 1 5 5 0 0 0 0 0 0\n", "0--A/a.jpg\n1\n1 1\n"])
def test_a_damaged_wider_text_is_named(tmp_path: Path, text: str):
    wider_text(tmp_path, text)
    with pytest.raises(DataError, match="bbx_gt"):
        wider.load(tmp_path, "val")


def test_wider_without_its_text_says_where_it_belongs(tmp_path: Path):
    with pytest.raises(UnknownLayout, match="wider_face_split"):
        wider.load(tmp_path, "train")


boxes = st.tuples(*[st.floats(-50, 50, width=32)] * 2, *[st.floats(1, 50, width=32)] * 2).map(
    lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3])
)


@given(boxes, boxes)
def test_overlap_is_symmetric_within_bounds_and_one_for_itself(a: tuple, b: tuple):
    first, second = np.array([a], np.float32), np.array([b], np.float32)
    assert overlaps(first, second)[0, 0] == pytest.approx(overlaps(second, first)[0, 0], abs=1e-5)
    assert 0 <= overlaps(first, second)[0, 0] <= 1 + 1e-5
    assert overlaps(first, first)[0, 0] == pytest.approx(1, abs=1e-4)


def test_taking_faces_keeps_what_belongs_to_them():
    some = Faces.of_boxes([[0, 0, 1, 1], [2, 2, 4, 5]], ignore=[[9, 9, 10, 10]])
    assert some.take([1]).boxes.tolist() == [[2, 2, 4, 5]]
    assert some.take(np.array([True, False])).ignore.tolist() == [[9, 9, 10, 10]]
    assert len(some.take([])) == 0
