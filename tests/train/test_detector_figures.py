"""What a face detector is measured by, with detectors that know the truth, and some that do not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.face import Face, Gender
from handlens.image import load_image
from handlens_data.datasets import utkface
from handlens_data.datasets.boxes import BoxSplit, FaceImage, Faces
from handlens_train import detector_figures as figures


@dataclass
class Stub:
    """A detector that answers what it is told to."""

    answer: Callable[[object], tuple[Face, ...]]
    engine: str = "stub"

    def detect(self, image: object) -> tuple[Face, ...]:
        return self.answer(image)


def judge(answer: Callable[[object], tuple[Face, ...]], split: str = "test") -> figures.Judge:
    return figures.Judge(Stub(answer), 0.5, split)  # type: ignore[arg-type]


def scenes(count: int = 30) -> BoxSplit:
    """Images of a large face, a middling one, a tiny one, and a region to ignore."""
    rows = [[10, 10, 110, 110], [150, 10, 180, 40], [200, 10, 210, 22]]
    truth = Faces.of_boxes(rows, ignore=[[220, 10, 250, 60]])
    return BoxSplit("test", tuple(FaceImage(Path(f"{index}.jpg"), f"{index}.jpg", truth) for index in range(count)))


def found(split: BoxSplit, keep: slice, scores: tuple[float, ...] = (0.9, 0.8, 0.7)) -> Callable:
    truths = {image.path: image.faces.boxes for image in split.images}
    return lambda path: tuple(
        Face(tuple(float(v) for v in box), score) for box, score in zip(truths[path][keep], scores[keep], strict=False)
    )


def test_all_faces_found_is_one_and_tiny_or_ignored_ones_neither_help_nor_hurt():
    split = scenes()
    all_of_them = figures.precision(judge(found(split, slice(0, 3))), split, "drawn")
    assert all_of_them.metrics["ap50"].value == 1.0 and all_of_them.metrics["recall"].value == 1.0
    assert all_of_them.counts["faces"] == 60
    rows = {row.label: row for row in all_of_them.breakdowns[0].rows}
    assert rows["20 to 40 px"].n == 30 and rows["20 to 40 px"].value == 1.0
    assert rows["40 to 80 px"].value is None and rows["80 px and more"].value == 1.0
    without_tiny = figures.precision(judge(found(split, slice(0, 2))), split, "drawn")
    assert without_tiny.metrics["ap50"].value == 1.0
    ignored = Face((220.0, 10.0, 250.0, 60.0), 0.99)
    base = found(split, slice(0, 3))
    assert figures.precision(judge(lambda path: (ignored, *base(path))), split, "x").metrics["ap50"].value == 1.0


def test_missed_faces_and_false_ones_lower_the_precision():
    split = scenes()
    half = figures.precision(judge(found(split, slice(0, 1))), split, "drawn")
    assert half.metrics["ap50"].value == pytest.approx(0.5)
    wrong = Face((0.0, 150.0, 60.0, 220.0), 0.95)
    base = found(split, slice(0, 2))
    noisy = figures.precision(judge(lambda path: (wrong, *base(path))), split, "drawn")
    assert noisy.metrics["ap50"].value < 0.8
    first = noisy.items[0]
    assert first.answer == "2 of 2 faces, 1 false" and first.right == pytest.approx(4 / 5), "an item is an image's F1"
    counts = np.zeros(30)
    counts[:5] = 3.0
    assert noisy.statistic is not None
    assert noisy.statistic(counts) == pytest.approx(noisy.statistic(np.ones(30)), abs=1e-9)
    timid = figures.precision(judge(found(split, slice(0, 2), (0.9, 0.3))), split, "drawn")
    assert timid.metrics["ap50"].value == 1.0 and timid.metrics["recall"].value == pytest.approx(0.5)


def lfw_folder(root: Path) -> None:
    """Two people a fold; those of folds 7 and 8 are the test."""
    lines = []
    for fold in range(8):
        for kind in range(600):
            one = f"P_{fold}a"
            lines.append(f"{one}\t1\t2" if kind < 300 else f"{one}\t1\tP_{fold}b\t1")
        for person, count in ((f"P_{fold}a", 2), (f"P_{fold}b", 1)):
            for number in range(1, count + 1):
                path = root / "lfw" / person / f"{person}_{number:04}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), np.full((144, 144, 3), 90, np.uint8))
    (root / "lfw" / "pairs_folds1-8.txt").write_text("\n".join(lines) + "\n")


def test_a_portrait_counts_as_found_when_a_sure_box_lies_in_its_middle(tmp_path: Path):
    lfw_folder(tmp_path)
    middle, corner = (30.0, 20.0, 110.0, 130.0), (0.0, 0.0, 40.0, 40.0)
    seen = figures.portraits(judge(lambda _: (Face(middle, 0.9),)), tmp_path)
    assert seen is not None and seen.n == 6 and seen.metrics["recall"].value == 1.0
    assert "top_box_iou" not in seen.metrics
    for missed in ((Face(corner, 0.9),), (Face(middle, 0.4),), ()):
        part = figures.portraits(judge(lambda _, missed=missed: missed), tmp_path)
        assert part is not None and part.metrics["recall"].value == 0.0
    assert figures.portraits(judge(lambda _: ()), tmp_path / "elsewhere") is None


def pets_folder(root: Path, count: int = 4) -> None:
    (root / "pets" / "test").mkdir(parents=True)
    for index in range(count):
        cv2.imwrite(str(root / "pets" / "test" / f"cat_{index}.jpg"), np.full((90, 120, 3), 60 + index, np.uint8))


def test_every_sure_face_on_a_picture_of_pets_is_a_false_positive(tmp_path: Path):
    pets_folder(tmp_path)

    def answer(path: Path) -> tuple[Face, ...]:
        return (Face((0, 0, 9, 9), 0.9), Face((20, 0, 29, 9), 0.6), Face((40, 0, 49, 9), 0.2))[: int(path.stem[-1])]

    made = figures.nobody(judge(answer), tmp_path)
    assert made is not None
    assert made.metrics["false_positives"].value == pytest.approx((0 + 1 + 2 + 2) / 4)
    assert made.metrics["clean"].value == pytest.approx(0.25) and made.units == {"false_positives": "per image"}
    assert figures.nobody(judge(answer, "val"), tmp_path) is None


def test_gender_counts_a_face_that_is_not_found_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pets_folder(tmp_path)
    (tmp_path / "utkface").mkdir()
    monkeypatch.setattr(utkface, "TEST", 8)
    monkeypatch.setattr(utkface, "VAL", 2)
    for index in range(12):
        file = tmp_path / "utkface" / f"{20 + index}_{index % 2}_0_2017{index:04}.jpg"
        cv2.imwrite(str(file), np.full((64, 64, 3), 240, np.uint8))
    truth = [face.gender for face in utkface.load(tmp_path).test.faces]
    boxes = [
        box
        for start in range(0, 8, 2)
        for box in figures.composed(
            tmp_path / "pets" / "test" / f"cat_{start // 2}.jpg",
            utkface.load(tmp_path).test.faces[start : start + 2],
            start,
        )[1]
    ]
    at = iter(range(0, 8, 2))

    def answer(image: np.ndarray) -> tuple[Face, ...]:
        start = next(at)
        made = []
        for index in (start, start + 1):
            label = utkface.GENDERS[truth[index] if index != 0 else 1 - truth[index]]  # the first one is told wrongly
            made.append(Face(tuple(float(v) for v in boxes[index]), 0.9, gender=Gender(label, 0.9)))
        return tuple(made) if start else tuple(made[:1])  # and the second one is not found

    made = figures.genders(judge(answer), tmp_path)
    assert made is not None and made.n == 8
    assert made.metrics["found"].value == pytest.approx(7 / 8)
    assert made.metrics["accuracy"].value == pytest.approx(6 / 8)
    assert made.metrics["accuracy_found"].value == pytest.approx(6 / 7)


def test_a_composed_scene_shows_each_face_inside_its_box(tmp_path: Path):
    pets_folder(tmp_path)
    bright = tmp_path / "30_1_0_20170101.jpg"
    cv2.imwrite(str(bright), np.full((64, 64, 3), 250, np.uint8))
    pair = [utkface.Face(bright, 30, 1, 0)] * 2
    background = tmp_path / "pets" / "test" / "cat_0.jpg"
    canvas, boxes = figures.composed(background, pair, 6)
    again, _ = figures.composed(background, pair, 6)
    np.testing.assert_array_equal(canvas, again)
    assert canvas.shape == (figures.SCENE, figures.SCENE, 3)
    for half, (x1, y1, x2, y2) in enumerate(boxes):
        assert x1 >= half * 160 and x2 <= (half + 1) * 160 and y1 >= 0 and y2 <= 320
        assert canvas[int((y1 + y2) / 2), int((x1 + x2) / 2)].min() > 230
        assert 39 <= y2 - y1 <= 131
    assert load_image(background).max() < 70
