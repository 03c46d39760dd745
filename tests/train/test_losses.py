"""The losses against plain NumPy, row by row."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from handlens_train import losses  # noqa: E402

RNG = np.random.default_rng(0)


def _rows(loss: keras.losses.Loss, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(loss.call(y, x))


def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative() -> None:
    x, y = RNG.standard_normal((12, 5)).astype(np.float32), np.repeat(np.arange(4), 3)
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    expected = []
    for i in range(12):
        positive = max(distance[i, j] for j in range(12) if y[j] == y[i])
        negative = min(distance[i, j] for j in range(12) if y[j] != y[i])
        expected.append((positive, negative))
    near, far = np.array(expected).T
    np.testing.assert_allclose(_rows(losses.BatchHardTriplet(), y, x), np.log1p(np.exp(near - far)), rtol=1e-4)
    np.testing.assert_allclose(_rows(losses.BatchHardTriplet(0.3), y, x), np.maximum(near - far + 0.3, 0), atol=1e-4)


def test_batch_hard_has_a_finite_gradient_for_equal_images() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", losses.BatchHardTriplet(), jit_compile=False)
    model.train_on_batch(np.zeros((6, 3), np.float32), np.array([0, 0, 1, 1, 2, 2]))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_siamese_reads_anchor_positive_negative() -> None:
    x = RNG.standard_normal((9, 4)).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    a, p, n = unit[0::3], unit[1::3], unit[2::3]
    expected = np.maximum(((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 0.2, 0)
    np.testing.assert_allclose(_rows(losses.SiameseTriplet(0.2), np.zeros(9), x), np.repeat(expected, 3), rtol=1e-4)


def test_smoothing_spreads_a_tenth_over_all_identities() -> None:
    logits, y = RNG.standard_normal((6, 5)).astype(np.float32), np.array([0, 1, 2, 3, 4, 0])
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    target = np.eye(5)[y] * 0.9 + 0.1 / 5
    np.testing.assert_allclose(_rows(losses.SmoothIdentity(0.1), y, logits), -(target * log_p).sum(1), rtol=1e-4)


def test_distillation_is_zero_for_any_scale_of_the_teacher() -> None:
    teacher = RNG.standard_normal((5, 8)).astype(np.float32)
    np.testing.assert_allclose(_rows(losses.EmbeddingDistillation(), teacher, 7 * teacher), 0, atol=1e-5)
    np.testing.assert_allclose(_rows(losses.EmbeddingDistillation(), teacher, -teacher), 2, atol=1e-5)
