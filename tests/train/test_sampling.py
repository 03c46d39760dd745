"""Batches hold what the losses need, and follow from seed and epoch alone."""

import numpy as np
import pytest

pytest.importorskip("keras")
from handlens_train.augment import NONE, Augment, augment  # noqa: E402
from handlens_train.sampling import Batches, identity_batches, triplet_batches  # noqa: E402

LABELS = np.repeat(np.arange(10), [2, 3, 4, 5, 6, 7, 8, 9, 10, 30])


def test_a_batch_holds_p_identities_with_k_images_each() -> None:
    batches = identity_batches(LABELS, 4, 3, seed=0, epoch=0)
    assert len(batches) > 3
    for batch in batches:
        labels, counts = np.unique(LABELS[batch], return_counts=True)
        assert len(labels) == 4 and (counts == 3).all()


def test_triplets_pair_an_identity_with_itself_and_with_another() -> None:
    for batch in triplet_batches(LABELS, 7, seed=0, epoch=0):
        anchor, positive, negative = batch[0::3], batch[1::3], batch[2::3]
        assert (LABELS[anchor] == LABELS[positive]).all() and (anchor != positive).all()
        assert (LABELS[anchor] != LABELS[negative]).all()


@pytest.mark.parametrize(
    "make", [lambda s, e: identity_batches(LABELS, 4, 3, s, e), lambda s, e: triplet_batches(LABELS, 5, s, e)]
)
def test_epochs_differ_and_can_be_made_again(make) -> None:
    first, again, later = make(0, 0), make(0, 0), make(0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, later, strict=False))


def test_a_batch_is_scaled_as_the_manifest_says_and_repeats() -> None:
    images = np.random.default_rng(0).integers(0, 256, (len(LABELS), 16, 8, 3), dtype=np.uint8)
    chosen = identity_batches(LABELS, 4, 3, 0, 0)
    plain = Batches(images, {"feature": LABELS}, chosen, NONE, (1 / 128,) * 3, (-1.0,) * 3, (0, 0))
    pixels, targets = plain[1]
    np.testing.assert_array_equal(pixels, images[chosen[1]].astype(np.float32) / 128 - 1)
    np.testing.assert_array_equal(targets["feature"], LABELS[chosen[1]])
    varied = Batches(images, {}, chosen, Augment(), (1.0,) * 3, (0.0,) * 3, (0, 0))
    np.testing.assert_array_equal(varied[2][0], varied[2][0])
    assert not np.array_equal(varied[2][0], images[chosen[2]])


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_keeps_shape_and_type_and_leaves_the_original(channels: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 32, channels), dtype=np.uint8)
    before = image.copy()
    for seed in range(30):
        changed = augment(image, Augment(erase=1.0), np.random.default_rng(seed))
        assert changed.shape == image.shape and changed.dtype == np.uint8
    assert np.array_equal(image, before)
    assert np.array_equal(augment(image, NONE, np.random.default_rng(0)), image)


def test_strengths_out_of_range_are_refused() -> None:
    from handlens.errors import OptionError

    with pytest.raises(OptionError, match="rotate=90"):
        Augment(rotate=90)
