"""Training scenes of the face detector: a window of a photograph at a drawn scale, faces pasted in, colours changed.

One NumPy generator a scene, so a batch can be made again from (seed, epoch, index), as everywhere in this house.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from handlens_data.datasets.boxes import UNKNOWN, Faces
from handlens_data.datasets.compose import Patch, join, paste, room

FILL = 114  # as `handlens.image.letterbox` fills


@dataclass(frozen=True, slots=True)
class Views:
    """How a window is drawn.

    crowd: share of scenes that are a grid of faces of known gender. as_used: share of windows at the scale that the
    device would see, times 2 ** (-spread..spread). low, high: size of the chosen face otherwise, in pixels of the
    input. fill: the least part of the window that a picture spans. paste: mean number of pasted faces where the picture
    invites them. tiles: share of scenes made of four windows. colour: largest relative change. blur, noise, grey, turn:
    shares.
    """

    crowd: float = 0.0
    as_used: float = 0.5
    spread: float = 0.5
    low: float = 10.0
    high: float = 200.0
    fill: float = 0.5
    paste: float = 1.2
    tiles: float = 0.25
    colour: float = 0.3
    blur: float = 0.08
    noise: float = 0.15
    grey: float = 0.05
    turn: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded photograph: `image` uint8 (H, W, 3), `faces` in its pixels, `paste` whether faces may be pasted in."""

    image: np.ndarray
    faces: Faces
    paste: bool = True


def scene(draw: "Draw", size: int, used: int, views: Views, rng: np.random.Generator) -> tuple[np.ndarray, Faces]:
    """One training scene: uint8 (size, size, 3) and its faces in its pixels.

    Args:
        draw: where pictures and patches come from.
        size: of the scene.
        used: size of the device's input, for windows as it would see them.
        views: how windows are drawn.
        rng: decides everything.
    """
    if views.crowd and rng.random() < views.crowd:
        image, faces = crowd(draw, size, rng)
        return recolour(image, views, rng), faces
    if rng.random() < views.tiles:
        half = size // 2
        image, faces = np.empty((size, size, 3), np.uint8), Faces()
        for top in (0, half):
            for left in (0, half):
                tile, found = window(draw.picture(rng), half, used // 2, views, rng)
                image[top : top + half, left : left + half] = tile
                faces = join(faces, moved(found, left, top))
        invites = False
    else:
        picture = draw.picture(rng)
        image, faces = window(picture, size, used, views, rng)
        invites = picture.paste
    if invites:
        for _ in range(min(6, rng.poisson(views.paste))):
            faces = _paste(image, faces, draw.patch(rng), views, rng)
    return recolour(image, views, rng), faces


class Draw:
    """Draws pictures by the weight of their data set, and patches evenly from their groups."""

    def __init__(self, pictures: dict[str, list[Picture]], weights: dict[str, float], patches: list[list[Patch]]):
        self.names = [name for name in weights if pictures.get(name)]
        self.pictures, self.patches = pictures, [group for group in patches if group]
        self.known = [group for group in self.patches if group[0].faces.genders[0] != UNKNOWN]
        total = np.array([weights[name] for name in self.names])
        self.chances = total / total.sum()

    def picture(self, rng: np.random.Generator) -> Picture:
        """A picture of a data set drawn by weight."""
        group = self.pictures[self.names[rng.choice(len(self.names), p=self.chances)]]
        return group[rng.integers(len(group))]

    def patch(self, rng: np.random.Generator) -> Patch | None:
        """A patch, or None where there are none."""
        if not self.patches:
            return None
        group = self.patches[rng.integers(len(self.patches))]
        return group[rng.integers(len(group))]


def crowd(draw: Draw, size: int, rng: np.random.Generator) -> tuple[np.ndarray, Faces]:
    """A grid of 1 to 16 faces of known gender on a plain ground: uint8 (size, size, 3) and the faces."""
    image = np.empty((size, size, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    faces, groups = Faces(), draw.known
    if not groups:
        return image, faces
    across = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.3, 0.35, 0.25]))
    cell = size / across
    for row in range(across):
        for column in range(across):
            group = groups[rng.integers(len(groups))]
            patch = group[rng.integers(len(group))]
            if rng.random() < 0.5:
                patch = _flipped(patch)
            scale = cell * rng.uniform(0.5, 0.95) / float(patch.faces.heights[0])
            centre = (np.array([column, row]) + 0.5 + rng.uniform(-0.06, 0.06, 2)) * cell
            angle = float(rng.normal(0, 8)) if rng.random() < 0.5 else 0.0
            placed = paste(image, patch, (float(centre[0]), float(centre[1])), scale, angle, rng.random() < 0.3)
            faces = join(faces, cut(placed, size))
    return image, faces


def window(picture: Picture, size: int, used: int, views: Views, rng: np.random.Generator) -> tuple[np.ndarray, Faces]:
    """A square window of a picture, mirrored half the time: uint8 (size, size, 3) and its faces."""
    image, faces = picture.image, picture.faces
    height, width = image.shape[:2]
    scale = used / max(height, width) * 2 ** rng.uniform(-views.spread, views.spread)
    focus = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    if len(faces):
        box = faces.boxes[rng.integers(len(faces))]
        focus = (box[:2] + box[2:]) / 2
        if rng.random() >= views.as_used:
            face = float(np.sqrt(np.prod(box[2:] - box[:2])))
            high = min(views.high, 0.8 * size)
            scale = np.clip(np.exp(rng.uniform(np.log(views.low), np.log(high))) / face, 0.15, max(3.0, scale))
    elif rng.random() >= views.as_used:
        scale *= 2 ** rng.uniform(-1.0, 1.0)
    scale = max(scale, views.fill * size / max(height, width))
    # Where the picture is larger than the window, the window stays inside; where smaller, anywhere on the fill.
    origin = focus * scale - rng.uniform(0.1, 0.9, 2) * size
    slack = np.array([width, height]) * scale - size
    origin = np.clip(origin, np.minimum(slack, 0), np.maximum(slack, 0))
    matrix = np.array([[scale, 0, -origin[0]], [0, scale, -origin[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-scale, 0, size + origin[0]]
        faces = mirrored(faces)
    return warp(image, matrix, size), cut(transformed(faces, matrix), size)


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """The picture under an affine map (pixel i covers [i, i + 1)), area-averaged first where it shrinks a lot."""
    factor, scale = 1.0, float(np.hypot(*matrix[:, 0]))
    while scale / factor < 0.5:
        image, factor = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), factor / 2
    matrix = np.hstack([matrix[:, :2] / factor, matrix[:, 2:]])
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(image, matrix, (size, size), borderValue=(FILL,) * 3)


def transformed(faces: Faces, matrix: np.ndarray) -> Faces:
    """Faces under a map without rotation; a mirror swaps nothing here, see `mirrored`."""

    def boxes(rows: np.ndarray) -> np.ndarray:
        ends = rows.reshape(-1, 2, 2) * matrix[(0, 1), (0, 1)] + matrix[:, 2]
        return np.concatenate([ends.min(1), ends.max(1)], axis=1).astype(np.float32)

    points = (faces.points * matrix[(0, 1), (0, 1)] + matrix[:, 2]).astype(np.float32)
    return replace(faces, boxes=boxes(faces.boxes), points=points, ignore=boxes(faces.ignore))


def mirrored(faces: Faces) -> Faces:
    """Points in the order that a mirror image has."""
    return replace(faces, points=faces.points[:, [1, 0, 2, 4, 3]])


def moved(faces: Faces, x: float, y: float) -> Faces:
    """Faces shifted by x and y pixels."""
    return transformed(faces, np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))


def cut(faces: Faces, size: int) -> Faces:
    """Faces cut off at a window's edges; one of which less than half is seen becomes a region to ignore."""
    boxes = np.clip(faces.boxes, 0, size)
    whole = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    seen = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / np.maximum(whole, 1e-6)
    ignore = np.clip(faces.ignore, 0, size)
    ignore = ignore[np.prod(ignore[:, 2:] - ignore[:, :2], axis=1) > 0]
    hidden = boxes[(seen < 0.5) & (seen > 0)]
    return replace(replace(faces, boxes=boxes).take(seen >= 0.5), ignore=np.concatenate([ignore, hidden]))


def recolour(image: np.ndarray, views: Views, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation, colour cast; now and then grey, blurred, noisy."""
    gain = 1 + rng.uniform(-views.colour, views.colour)
    cast = 1 + rng.uniform(-views.colour, views.colour, 3) / 3
    shift = rng.uniform(-views.colour, views.colour) * 80
    saturation = 0.0 if rng.random() < views.grey else 1 + rng.uniform(-views.colour, views.colour)
    luma = np.array([0.299, 0.587, 0.114])
    mix = (saturation * np.eye(3) + (1 - saturation) * luma[None]) * gain * cast[:, None]
    out = cv2.transform(image, np.hstack([mix, np.full((3, 1), shift)]).astype(np.float32))
    if rng.random() < views.blur:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < views.noise:
        spread = rng.uniform(2, 12)
        grain = np.random.default_rng(rng.integers(2**32)).standard_normal(out.shape, np.float32)
        out = np.clip(out + spread * grain, 0, 255).astype(np.uint8)
    return out


def _paste(image: np.ndarray, faces: Faces, patch: Patch | None, views: Views, rng: np.random.Generator) -> Faces:
    if patch is None:
        return faces
    size = image.shape[0]
    height = float(patch.faces.heights[0])
    wanted = np.exp(rng.uniform(np.log(views.low + 2), np.log(0.6 * size)))
    scale = min(wanted / height, 2.5)
    angle = rng.normal(0, 12) if rng.random() < views.turn else 0.0
    if rng.random() < 0.5:
        patch = _flipped(patch)
    half = (patch.faces.boxes[0, 2:] - patch.faces.boxes[0, :2]) * scale / 2
    taken = np.concatenate([faces.boxes, faces.ignore])
    for _ in range(8):
        centre = rng.uniform(0.6 * half, np.maximum(size - 0.6 * half, 0.6 * half + 1))
        if room(taken, np.concatenate([centre - half, centre + half])):
            oval = rng.random() < 0.6
            placed = paste(image, patch, (float(centre[0]), float(centre[1])), scale, angle, oval)
            return join(faces, cut(placed, size))
    return faces


def _flipped(patch: Patch) -> Patch:
    flip = np.array([[-1.0, 0.0, patch.image.shape[1]], [0.0, 1.0, 0.0]])
    return Patch(np.ascontiguousarray(patch.image[:, ::-1]), transformed(mirrored(patch.faces), flip))
