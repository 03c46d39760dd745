import cv2
import numpy as np
import pytest

from handlens.errors import OptionError
from handlens_train.augment import NONE, Augment, augment


def disc_width(image: np.ndarray) -> int:
    """Of the white disc, in pixels of its middle row."""
    return int((image[32, :, 0] > 200).sum())


def test_zoom_makes_things_smaller_and_larger_within_its_limit() -> None:
    image = cv2.circle(np.zeros((64, 64, 3), np.uint8), (32, 32), 15, (255, 255, 255), -1)
    how = Augment(flip=0, shift=0, rotate=0, colour=0, erase=0, zoom=0.2)
    widths = [disc_width(augment(image, how, np.random.default_rng(seed))) for seed in range(60)]
    assert 0.8 * 31 - 2 <= min(widths) < 0.9 * 31 and 1.1 * 31 < max(widths) <= 1.2 * 31 + 2
    np.testing.assert_array_equal(augment(image, NONE, np.random.default_rng(0)), image)


def test_zoom_out_of_range_is_refused() -> None:
    with pytest.raises(OptionError, match="zoom=0.6"):
        Augment(zoom=0.6)
