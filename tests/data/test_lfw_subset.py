import numpy as np
import pytest

from handlens.errors import OptionError
from handlens_data.datasets import lfw_subset


def test_splits_have_their_sizes_and_share_no_patch() -> None:
    splits = {name: lfw_subset.load(name) for name in lfw_subset.SIZES}
    assert {name: len(split) for name, split in splits.items()} == lfw_subset.SIZES
    seen = [patch.tobytes() for split in splits.values() for patch in split.images]
    assert len(seen) == len(set(seen)) == 200


def test_each_split_is_half_faces_and_a_face_has_its_label() -> None:
    for name in lfw_subset.SIZES:
        split = lfw_subset.load(name)
        assert split.images.shape[1:] == (25, 25, 1) and split.images.dtype == np.uint8
        assert split.labels.mean() == 0.5
    # Faces are alike and other patches are not: the mean of the label-1 patches keeps far more contrast.
    train = lfw_subset.load("train")
    contrast = [train.images[train.labels == label].mean(axis=0).std() for label in (0, 1)]
    assert contrast[1] > 1.3 * contrast[0]


def test_a_split_is_the_same_each_time_and_its_hash_names_it() -> None:
    first, again, other = lfw_subset.load("val"), lfw_subset.load("val"), lfw_subset.load("test")
    assert first.sha256() == again.sha256() != other.sha256()


def test_an_unknown_split_names_the_valid_ones() -> None:
    with pytest.raises(OptionError, match="train, val, test"):
        lfw_subset.load("dev")
