"""Which images make a batch: P identities x K images, or (anchor, positive, negative) triplets, by seed and epoch."""

import keras
import numpy as np

from handlens_train.augment import Augment, augment


def identity_batches(labels: np.ndarray, identities: int, images: int, seed: int, epoch: int) -> list[np.ndarray]:
    """P x K batches (Hermans et al. 2017): each index list holds `identities` labels, `images` of each.

    Every image is used about once an epoch; a label with fewer than `images` images repeats some.
    """
    rng = np.random.default_rng((seed, epoch))
    chunks: list[np.ndarray] = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        spare = -len(members) % images
        members = np.concatenate([members, rng.choice(members, spare)]) if spare else members
        chunks.extend(members.reshape(-1, images))
    order = rng.permutation(len(chunks))
    batches, waiting = [], [chunks[i] for i in order]
    while waiting:
        batch, taken, rest = [], set(), []
        for chunk in waiting:
            label = labels[chunk[0]]
            if len(batch) < identities and label not in taken:
                batch.append(chunk)
                taken.add(label)
            else:
                rest.append(chunk)
        if len(batch) < identities:
            break
        batches.append(np.concatenate(batch))
        waiting = rest
    return [batches[i] for i in rng.permutation(len(batches))]


def triplet_batches(labels: np.ndarray, triplets: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Random triplets, rows anchor, positive, negative, ...: every image is the anchor once an epoch."""
    rng = np.random.default_rng((seed, epoch))
    members = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    rows = []
    for anchor in rng.permutation(len(labels)):
        same = members[labels[anchor]]
        if len(same) < 2 or len(members) < 2:
            continue
        positive = anchor
        while positive == anchor:
            positive = rng.choice(same)
        negative = rng.integers(len(labels))
        while labels[negative] == labels[anchor]:
            negative = rng.integers(len(labels))
        rows.append((anchor, positive, negative))
    flat = np.array(rows, dtype=np.int64)
    count = len(flat) // triplets
    return [flat[i * triplets : (i + 1) * triplets].ravel() for i in range(count)]


class Batches(keras.utils.PyDataset):
    """One epoch of augmented, scaled batches, computed beside the training step.

    images: uint8 (N, H, W, C). targets: output name -> array (N, ...), indexed alongside the images. batches: index
    lists. scale, offset: pixels * scale + offset a channel, as the artifact's manifest will say.
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: dict[str, np.ndarray],
        batches: list[np.ndarray],
        how: Augment,
        scale: tuple[float, ...],
        offset: tuple[float, ...],
        seed: tuple[int, ...],
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.images, self.targets, self.batches, self.how = images, targets, batches, how
        self.scale, self.offset = np.array(scale, np.float32), np.array(offset, np.float32)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int):
        chosen = self.batches[index]
        rng = np.random.default_rng((*self.seed, index))
        pixels = np.stack([augment(self.images[i], self.how, rng) for i in chosen])
        scaled = pixels.astype(np.float32) * self.scale + self.offset
        return scaled, {name: values[chosen] for name, values in self.targets.items()}
