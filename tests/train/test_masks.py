"""What segmentation tasks share: views that move picture and mask alike, targets, losses against NumPy, the decoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlens.errors import OptionError
from handlens_train import mask_views
from handlens_train.mask_views import IGNORE, NONE, MaskAugment, fit_matrix, foreground_target, label_target, view

keras = pytest.importorskip("keras")
from handlens_train import mask_nets  # noqa: E402
from handlens_train.mask_losses import LabelLoss, MaskLoss  # noqa: E402

RNG = np.random.default_rng(0)
MOVES = {"colour": 0.0, "blur": 0.0, "noise": 0.0}


def scene(height: int = 60, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A white rectangle off the centre of black, uint8 (H, W, 3), and its mask."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 4 * 3] = 1
    return np.repeat(mask[..., None] * 255, 3, axis=2), mask


@pytest.mark.parametrize("geometry", ["resize", "letterbox"])
def test_an_unmoved_view_is_what_the_device_prepares(geometry: str) -> None:
    from handlens.image import prepare
    from handlens_train.recipe import image_input

    image, mask = scene()
    image = np.clip(image.astype(int) + RNG.integers(-20, 20, image.shape), 0, 255).astype(np.uint8)
    seen, moved = view(image, {"mask": mask}, (48, 48), NONE, np.random.default_rng(0), geometry=geometry)  # type: ignore[arg-type]
    prepared = prepare(image, image_input(48, 48, geometry=geometry))  # type: ignore[arg-type]
    near = np.abs(seen.astype(int) - prepared).max(axis=2) <= 3
    assert near.mean() > 0.9 and near[2:-2, 10:-10].all()  # grey shines through at the very edge
    inside = prepared.mean(axis=2) > 140
    assert (inside == (moved["mask"] == 1)).mean() > 0.97


@given(seed=st.integers(0, 10_000), mirror=st.sampled_from([0.0, 1.0]))
def test_the_mask_goes_where_the_picture_goes(seed: int, mirror: float) -> None:
    image, mask = scene()
    how = MaskAugment(zoom=0.4, shrink=0.3, aspect=0.3, shift=0.2, rotate=30.0, mirror=mirror, **MOVES)
    seen, moved = view(image, {"mask": mask, "again": mask}, (64, 48), how, np.random.default_rng(seed))
    np.testing.assert_array_equal(moved["mask"], moved["again"])
    white = seen.mean(axis=2) > 127
    assert (white == (moved["mask"] == 1)).mean() > 0.94
    again, same = view(image, {"mask": mask, "again": mask}, (64, 48), how, np.random.default_rng(seed))
    np.testing.assert_array_equal(seen, again)
    np.testing.assert_array_equal(moved["mask"], same["mask"])


def test_a_flip_mirrors_both() -> None:
    image, mask = scene()
    mask[:, :12] = 2
    how = MaskAugment(**{**dict.fromkeys(("zoom", "aspect", "shift", "rotate", "mirror"), 0.0), **MOVES, "flip": 1.0})
    seen, moved = view(image, {"mask": mask}, mask.shape, how, np.random.default_rng(0))
    np.testing.assert_array_equal(seen, image[:, ::-1])
    np.testing.assert_array_equal(moved["mask"], mask[:, ::-1])


def test_light_leaves_the_mask_and_a_rectangle_is_ignored() -> None:
    image, mask = scene()
    light = MaskAugment(**{**dict.fromkeys(("flip", "zoom", "aspect", "shift", "rotate", "mirror"), 0.0), "erase": 1.0})
    seen, moved = view(image, {"mask": mask}, mask.shape, light, np.random.default_rng(3))
    assert (moved["mask"] == IGNORE).any() and (seen != image).any()
    kept = moved["mask"] != IGNORE
    np.testing.assert_array_equal(moved["mask"][kept], mask[kept])
    with pytest.raises(OptionError, match="zoom=3"):
        MaskAugment(zoom=3)


def test_beyond_the_picture_is_grey_background() -> None:
    image, mask = np.full((20, 20, 3), 200, np.uint8), np.ones((20, 20), np.uint8)
    seen, moved = view(image, {"mask": mask}, (20, 40), NONE, np.random.default_rng(0), geometry="letterbox")
    assert (seen[:, :9] == mask_views.GREY[0]).all() and not moved["mask"][:, :9].any()
    assert (moved["mask"][:, 12:28] == 1).all()
    np.testing.assert_allclose(fit_matrix((20, 20, 3), (20, 40), "letterbox"), [[1, 0, 10], [0, 1, 0]])


def test_targets_at_a_stride() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[0:4, 0:4] = [[1, 1, 2, 0]] * 4
    mask[4:, 4:] = IGNORE
    mask[4, 4] = 1
    got = foreground_target(mask, 4)
    assert got.dtype == np.float32 and got[..., 0].tolist() == [[0.75, 0.0], [0.0, IGNORE]]
    assert foreground_target(mask, 2)[0, 1, 0] == 0.5
    assert label_target(mask, 4).tolist() == [[2, 0], [0, IGNORE]]


def rows(loss: keras.losses.Loss, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(loss.call(y, x))


def test_the_mask_loss_is_cross_entropy_and_dice_of_known_pixels() -> None:
    y, x = RNG.random((3, 4, 4, 1)).astype(np.float32).round(), RNG.normal(0, 2, (3, 4, 4, 1)).astype(np.float32)
    y[0, :2] = IGNORE
    y[2] = IGNORE  # nobody drew this picture's mask
    expected = []
    for truth, logit in zip(y[:2], x[:2], strict=True):
        known = truth <= 1
        t, p = truth[known], 1 / (1 + np.exp(-logit[known].astype(float)))
        entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        expected.append(entropy + 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    got = rows(MaskLoss(dice=1.0), y, x)
    assert got[2] == 0
    np.testing.assert_allclose(got[:2], np.array(expected) * 3 / 2, rtol=1e-4)
    x[0, :2] = 50.0
    np.testing.assert_allclose(rows(MaskLoss(dice=1.0), y, x), got, rtol=1e-4)


def test_losses_stay_finite_where_nothing_is_known_and_where_nobody_is() -> None:
    x = np.full((2, 4, 4, 1), -30.0, np.float32)
    assert rows(MaskLoss(), np.zeros((2, 4, 4, 1), np.float32), x) == pytest.approx([0, 0], abs=1e-4)
    assert rows(MaskLoss(), np.full((2, 4, 4, 1), IGNORE, np.float32), x).tolist() == [0, 0]
    assert rows(LabelLoss(), np.full((2, 4, 4), IGNORE), np.zeros((2, 4, 4, 3), np.float32)).tolist() == [0, 0]
    wrong = rows(MaskLoss(), np.zeros((2, 4, 4, 1), np.float32), -x)
    assert np.isfinite(wrong).all() and (wrong > 10).all()


def test_an_outline_weighs_more_where_that_is_wished() -> None:
    y = np.array([0.0, 0.5, 1.0, 1.0], np.float32).reshape(1, 2, 2, 1)
    x = np.array([-9.0, 4.0, 9.0, 9.0], np.float32).reshape(1, 2, 2, 1)
    assert rows(MaskLoss(0.0, edge=3.0), y, x)[0] > 2 * rows(MaskLoss(0.0), y, x)[0]


def test_the_label_loss_is_weighted_cross_entropy() -> None:
    y, x = RNG.integers(0, 3, (2, 3, 3)), RNG.normal(0, 1, (2, 3, 3, 3)).astype(np.float32)
    y[1, 0] = IGNORE
    weights = np.array([0.5, 1.0, 2.0])
    log_p = x - np.log(np.exp(x).sum(-1, keepdims=True))
    expected = []
    for truth, lp in zip(y, log_p, strict=True):
        known = truth != IGNORE
        w = weights[truth[known]]
        expected.append(-(lp[known][np.arange(known.sum()), truth[known]] * w).sum() / w.sum())
    np.testing.assert_allclose(rows(LabelLoss((0.5, 1.0, 2.0)), y, x), expected, rtol=1e-4)


def test_features_of_every_stride_and_a_decoder_down_to_two() -> None:
    image = keras.Input((64, 32, 3))
    features = mask_nets.trunk(keras, image, (1, 2, 2, 2, 2, 2), last_stride=16)
    assert {s: tuple(x.shape[1:]) for s, x in features.items()} == {
        2: (32, 16, 16),
        4: (16, 8, 24),
        8: (8, 4, 40),
        16: (4, 2, 80),
    }
    features = mask_nets.context(keras, features, 16)
    x = mask_nets.decoder(keras, features, {32: 16, 16: 16, 8: 8, 4: 8, 2: 4})
    assert tuple(x.shape[1:]) == (32, 16, 4)
    model = keras.Model(image, mask_nets.logits(keras, x, 1, "mask", prior=-2.0))
    assert model.get_layer("mask").bias.numpy().tolist() == [-2.0]
    whole = mask_nets.trunk(keras, image, 16)
    assert tuple(whole[32].shape[1:]) == (2, 1, 320) and set(whole) == {2, 4, 8, 16, 32}
