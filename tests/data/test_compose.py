"""Pasting faces into scenes: where they land, what they leave alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens_data.datasets.boxes import Faces
from handlens_data.datasets.compose import Patch, join, paste, patch_of, room

POINTS = np.array([[[24, 28], [40, 28], [32, 36], [26, 46], [38, 46]]], np.float32)


def face_patch() -> Patch:
    """A grey picture with a bright disc where the face is, and a red dot at the image-left eye."""
    y, x = np.mgrid[0:64, 0:64]
    image = np.full((64, 64, 3), 60, np.uint8)
    image[(x - 32) ** 2 + (y - 36) ** 2 < 16**2] = 220
    image[26:31, 22:27] = (255, 0, 0)
    boxes = np.array([[16, 16, 48, 56]], np.float32)
    return Patch(image, Faces(boxes, POINTS, np.array([1], np.int8), np.ones(1, np.float32)))


def test_the_face_lands_where_it_was_sent_and_its_points_with_it():
    canvas = np.zeros((200, 200, 3), np.uint8)
    placed = paste(canvas, face_patch(), (120.0, 90.0), 1.5)
    np.testing.assert_allclose(placed.boxes, [[96, 60, 144, 120]])
    np.testing.assert_allclose(placed.points[0, 2], [120.0, 90.0])
    assert canvas[90, 120].min() > 200
    x, y = placed.points[0, 0].astype(int)
    red = canvas[y - 3 : y + 3, x - 3 : x + 3].astype(int)
    assert (red[..., 0] - red[..., 1]).max() > 150
    assert not canvas[:, :60].any() and not canvas[160:].any()


def test_a_turned_face_turns_its_points_about_the_boxs_middle():
    canvas = np.zeros((200, 200, 3), np.uint8)
    placed = paste(canvas, face_patch(), (100.0, 100.0), 1.0, angle=90.0)
    np.testing.assert_allclose(placed.points[0, 2], [100, 100], atol=1e-3)
    np.testing.assert_allclose(placed.points[0, 0], [100 + (28 - 36), 100 - (24 - 32)], atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-40, 240),
    st.floats(-40, 240),
    st.floats(0.05, 4),
    st.floats(-180, 180),
    st.booleans(),
    st.integers(8, 90),
)
def test_pasting_anywhere_at_any_size_keeps_the_canvas_a_picture(x, y, scale, angle, oval, side):
    canvas = np.full((side, 200, 3), 30, np.uint8)
    placed = paste(canvas, face_patch(), (x, y), scale, angle, oval)
    assert canvas.shape == (side, 200, 3) and canvas.dtype == np.uint8
    middle = (placed.boxes[0, :2] + placed.boxes[0, 2:]) / 2
    np.testing.assert_allclose(middle, [x, y], atol=1e-2)


def test_the_edge_of_a_paste_is_soft():
    canvas = np.zeros((200, 200, 3), np.uint8)
    paste(canvas, face_patch(), (100.0, 100.0), 2.0, oval=False)
    row = canvas[100, :, 0].astype(int)
    assert row.max() > 200
    edge = np.abs(np.diff(row[:70]))
    assert edge.max() < 60


def test_there_is_room_only_beside_other_faces():
    taken = np.array([[10, 10, 30, 30]], np.float32)
    assert not room(taken, np.array([28.0, 28.0, 48.0, 48.0]))
    assert not room(taken, np.array([31.0, 10.0, 51.0, 30.0]))
    assert room(taken, np.array([60.0, 10.0, 80.0, 30.0]))
    assert room(np.zeros((0, 4), np.float32), np.array([0.0, 0.0, 9.0, 9.0]))


def test_only_a_picture_of_one_face_is_a_patch():
    one, image = face_patch().faces, face_patch().image
    assert patch_of(image, join(one, one)) is None
    assert patch_of(image, Faces()) is None
    assert patch_of(image, Faces.of_boxes([[10, 0, 40, 0]])) is None
    assert patch_of(image, Faces.of_boxes(one.boxes, ignore=[[0, 0, 5, 5]])) is None
    made = patch_of(image, one, gender=0)
    assert made is not None and made.faces.genders.tolist() == [0]


def test_join_keeps_everything_in_order():
    both = join(Faces.of_boxes([[0, 0, 1, 1]], ignore=[[5, 5, 6, 6]]), face_patch().faces)
    assert len(both) == 2 and both.genders.tolist() == [-1, 1]
    assert both.ignore.tolist() == [[5, 5, 6, 6]]
    assert both.boxes[1].tolist() == pytest.approx([16, 16, 48, 56])
