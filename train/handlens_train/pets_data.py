"""Pets in memory, and batches of random views with the targets of a network's outputs. Imports Keras."""

from dataclasses import dataclass, replace

import cv2
import keras
import numpy as np

from handlens.image import load_image, resize
from handlens_data.datasets import pets
from handlens_data.datasets.pets import BACKGROUND, FOREGROUND, PetSplit
from handlens_train.images import scaled
from handlens_train.mask_views import IGNORE, foreground_target, view
from handlens_train.tasks.pets import Recipe

KNOWN = 0.7
MISSING = -1  # a label that `MaskedCrossEntropy` leaves out


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A split in memory: RGB images of their own sizes, and uint8 trimaps of the same sizes, all `IGNORE` for none."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    breeds: np.ndarray
    masked: np.ndarray

    @classmethod
    def of(cls, split: PetSplit, longest: int) -> "Material":
        """Read a split, images no longer than `longest` pixels: a view needs no more, and memory holds it.

        Raises:
            ImageError: a file is damaged.
        """
        images, masks = [], []
        for pet in split.pets:
            image = load_image(pet.path)
            mask = np.full(image.shape[:2], IGNORE, np.uint8) if pet.mask is None else pets.read_mask(pet.mask)
            shrink = min(1.0, longest / max(image.shape[:2]))
            if shrink < 1:
                height, width = (max(1, round(side * shrink)) for side in image.shape[:2])
                rows = ((np.arange(height) + 0.5) * mask.shape[0] / height).astype(int)
                columns = ((np.arange(width) + 0.5) * mask.shape[1] / width).astype(int)
                image, mask = resize(image, height, width), mask[rows][:, columns]
            images.append(image)
            masks.append(np.ascontiguousarray(mask))
        masked = np.flatnonzero([pet.mask is not None for pet in split.pets])
        return cls(images, masks, split.breeds, masked)


def drawn(material: Material, how: Recipe, seed: int, epoch: int) -> list[list[tuple[int, bool]]]:
    """The batches of an epoch: (index, whether its breed counts) each.

    Every image comes once with its breed; to each batch come `how.masked` masked ones for their mask alone, so that few
    masks are seen often, and their breeds no more often than others.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(material.images))
    batches = []
    for start in range(0, max(len(order) - how.batch, 0) + 1, how.batch):
        own = [(int(index), True) for index in order[start : start + how.batch]]
        more = rng.choice(material.masked, how.masked) if len(material.masked) and how.masked else []
        batches.append(own + [(int(index), False) for index in more])
    return batches


def taught(material: Material, logits: np.ndarray, sure: float) -> Material:
    """The same images, but those without a mask get the cells of which a network is sure (Lee 2013: pseudo-labels).

    An image gets nothing where less than `KNOWN` of it is sure, or all of that on one side.

    Args:
        material: N images.
        logits: (N, h, w) of the foreground.
        sure: probability from which a side is believed, 0.5..1.
    """
    limit, masks, own = np.log(sure / (1 - sure)), list(material.masks), set(material.masked.tolist())
    for index, logit in enumerate(logits):
        if index in own:
            continue
        size = (masks[index].shape[1], masks[index].shape[0])
        whole = cv2.resize(np.asarray(logit, np.float32), size, interpolation=cv2.INTER_LINEAR)
        mask = np.select([whole >= limit, whole <= -limit], [FOREGROUND, BACKGROUND], IGNORE).astype(np.uint8)
        if (mask != IGNORE).mean() >= KNOWN and len(np.unique(mask[mask != IGNORE])) == 2:
            masks[index] = mask
    return replace(material, masks=masks)


class Views(keras.utils.PyDataset):
    """One epoch of views, computed beside the training step, with the targets "class" and "mask", or "picture".

    A "class" is an index into the breeds, or `MISSING` where it does not count; a "mask" as
    `mask_views.foreground_target` makes it; a "picture" the view itself, scaled.
    """

    def __init__(self, material: Material, how: Recipe, stride: int, seed: int, epoch: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.material, self.how, self.stride, self.seed = material, how, stride, (seed, epoch)
        self.batches = drawn(material, how, seed, epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        how, rng = self.how, np.random.default_rng((*self.seed, index))
        size, images, masks = (how.size, how.size), [], []
        for item, _ in self.batches[index]:
            image, moved = view(self.material.images[item], {"mask": self.material.masks[item]}, size, how.views, rng)
            images.append(image)
            masks.append(foreground_target(moved["mask"], self.stride))
        x = scaled(np.stack(images), how.input())
        if how.network == "autoencoder":
            return x, {"picture": x}
        breeds = [self.material.breeds[item] if counts else MISSING for item, counts in self.batches[index]]
        return x, {"class": np.array(breeds, np.int32)[:, None], "mask": np.stack(masks)}
