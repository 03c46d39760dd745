"""The gates: what each measures on a drawn face, and what it tells the person in front of the camera."""

import cv2
import numpy as np
import pytest
from door_fakes import POINTS, shot
from hypothesis import given
from hypothesis import strategies as st

from handlens import errors, gates
from handlens._facemeasure import pose
from handlens.face import Face
from handlens.gates import GATES, Limits, judge, measure, require

IMAGE = shot(1)


def face(points: np.ndarray = POINTS, box: tuple[float, float, float, float] = (70, 60, 170, 200)) -> Face:
    return Face(box, 0.9, tuple((float(x), float(y)) for x, y in points))


def turned(
    points: np.ndarray, degrees: float, scale: float = 1.0, centre: tuple[float, float] = (120, 130)
) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points - centre) @ matrix.T + centre


def moved(index: int, dx: float, dy: float) -> np.ndarray:
    points = POINTS.copy()
    points[index] += (dx, dy)
    return points


def test_a_good_face_passes_every_gate_in_order() -> None:
    verdicts = judge(IMAGE, [face()])
    assert tuple(verdict.gate for verdict in verdicts) == GATES
    assert all(verdict.passed and not verdict.advice for verdict in verdicts)
    assert require(IMAGE, [face()]) == face()


def dark(image: np.ndarray) -> np.ndarray:
    return (image // 4).astype(np.uint8)


def bright(image: np.ndarray) -> np.ndarray:
    return np.clip(image.astype(int) + 140, 0, 255).astype(np.uint8)


def blurred(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 8), np.uint8)


@pytest.mark.parametrize(
    ("image", "faces", "error", "words"),
    [
        (IMAGE, [], errors.NoFace, "no face; look at the camera"),
        (IMAGE, [face(), face()], errors.SeveralFaces, "two faces; show one"),
        (IMAGE, [face()] * 12, errors.SeveralFaces, "12 faces; show one"),
        (IMAGE, [face(turned(POINTS, 0, 0.3))], errors.FaceTooSmall, "come nearer"),
        (IMAGE, [face(POINTS - (100, 0))], errors.FaceCutOff, "whole face is in the picture"),
        (IMAGE, [face(moved(2, 25, 0))], errors.FaceTurned, "turned aside.*look straight"),
        (IMAGE, [face(moved(2, -25, 0))], errors.FaceTurned, "turned aside.*look straight"),
        (IMAGE, [face(moved(2, 0, -20))], errors.FaceTurned, "turned up"),
        (IMAGE, [face(moved(2, 0, 20))], errors.FaceTurned, "turned down"),
        (IMAGE, [face(turned(POINTS, 25))], errors.FaceTurned, "tilted by 25 degrees"),
        (IMAGE, [face(turned(POINTS, 180))], errors.FaceTurned, "tilted"),
        (dark(IMAGE), [face()], errors.FaceTooDark, "light"),
        (bright(IMAGE), [face()], errors.FaceTooBright, "flash"),
        (blurred(IMAGE), [face()], errors.FaceBlurred, "hold still"),
    ],
)
def test_each_refusal_has_its_class_and_says_what_to_do(
    image: np.ndarray, faces: list[Face], error: type[errors.FaceRefused], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        require(image, faces)
    assert caught.value.exit_code == 4 and caught.value.advice in str(caught.value)
    failed = [verdict for verdict in judge(image, faces) if not verdict.passed]
    assert failed[0].to_dict()["error"] == error.__name__ and failed[0].to_dict()["advice"]


def test_without_exactly_one_face_nothing_else_is_measured() -> None:
    assert [verdict.gate for verdict in judge(IMAGE, [])] == ["one face"]
    assert [verdict.gate for verdict in judge(IMAGE, [face(), face()])] == ["one face"]


def test_small_faces_behind_can_be_left_out_of_the_count_on_request() -> None:
    behind = face(turned(POINTS, 0, 0.1), (0, 0, 10, 14))
    with pytest.raises(errors.SeveralFaces):
        require(IMAGE, [behind, face()])
    assert require(IMAGE, [behind, face()], Limits(other_faces=0.3)) == face()
    assert judge(IMAGE, [behind, face()], Limits(other_faces=0.3)) == judge(IMAGE, [face()])


def test_a_detector_without_points_is_no_door() -> None:
    with pytest.raises(errors.OptionError, match="five points"):
        judge(IMAGE, [Face((70, 60, 170, 200), 0.9)])


def test_size_and_light_do_not_depend_on_how_large_the_picture_is() -> None:
    small = measure(IMAGE, POINTS)
    large = measure(np.asarray(cv2.resize(IMAGE, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)), POINTS * 3)
    assert large.eyes == pytest.approx(3 * small.eyes, rel=1e-6)
    assert large.highlights == pytest.approx(small.highlights, abs=8)
    assert large.yaw == pytest.approx(small.yaw) and large.pitch == pytest.approx(small.pitch)


def test_sharpness_counts_blur_and_not_light_or_contrast() -> None:
    sharp = measure(IMAGE, POINTS).sharpness
    assert measure((IMAGE // 3 + 30).astype(np.uint8), POINTS).sharpness == pytest.approx(sharp, rel=0.25)
    values = [measure(np.asarray(cv2.GaussianBlur(IMAGE, (0, 0), sigma)), POINTS).sharpness for sigma in (1, 2, 4, 8)]
    assert sharp > values[0] and values == sorted(values, reverse=True) and values[3] < sharp / 20


@pytest.mark.parametrize("kernel", [np.ones((1, 25)), np.ones((25, 1)), np.eye(25), np.eye(25)[::-1]])
def test_motion_in_any_direction_counts_as_blur(kernel: np.ndarray) -> None:
    moved_image = np.asarray(cv2.filter2D(IMAGE, -1, kernel / kernel.sum()), np.uint8)
    assert measure(moved_image, POINTS).sharpness < measure(IMAGE, POINTS).sharpness / 10


def test_noise_on_a_blurred_face_does_not_count_as_sharp() -> None:
    noise = np.random.default_rng(0).normal(0, 2, IMAGE.shape)
    noisy = np.clip(blurred(IMAGE) + noise, 0, 255).astype(np.uint8)
    with pytest.raises(errors.FaceBlurred):
        require(noisy, [face()])


def test_a_flat_image_is_blurred_and_divides_by_nothing() -> None:
    seen = measure(np.full((240, 240, 3), 128, np.uint8), POINTS)
    assert seen.sharpness == 0 and seen.highlights == 128 and seen.clipped == 0


def test_what_is_outside_of_the_picture_is_counted() -> None:
    shares = [measure(IMAGE, POINTS - (shift, 0)).inside for shift in (0, 90, 110, 130, 300)]
    assert shares[0] == 1 and shares[-1] == 0 and shares == sorted(shares, reverse=True)


def test_points_in_one_place_are_no_face() -> None:
    with pytest.raises(errors.ImageShapeError):
        measure(IMAGE, np.ones((5, 2)))


@given(st.floats(-80, 80), st.floats(0.2, 5), st.floats(-500, 500), st.floats(-500, 500))
def test_pose_is_of_the_head_not_of_the_picture(degrees: float, scale: float, x: float, y: float) -> None:
    straight = pose(POINTS)
    yaw, pitch, roll = pose(turned(POINTS, degrees, scale) + (x, y))
    assert yaw == pytest.approx(straight[0], abs=1e-6) and pitch == pytest.approx(straight[1], abs=1e-6)
    assert roll == pytest.approx(degrees, abs=1e-6)


@given(st.floats(-30, 30))
def test_a_mirrored_face_is_turned_the_other_way(shift: float) -> None:
    points = moved(2, shift, 0)
    mirrored = (points * (-1, 1) + (240, 0))[[1, 0, 2, 4, 3]]
    assert pose(mirrored)[0] == pytest.approx(-pose(points)[0], abs=1e-9)
    assert (pose(points)[0] > 0) == (shift > 0) or shift == pytest.approx(0)


def test_every_gate_has_a_class_and_every_class_a_gate() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.FaceRefused)
    } - {"FaceRefused"}
    used = set(vars(gates)) & classes
    assert used == classes
