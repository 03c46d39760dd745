"""The face detector's training: targets, loss, scenes, starts, and a whole training on drawn faces."""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import metrics
from handlens.errors import DataError, OptionError, RunError
from handlens_data.datasets.boxes import Faces
from handlens_train import detector_data, detector_scenes, detector_start
from handlens_train.detector_nets import OUTPUTS, freeze, network
from handlens_train.detector_targets import (
    BOX,
    FEMALE,
    GENDER_KNOWN,
    KIND,
    POINTS,
    POINTS_KNOWN,
    Cells,
    DetectorLoss,
    encode,
)
from handlens_train.face_detector_training import build, decode, operating_threshold
from handlens_train.recipe import choose
from handlens_train.run import Run
from handlens_train.tasks import face_detector as task

TINY = {"size": 64, "crop": 64, "expand": (1, 1, 1, 1, 1, 1), "pyramid": 8, "deep": 8, "head": 1, "start": None}
TINY |= {"freeze": 0, "batch": 2, "steps": 2, "epochs": 2, "evaluate_every": 1}
FIVE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def faces(*boxes: tuple[float, float, float, float], gender: int = 1) -> Faces:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    points = rows[:, None, :2] + FIVE * (rows[:, None, 2:] - rows[:, None, :2])
    return Faces(rows, points, np.full(len(rows), gender, np.int8), np.ones(len(rows), np.float32))


def answers(target: np.ndarray, cells: Cells) -> dict[str, np.ndarray]:
    """What a perfect network would say to a target."""
    sure = np.where(target[:, KIND : KIND + 1] > 0, 9.0, -9.0)
    size = np.log(np.maximum(target[:, 3:5], 1e-6))
    box = np.concatenate([target[:, 1:3], size], axis=1)
    return {"score": sure[None], "box": box[None], "points": target[None, :, POINTS]}


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 250), st.floats(5, 250), st.floats(9, 250), st.floats(0.6, 1.6))
def test_every_face_has_a_cell_and_its_cells_give_its_box_back(x, y, height, aspect):
    cells = Cells.of(256, 256)
    face = faces((x - height * aspect / 2, y - height / 2, x + height * aspect / 2, y + height / 2))
    target = encode(face, cells)
    mine = target[:, KIND] > 0
    assert mine.any()
    ((boxes, scores),) = decode(answers(target, cells), cells)
    assert len(boxes) == 1 and scores[0] > 0.99
    np.testing.assert_allclose(boxes[0], face.boxes[0], rtol=1e-3, atol=0.05)
    points = cells.centres[mine, None] + cells.strides[mine, None, None] * target[mine, POINTS].reshape(-1, 5, 2)
    np.testing.assert_allclose(points, np.broadcast_to(face.points[0], points.shape), atol=0.05)


def test_of_two_faces_on_one_spot_the_smaller_keeps_its_cells():
    cells = Cells.of(128, 128)
    target = encode(faces((20, 20, 60, 60), (34, 34, 46, 46)), cells)
    centre = np.abs(cells.centres - 40).max(axis=1) < cells.strides
    small = (target[:, KIND] > 0) & centre & (cells.strides == 8)
    np.testing.assert_allclose(target[small, 3] * 8, 12)


def test_what_is_unknown_or_tiny_is_marked_so():
    cells = Cells.of(128, 128)
    unknown = Faces.of_boxes([[20, 20, 60, 60], [100, 100, 105, 105]], ignore=[[70, 0, 120, 40]])
    target = encode(unknown, cells)
    face = target[:, KIND] > 0
    assert face.any() and not target[face, POINTS_KNOWN].any() and not target[face, GENDER_KNOWN].any()
    ignored = cells.centres[target[:, KIND] < 0]
    assert ((ignored > [66, -16]) & (ignored < [136, 56])).all(axis=1).any()
    assert (np.abs(ignored - 102.5) < 24).all(axis=1).any()


def loss_of(target: np.ndarray, outputs: np.ndarray) -> float:
    return float(DetectorLoss()(target[None].astype(np.float32), outputs[None].astype(np.float32)))


def test_the_loss_falls_to_nearly_nothing_on_right_answers_and_ignores_what_is_unknown():
    cells = Cells.of(64, 64)
    target = encode(faces((10, 12, 40, 44)), cells)
    right = answers(target, cells)
    female = np.where(target[:, FEMALE : FEMALE + 1] > 0, 3.0, -3.0)
    row = np.concatenate([right["score"][0], right["box"][0], right["points"][0], female], axis=1)
    assert loss_of(target, row) < 0.3
    noise = np.random.default_rng(0).normal(0, 1, row.shape)
    assert loss_of(target, row + noise) > 1.0
    wrong = row.copy()
    wrong[:, -1] *= -1
    assert loss_of(target, wrong) > loss_of(target, row) + 0.5
    unknown = target.copy()
    unknown[:, [POINTS_KNOWN, GENDER_KNOWN]] = 0
    elsewhere = row.copy()
    elsewhere[:, 5:] += 100
    assert loss_of(unknown, elsewhere) == pytest.approx(loss_of(unknown, row), rel=1e-5)
    ignored = target.copy()
    ignored[target[:, KIND] == 0, KIND] = -1
    shouting = row.copy()
    shouting[target[:, KIND] == 0, 0] = 9
    assert loss_of(ignored, shouting) == pytest.approx(loss_of(ignored, row), rel=1e-5)
    assert target[:, BOX].any()


def drawn(side: int = 120) -> detector_scenes.Picture:
    """One face of a red image-left eye and a green image-right eye."""
    image = np.full((side, side, 3), 70, np.uint8)
    one = faces((30, 30, 80, 90))
    (red, green) = (tuple(int(v) for v in one.points[0, i]) for i in (0, 1))
    cv2.ellipse(image, (55, 60), (24, 29), 0, 0, 360, (200, 170, 150), -1)
    cv2.circle(image, red, 5, (255, 0, 0), -1)
    cv2.circle(image, green, 5, (0, 255, 0), -1)
    return detector_scenes.Picture(image, one)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_points_follow_the_pixels_through_windows_and_mirrors(seed: int):
    views = detector_scenes.Views(low=30, high=90)
    image, found = detector_scenes.window(drawn(), 128, 128, views, np.random.default_rng(seed))
    assert image.shape == (128, 128, 3)
    for face in range(len(found)):
        left, right = found.points[face, :2]
        assert left[0] < right[0]
        colours = []
        for x, y in (left, right):
            if 3 < x < 125 and 3 < y < 125:
                pixel = image[int(y), int(x)].astype(int)
                colours.append("red" if pixel[0] - pixel[1] > 60 else "green" if pixel[1] - pixel[0] > 60 else "none")
        assert "none" not in colours and len(set(colours)) == len(colours)
        assert (found.boxes[face] >= 0).all() and (found.boxes[face] <= 128).all()


def test_a_scene_can_be_drawn_again():
    picture = drawn()
    patch = detector_scenes.Patch(picture.image, picture.faces)
    draw = detector_scenes.Draw({"one": [picture]}, {"one": 1.0, "missing": 1.0}, [[patch]])
    views = detector_scenes.Views(paste=3.0)
    made = [detector_scenes.scene(draw, 96, 96, views, np.random.default_rng((1, 2))) for _ in range(2)]
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1].boxes, made[1][1].boxes)
    other = detector_scenes.scene(draw, 96, 96, views, np.random.default_rng((1, 3)))
    assert (other[0] != made[0][0]).any()


def test_a_crowd_is_all_faces_of_known_gender():
    picture = drawn()
    known = detector_scenes.Patch(picture.image, picture.faces)
    nobody = detector_scenes.Patch(picture.image, Faces.of_boxes(picture.faces.boxes))
    draw = detector_scenes.Draw({"one": [picture]}, {"one": 1.0}, [[nobody], [known]])
    views = detector_scenes.Views(crowd=1.0)
    counts = set()
    for seed in range(20):
        image, found = detector_scenes.scene(draw, 128, 128, views, np.random.default_rng(seed))
        assert image.shape == (128, 128, 3) and (found.genders == 1).all()
        counts.add(len(found))
    assert counts <= {1, 4, 9, 16} and len(counts) > 2


def test_a_branch_of_its_own_tells_gender_and_leaves_the_rest_alone():
    shape = {"expand": (1, 1, 1, 1, 1, 1), "pyramid": 8, "deep": 8, "head": 1}
    donor, model = network(64, **shape), network(64, **shape, gender=8)
    assert detector_start.copy_alike(donor, model) == sum(bool(layer.weights) for layer in donor.layers)
    freeze(model, 0, "gender")
    assert {variable.path[:6] for variable in model.trainable_variables} == {"gender"}
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    one, other = donor(image), model(image)
    for name in ("score", "box", "points"):
        np.testing.assert_allclose(*(keras.ops.convert_to_numpy(out[name]) for out in (one, other)), atol=1e-5)


def test_a_person_draws_the_box_and_the_teacher_adds_points_and_doubts():
    truth = Faces.of_boxes([[10, 10, 30, 40], [60, 60, 80, 90]])
    taught = faces((11, 8, 31, 40), (100, 10, 120, 30), (10, 60, 20, 75))
    taught = Faces(taught.boxes, taught.points, taught.genders, np.array([0.9, 0.8, 0.4], np.float32))
    made = detector_data.completed(truth, taught)
    np.testing.assert_array_equal(made.boxes, truth.boxes)
    assert np.isfinite(made.points[0]).all() and np.isnan(made.points[1]).all()
    np.testing.assert_allclose(made.ignore, [[100, 10, 120, 30]])
    blended = detector_data.completed(truth, taught, blend=0.5)
    np.testing.assert_allclose(blended.boxes[0], [10.5, 9, 30.5, 40])
    assert len(detector_data.completed(Faces(), taught)) == 0


def test_a_narrower_trunk_keeps_the_channels_that_weigh_most():
    wide = network(64, expand=(1, 3, 1, 1, 1, 1), pyramid=8, deep=8, head=0)
    narrow = network(64, expand=(1, 2, 1, 1, 1, 1), pyramid=8, deep=8, head=0)
    gamma = np.zeros(48, np.float32)
    gamma[5:37] = 1 + np.arange(32)
    wide.get_layer("block1_depthwise_bn").gamma.assign(gamma)
    assert detector_start.copy_trunk(wide, narrow) > 20
    np.testing.assert_array_equal(narrow.get_layer("block1_depthwise_bn").gamma, gamma[5:37])
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    parts = [keras.Model(m.input, m.get_layer("block1_project_bn").output)(image) for m in (wide, narrow)]
    np.testing.assert_allclose(*(keras.ops.convert_to_numpy(part) for part in parts), atol=1e-4)


def test_frozen_blocks_do_not_train():
    model = network(64, expand=(1, 1, 1, 1, 1, 1), pyramid=8, deep=8, head=0)
    freeze(model, 2)
    names = {variable.path.split("_")[0].split("/")[0] for variable in model.trainable_variables}
    assert not {"stem", "block0", "block1"} & names and "block2" in names


@pytest.mark.parametrize("size", [64, (96, 128)])
def test_one_set_of_weights_fits_every_size(size):
    how = choose(task.RECIPES, task.TASK, "face-detector-start", TINY)
    small, other = build(how, 64), build(how, size)
    other.set_weights(small.get_weights())
    height, width = (size, size) if isinstance(size, int) else size
    image = np.zeros((1, height, width, 3), np.float32)
    found = {key: value.shape for key, value in other(image).items()}
    cells = len(Cells.of(height, width).strides)
    assert found == {key: (1, cells, channels) for key, channels in OUTPUTS.items()}


def folder(root: Path, count: int = 16) -> Path:
    """faces_multi and faces_one with drawn faces, and a teacher's points for one of them."""
    rng = np.random.default_rng(0)
    for name in ("faces_multi", "faces_one"):
        (root / name).mkdir(parents=True)
        rows, images, notes = [], [], []
        for index in range(count):
            picture = drawn()
            noise = rng.integers(-20, 20, picture.image.shape)
            file = f"{index:03}.png"
            cv2.imwrite(str(root / name / file), np.clip(picture.image + noise, 0, 255).astype(np.uint8)[..., ::-1])
            x1, y1, x2, y2 = picture.faces.boxes[0]
            rows.append(f"{file},face,{x1},{y1},{x2},{y2}")
            images.append({"id": index, "file_name": file})
            points = [float(v) for p in picture.faces.points[0] for v in (*p, 2)]
            box = [float(v) for v in (x1, y1, x2 - x1, y2 - y1)]
            notes.append({"image_id": index, "bbox": box, "keypoints": points, "score": 0.9})
        (root / name / "boxes.csv").write_text("file,kind,x1,y1,x2,y2\n" + "\n".join(rows) + "\n")
    (root / "annotations").mkdir()
    content = {"images": images, "annotations": notes}
    (root / "annotations" / "faces_multi.json").write_text(json.dumps(content))
    return root


def test_a_training_writes_a_run_that_loads_at_every_size_and_resumes(tmp_path: Path):
    data, out, seen = folder(tmp_path / "data"), tmp_path / "run", []
    status = task.train(
        "face-detector-start", data, out, overrides=TINY, tick=lambda epoch, scores: seen.append(scores)
    )
    assert status == "complete"
    assert {"ap_faces_multi", "ap_faces_one", "select"} <= set(seen[-1])
    run = Run.open(out)
    assert 0 <= run.info["score_threshold"] <= 1
    assert run.info["data"]["sets"]["faces_multi"]["images"] < 16
    again = task.train("face-detector-start", data, out, overrides=TINY, tick=lambda *_: seen.append({}))
    assert again == "complete" and len(seen) == 2
    with pytest.raises(RunError, match="config"):
        task.train("face-detector-start", data, out, overrides=TINY | {"epochs": 3})
    made = task.load(run, data)
    assert made.input.geometry == "letterbox" and made.input.height == 64
    assert made.decoding["score_threshold"] == run.info["score_threshold"]
    other = task.load(run, data, size=(96, 128))
    assert (other.input.height, other.input.width) == (96, 128)
    assert {spec.name: spec.shape for spec in other.outputs} == {
        name: (1, *value.shape[1:]) for name, value in other.model.output.items()
    }
    images, source = other.training_images(3, 0)
    assert images.shape == (3, 96, 128, 3) and source.split == "train"


def test_the_branch_for_gender_needs_a_detector_to_grow_on(tmp_path: Path):
    with pytest.raises(OptionError, match="--warm-start"):
        task.train("face-detector", tmp_path, tmp_path / "run")


def test_alarms_on_pictures_of_nobody_raise_the_operating_threshold():
    boxes = np.array([[0.0, 0, 30, 30], [50, 50, 90, 90]])
    matches = metrics.match_detections([(boxes, np.array([0.9, 0.4]))], [boxes])
    assert operating_threshold(matches) == pytest.approx(0.4)
    alarms = np.linspace(0.1, 0.7, 7)
    assert operating_threshold(matches, alarms, 40) == pytest.approx(0.5, abs=2e-3)  # 2 of 40 may stay
    assert operating_threshold(matches, alarms, 1000) == pytest.approx(0.4)


def test_a_folder_without_boxes_says_what_is_missing(tmp_path: Path):
    with pytest.raises(DataError, match="faces_multi"):
        task.train("face-detector-start", tmp_path, tmp_path / "run")
    with pytest.raises(DataError, match="faces_multi"):
        task.evaluate(tmp_path / "x.tflite", tmp_path, "val")
    with pytest.raises(OptionError, match="val, test"):
        task.evaluate(tmp_path / "x.tflite", tmp_path, "train")
    with pytest.raises(OptionError, match="face-detector-nano"):
        choose(task.RECIPES, task.TASK, "face-detector-huge")
