"""Aligned views of faces for distillation: moved, recoloured, blurred, and blended into faces of nobody.

Teacher and student see the same view (Beyer et al. 2022), so a view may be strange as long as it looks like a face: a
blend of two people is a further person to learn from, whom no test knows.
"""

from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np

from handlens_train.view_change import ViewChange

Teacher = Callable[[np.ndarray], np.ndarray]


def view(image: np.ndarray, matrix: np.ndarray, size: int, how: ViewChange, rng: np.random.Generator) -> np.ndarray:
    """One moved view, uint8 (size, size, 3): `matrix` (2, 3) takes the photograph to the aligned frame."""
    angle = np.deg2rad(rng.uniform(-how.rotate, how.rotate))
    zoom = np.exp(rng.uniform(-how.scale, how.scale))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, size / 2)
    shift = rng.uniform(-how.shift, how.shift, 2) * size
    moved = np.hstack([turn @ matrix[:, :2], (turn @ (matrix[:, 2] - centre) + centre + shift)[:, None]])
    moved[:, 2] += moved[:, :2] @ (0.5, 0.5) - 0.5  # from corners at whole numbers to OpenCV's centres
    out = cv2.warpAffine(image, moved, (size, size), flags=cv2.INTER_LINEAR)
    return out[:, ::-1] if rng.random() < how.flip else out


def blend(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face of nobody: a mean of two aligned faces, or one part of the first and another of the second."""
    size = first.shape[0]
    if rng.random() < 0.5:
        mask = np.float32(rng.uniform(0.35, 0.65))
    else:
        rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
        angle = rng.uniform(0, 2 * np.pi)
        edge = (np.cos(angle) * columns + np.sin(angle) * rows - rng.uniform(-0.1, 0.1)) * 16
        mask = (1 / (1 + np.exp(-edge)))[..., None].astype(np.float32)
    return np.clip(first * mask + second * (1 - mask) + 0.5, 0, 255).astype(np.uint8)


def finish(image: np.ndarray, how: ViewChange, rng: np.random.Generator) -> np.ndarray:
    """Light, focus and occlusion of a uint8 view."""
    c = how.colour
    brightness, contrast, saturation, gamma = 1 + rng.uniform(-c, c, 4)
    mean = float(image.mean())
    levels = (np.arange(256) / 255) ** gamma * 255
    levels = np.clip((levels - mean) * contrast + mean * brightness + 0.5, 0, 255).astype(np.uint8)
    out = cv2.LUT(np.ascontiguousarray(image), levels)
    grey = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    out = cv2.addWeighted(out, saturation, grey, 1 - saturation, 0)
    size = out.shape[0]
    if rng.random() < how.blur:
        small = round(size * rng.uniform(0.3, 0.8))
        out = cv2.resize(cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < how.erase:
        height, width = rng.integers(size // 10, size // 3, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        out[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    return out


class Views(keras.utils.PyDataset):
    """An epoch: each photograph once, in an order of (seed, epoch), with the teacher's answer to the very view.

    Items are (scaled views (N, size, size, 3) float32, {"embedding": (N, D), "people": (N,) or -1 where blended}).
    """

    def __init__(
        self,
        photos: Sequence[np.ndarray],
        matrices: np.ndarray,
        people: np.ndarray,
        teacher: Teacher,
        size: int,
        batch: int,
        how: ViewChange,
        seed: tuple[int, int],
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self.photos, self.matrices, self.people, self.teacher = photos, matrices, people, teacher
        self.size, self.how, self.seed = size, how, seed
        order = np.random.default_rng(seed).permutation(len(photos))
        self.batches = [order[i : i + batch] for i in range(0, len(order) - batch + 1, batch)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int):
        chosen = self.batches[index]
        rng = np.random.default_rng((*self.seed, index))
        views, people = [], self.people[chosen].copy()
        for row, photo in enumerate(chosen):
            one = self._view(photo, rng)
            if rng.random() < self.how.blend:
                one, people[row] = blend(one, self._view(int(rng.integers(len(self.photos))), rng), rng), -1
            views.append(finish(one, self.how, rng))
        pixels = np.stack(views)
        return pixels.astype(np.float32) / 128 - 1, {"embedding": self.teacher(pixels), "people": people}

    def _view(self, photo: int, rng: np.random.Generator) -> np.ndarray:
        return view(self.photos[photo], self.matrices[photo], self.size, self.how, rng)
