"""Composed scenes: faces cut from one picture and blended into another, so that small sets show many scenes.

A patch is a picture around one face. It is scaled, turned and blended under a feathered oval (or rectangle), so that no
hard edge gives it away (compare Dwibedi et al. 2017, "Cut, Paste and Learn").
"""

from dataclasses import dataclass

import cv2
import numpy as np

from handlens_data.datasets.boxes import UNKNOWN, Faces, overlaps

Pixels = np.ndarray
SMALLEST = 8.0  # pixels: what is smaller shows no face


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One face with its surroundings: `image` uint8 (h, w, 3), `faces` exactly one, in pixels of that image."""

    image: Pixels
    faces: Faces


def paste(
    canvas: Pixels, patch: Patch, centre: tuple[float, float], scale: float, angle: float = 0.0, oval: bool = True
) -> Faces:
    """Blend a patch into `canvas` in place; returns its face in pixels of the canvas.

    Args:
        canvas: uint8 (H, W, 3).
        patch: the face.
        centre: where the box's centre comes to lie, x and y in pixels of the canvas.
        scale: pixels of the canvas for one of the patch.
        angle: degrees, counter-clockwise.
        oval: blend under an oval around the head; else under the whole patch, its edges feathered.
    """
    box = patch.faces.boxes[0]
    middle = (box[:2] + box[2:]) / 2
    image, factor = patch.image, 1.0
    while scale / factor < 0.5:  # halve first: plain bilinear sampling would skip pixels
        image, factor = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), factor / 2
    turn = cv2.getRotationMatrix2D((0.0, 0.0), angle, scale)
    height, width = patch.image.shape[:2]
    shift = np.array(centre) - turn[:, :2] @ middle
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ turn[:, :2].T + shift
    left, top = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int), (canvas.shape[1], canvas.shape[0]))
    points = patch.faces.points @ turn[:, :2].T.astype(np.float32) + shift.astype(np.float32)
    half = (box[2:] - box[:2]) * scale / 2
    placed = np.array([[centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]]])
    faces = Faces(placed.astype(np.float32), points.astype(np.float32), patch.faces.genders, patch.faces.scores)
    if right <= left or bottom <= top:
        return faces
    matrix = np.hstack([turn[:, :2] / factor, (shift - (left, top))[:, None]])
    # cv2 counts pixel centres from 0, everything here from 0.5.
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    size = (int(right - left), int(bottom - top))
    face = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mask = _mask(image.shape[:2], box * factor, oval)
    alpha = cv2.warpAffine(mask, matrix, size, borderValue=0).astype(np.float32)[..., None] / 255
    region = canvas[top:bottom, left:right]
    region[:] = (region + alpha * (face.astype(np.float32) - region) + 0.5).astype(np.uint8)
    return faces


def room(taken: np.ndarray, box: np.ndarray, margin: float = 0.4) -> bool:
    """Whether a box, grown by `margin` of its size on each side, meets none of the boxes `taken` (N, 4)."""
    grow = (box[2:] - box[:2]) * margin
    grown = np.concatenate([box[:2] - grow, box[2:] + grow])[None].astype(np.float32)
    return not len(taken) or float(overlaps(grown, taken.astype(np.float32)).max()) == 0.0


def join(first: Faces, second: Faces) -> Faces:
    """The faces and regions of both."""
    return Faces(
        np.concatenate([first.boxes, second.boxes]),
        np.concatenate([first.points, second.points]),
        np.concatenate([first.genders, second.genders]),
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.ignore, second.ignore]),
    )


def patch_of(image: Pixels, faces: Faces, gender: int = UNKNOWN) -> Patch | None:
    """The patch of a picture that shows one person in its middle; None if no face, a tiny one, or several are there."""
    if len(faces) != 1 or len(faces.ignore) or min(faces.boxes[0, 2:] - faces.boxes[0, :2]) < SMALLEST:
        return None
    known = faces.genders if gender == UNKNOWN else np.array([gender], np.int8)
    return Patch(image, Faces(faces.boxes, faces.points, known, faces.scores))


def _mask(shape: tuple[int, int], box: np.ndarray, oval: bool) -> Pixels:
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    w, h = box[2] - box[0], box[3] - box[1]
    feather = max(1, round(0.08 * min(height, width)))
    if oval:
        axes = (max(1, round(min(0.68 * w, x - feather, width - x - feather))), max(1, round(0.72 * h)))
        cv2.ellipse(mask, (round(x), round(y - 0.06 * h)), axes, 0, 0, 360, 255, -1)
    mask[:feather], mask[-feather:], mask[:, :feather], mask[:, -feather:] = 0, 0, 0, 0
    if not oval:
        mask[feather:-feather, feather:-feather] = 255
    return cv2.blur(mask, (2 * feather + 1, 2 * feather + 1))
