"""Views of people for the mask: near, far, or cut out and put before another picture. Imports Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import keras
import numpy as np

from handlens_train.images import scaled
from handlens_train.mask_views import IGNORE, MaskAugment, foreground_target, label_target, view
from handlens_train.tasks.person_mask import CLASS_STRIDE, Recipe

BEHIND = MaskAugment(zoom=0.5, aspect=0.3, shift=0.1, mirror=1.0)
NOBODY = 0.3  # of the views before a picture without people: so many show that picture alone


class Teacher(Protocol):
    """A trained network that says what a mask should be. size: (height, width) of the views that it wants."""

    size: tuple[int, int]

    def __call__(self, views: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
        """uint8 (N, height, width, 3) to probabilities of foreground, (N, *cells, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Photographs in memory, uint8 (H, W, 3), with their grouped labels, uint8 (H, W), and pictures without people."""

    images: Sequence[np.ndarray]
    groups: Sequence[np.ndarray]
    empty: Sequence[np.ndarray] = ()


def one_view(
    index: int, material: Material, how: Recipe, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A view of photograph `index`, `size` being (height, width): uint8 (height, width, 3) and its groups."""
    image, groups = _seen(index, material, how, size, rng)
    if rng.random() >= how.paste:
        return image, groups
    if len(material.empty) and rng.random() < 0.5:
        picture = material.empty[int(rng.integers(len(material.empty)))]
        nobody = {"groups": np.zeros(picture.shape[:2], np.uint8)}
        behind, moved = view(picture, nobody, size, BEHIND, rng)
        if rng.random() < NOBODY:
            return behind, moved["groups"]
        return paste(image, groups, behind, moved["groups"])
    other = int(rng.integers(len(material.images)))
    return paste(image, groups, *_seen(other, material, how, size, rng))


def _seen(
    index: int, material: Material, how: Recipe, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    image, groups, draw = material.images[index], material.groups[index], rng.random()
    if how.far <= draw < how.far + how.close:
        image, groups = close_up(image, groups, rng)
    strengths = how.far_views if draw < how.far else how.near_views
    seen, moved = view(image, {"groups": groups}, size, strengths, rng, lean=how.lean)
    return seen, moved["groups"]


def close_up(image: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A portrait out of a photograph: from above the head down to somewhere between the chin and the hips.

    The whole photographs show nobody near; a network that never saw a face fill the picture finds none there.
    """
    rows = np.flatnonzero(((groups != 0) & (groups != IGNORE)).any(axis=1))
    if len(rows) < 16:
        return image, groups
    high = max(16, round((rows[-1] - rows[0] + 1) * rng.uniform(0.13, 0.5)))
    head = groups[rows[0] : rows[0] + max(8, high // 2)]
    middle = float(np.flatnonzero(((head != 0) & (head != IGNORE)).any(axis=0)).mean())
    wide, above = high * rng.uniform(0.6, 1.5), high * rng.uniform(-0.05, 0.3)
    top, left = max(0, round(rows[0] - above)), max(0, round(middle - wide * rng.uniform(0.35, 0.65)))
    part = np.s_[top : top + high, left : left + max(16, round(wide))]
    return np.ascontiguousarray(image[part]), np.ascontiguousarray(groups[part])


def paste(
    image: np.ndarray, groups: np.ndarray, behind: np.ndarray, below: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The person of one view before another view, with a soft outline; what the first ignores stays the second's."""
    person = (groups != 0) & (groups != IGNORE)
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 0.8)[..., None]
    mixed = image * soft + behind * (1 - soft)
    return (mixed + 0.5).astype(np.uint8), np.where(person, groups, below).astype(np.uint8)


class Views(keras.utils.PyDataset):
    """An epoch: each photograph once, in an order of (seed, epoch).

    Items are (scaled views (N, H, W, 3) float32, {"mask": (N, H/s, W/s, 1) float32, "classes": (N, H/4, W/4) uint8}).
    A teacher sees the very views, at its own size.
    """

    def __init__(self, material: Material, how: Recipe, seed: tuple[int, int], teacher: Teacher | None = None) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self.material, self.how, self.seed, self.teacher = material, how, seed, teacher
        order = np.random.default_rng(seed).permutation(len(material.images))
        self.batches = [order[i : i + how.batch] for i in range(0, max(1, len(order) - how.batch + 1), how.batch)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        how, rng = self.how, np.random.default_rng((*self.seed, index))
        drawn = (how.height, how.width) if self.teacher is None else self.teacher.size
        views = [one_view(int(photo), self.material, how, drawn, rng) for photo in self.batches[index]]
        size = (how.width, how.height)
        pixels = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image, _ in views])
        labels = [cv2.resize(groups, size, interpolation=cv2.INTER_NEAREST) for _, groups in views]
        mask = np.stack([foreground_target(groups, how.stride) for groups in labels])
        if self.teacher is not None:
            told = self.teacher(np.stack([image for image, _ in views]), mask.shape[1:3])
            mask = np.where(mask <= 1.0, how.distil * told + (1 - how.distil) * mask, mask).astype(np.float32)
        targets = {"mask": mask}
        if how.classes:
            targets["classes"] = np.stack([label_target(groups, CLASS_STRIDE) for groups in labels])
        return scaled(pixels, how.input()), targets
