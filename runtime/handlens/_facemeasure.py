"""What can be measured of a face before it is embedded: size, pose, exposure, sharpness. no model.

Each measure is taken on the face brought upright by its five points, so none depends on how a detector draws its box.
Light and sharpness are taken on the luma (`image.to_grey`) of an aligned crop of 112 x 112 pixels, inside an ellipse
from brows to chin that leaves hair and background out; sharpness on half its size, where noise and compression no
longer pass for detail.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens._align import fit_similarity, warp
from handlens.image import Pixels, resize, to_grey

SIDE = 112
# Where five points lie in a frontal face: the template of ArcFace (Deng et al. 2019), which most verifiers use.
TEMPLATE = (38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041)
_EYES_IN_TEMPLATE = 35.24  # pixels between them
_CENTRE, _RADII = (56.0, 70.0), (34.0, 42.0)
_DIRECTIONS = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.5), (1, -1, 0.5))  # the diagonals' neighbours lie farther off
_FLAT = 25.0  # variance of luma below which a face has nothing to be sharp about
_CLIPPED = 247  # of 255; the range that ISO/IEC 29794-5 counts for overexposure


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of one face.

    Attributes:
        eyes: pixels of the image between the eyes, as they would be if the face were not turned: from the scale of the
            alignment, which rests on all five points.
        inside: share of the face's ellipse that lies in the image, 0..1.
        yaw: 0 from the front; where the nose tip is between the eyes, along their line: -1 and 1 are below an eye.
        pitch: where the nose tip is between the line of the eyes (0) and that of the mouth's corners (1).
        roll: degrees by which the eyes' line is tilted.
        highlights: 99th percentile of luma, 0..255: how bright the brightest parts are. Dark skin in good light has
            highlights; an underexposed face has none, whatever its skin.
        clipped: share of pixels of luma 247 and more, 0..1.
        sharpness: variance of the second difference of luma, over the variance of luma, so that light, contrast and
            skin do not count; of four directions the least, so that motion along one of them counts. The variance of
            the Laplacian (Pech-Pacheco et al. 2000) adds up two directions instead, and misses most motion.
    """

    eyes: float
    inside: float
    yaw: float
    pitch: float
    roll: float
    highlights: float
    clipped: float
    sharpness: float


def measure(image: Pixels, points: ArrayLike) -> Measures:
    """Measures a face.

    Args:
        image: uint8 (H, W, 3), upright RGB.
        points: (5, 2) in pixels of the image, as `Face.points`.

    Raises:
        ImageShapeError: the image is no such array, or the points are not finite or (nearly) coincide.
    """
    similarity = fit_similarity(points, TEMPLATE)
    luma = to_grey(warp(image, similarity, SIDE, SIDE))
    inner = luma[:, :, 0][face_mask()]
    yaw, pitch, roll = pose(points)
    return Measures(
        eyes=_EYES_IN_TEMPLATE / similarity.scale,
        inside=_inside(similarity.inverse().forward(_mask_points()), image.shape[0], image.shape[1]),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        highlights=float(np.percentile(inner, 99)),
        clipped=float(np.mean(inner >= _CLIPPED)),
        sharpness=sharpness(luma),
    )


def sharpness(luma: Pixels) -> float:
    """Measures how sharp an aligned face is.

    Args:
        luma: uint8 (112, 112, 1), aligned.

    Returns:
        0 and more; see `Measures`.
    """
    half = resize(luma, SIDE // 2, SIDE // 2)[:, :, 0].astype(np.float64)
    mask = resize(face_mask()[:, :, None] * np.uint8(255), SIDE // 2, SIDE // 2)[:, :, 0] > 127

    def shifted(down: int, right: int) -> NDArray[np.float64]:
        return half[1 + down : half.shape[0] - 1 + down, 1 + right : half.shape[1] - 1 + right]

    weakest = math.inf
    for down, right, weight in _DIRECTIONS:
        second = shifted(-down, -right) - 2 * shifted(0, 0) + shifted(down, right)
        weakest = min(weakest, weight * float(second[mask[1:-1, 1:-1]].var()))
    return weakest / (float(half[mask].var()) + _FLAT)


def pose(points: ArrayLike) -> tuple[float, float, float]:
    """Measures how a face is turned, by where its nose tip lies.

    The nose tip stands out from the plane of the eyes, so it moves along their line as the head turns, and towards the
    eyes or the mouth as it nods.

    Args:
        points: (5, 2), as `Face.points`.

    Returns:
        yaw (positive: towards the image's right), pitch, roll in degrees (positive: clockwise), as in `Measures`; a
        face without extent gives infinities.
    """
    array = np.asarray(points, np.float64)
    right, left = array[1] - array[0], (array[3] + array[4]) / 2 - (array[0] + array[1]) / 2
    roll = math.degrees(math.atan2(right[1], right[0]))
    axis = np.array([math.cos(math.radians(roll)), math.sin(math.radians(roll))])
    down = np.array([-axis[1], axis[0]])
    nose, eyes = array[2] - (array[0] + array[1]) / 2, float(right @ axis)
    height = float(left @ down)
    yaw = 2 * float(nose @ axis) / eyes if eyes > 0 else math.inf
    pitch = float(nose @ down) / height if height > 0 else math.inf
    return yaw, pitch, roll


@functools.cache
def face_mask() -> NDArray[np.bool_]:
    """Returns which pixels of the aligned crop are face: bool (112, 112)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    mask: NDArray[np.bool_] = ((x - _CENTRE[0]) / _RADII[0]) ** 2 + ((y - _CENTRE[1]) / _RADII[1]) ** 2 <= 1
    mask.setflags(write=False)
    return mask


def _mask_points() -> NDArray[np.float64]:
    rows, columns = np.nonzero(face_mask())
    return np.stack([columns[::4] + 0.5, rows[::4] + 0.5], axis=-1)


def _inside(points: NDArray[np.float64], height: int, width: int) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(np.mean((x >= 0) & (x <= width) & (y >= 0) & (y <= height)))
