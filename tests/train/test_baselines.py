"""PCA, LDA and k-NN against second implementations, and as Keras models."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
from handlens import metrics  # noqa: E402
from handlens.errors import DataError, ImageShapeError, OptionError, RunError  # noqa: E402
from handlens_train import baselines  # noqa: E402
from handlens_train.baselines import Baseline, fit_lda, fit_pca, knn_rank, neighbours  # noqa: E402
from handlens_train.evidence.matches import normalised  # noqa: E402


def _noise(count: int, seed: int, shape: tuple[int, int, int] = (8, 4, 1)) -> np.ndarray:
    """Images that share a few patterns, so that their variance has a few strong directions and a tail."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(6, *shape)) * np.array([40, 30, 20, 10, 5, 3])[:, None, None, None]
    images = 128 + np.tensordot(rng.normal(size=(count, 6)), patterns, 1) + rng.normal(0, 2, (count, *shape))
    return np.clip(images, 0, 255).astype(np.uint8)


def _people(first: int, count: int, shots: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A faint pattern in the upper half tells people apart; a strong, changing light in the lower half hides it."""
    images, ids = [], []
    for person in range(first, first + count):
        look = np.random.default_rng(person).normal(0, 12, (4, 4, 1))
        for shot in range(shots):
            rng = np.random.default_rng((person, shot))
            image = np.full((8, 4, 1), 128.0)
            image[:4] += look + rng.normal(0, 2, (4, 4, 1))
            image[4:] += rng.normal(0, 45, (1, 4, 1))
            images.append(np.clip(image, 0, 255).astype(np.uint8))
            ids.append(person)
    return np.stack(images), np.array(ids)


def _rank1(fitted: Baseline, images: np.ndarray, ids: np.ndarray) -> float:
    unit = normalised(fitted.embed(images))
    cameras = np.arange(len(ids))  # every image its own camera: only the probe itself is left out
    return float(metrics.cmc(metrics.rank(unit @ unit.T, ids, ids, cameras, cameras), 1)[0])


def test_explained_variance_is_that_of_a_singular_value_decomposition() -> None:
    images = _noise(60, 0)
    pixels = images.reshape(60, -1).astype(np.float64)
    values = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False) ** 2
    share = np.cumsum(values) / values.sum()
    fitted = fit_pca(images, 0.9)
    np.testing.assert_allclose(np.cumsum(fitted.spectrum)[: len(share)], share[: len(fitted.spectrum)], atol=1e-5)
    assert fitted.dimension == np.flatnonzero(share >= 0.9)[0] + 1
    assert fitted.explained >= 0.9 and fitted.components_for(0.9) == fitted.dimension
    np.testing.assert_allclose(fitted.components @ fitted.components.T, np.eye(fitted.dimension), atol=1e-5)


def test_wide_images_need_as_many_components_by_the_quick_way_as_by_the_full_one(monkeypatch) -> None:
    images = _noise(90, 1, (16, 8, 1))
    full = fit_pca(images, 0.9)
    monkeypatch.setattr(baselines, "_EIGH_PIXELS", 0)
    monkeypatch.setattr(baselines, "_RANDOMISED", (2, 12))
    quick = fit_pca(images, 0.9)
    assert len(quick.spectrum) == 12 < len(full.spectrum)
    assert quick.dimension == full.dimension
    np.testing.assert_allclose(quick.spectrum[:3], full.spectrum[:3], rtol=1e-3)
    beyond = fit_pca(images, 0.9999)
    assert beyond.explained >= 0.9999 and quick.components_for(0.9999) is None


def test_all_components_rebuild_the_image_and_fewer_rebuild_less() -> None:
    images = _noise(40, 2)
    fitted = fit_pca(images, 1.0)
    errors = [np.abs(fitted.reconstruct(images, k).astype(int) - images).mean() for k in (0, 1, 3, None)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 < 3 < errors[0]
    with pytest.raises(OptionError, match="keeps 0 to"):
        fitted.reconstruct(images, 1000)


def test_embeddings_are_centred_and_whitening_makes_their_spreads_equal() -> None:
    images = _noise(200, 3)
    plain, white = (fit_pca(images, 0.9, whiten=whiten).embed(images) for whiten in (0.0, 1.0))
    assert np.abs(plain.mean(axis=0)).max() < 1e-4
    assert np.sqrt(np.mean(plain**2)) == pytest.approx(1, abs=1e-3)
    assert plain.std(axis=0).max() > 1.3 * plain.std(axis=0).min()
    np.testing.assert_allclose(white.std(axis=0), 1, atol=1e-2)


def test_lda_knows_people_it_never_saw_where_pca_sees_the_light() -> None:
    images, ids = _people(0, 60)
    strangers, names = _people(1000, 20)
    lda, pca = fit_lda(images, ids, variance=0.9999, dimension=12, flip=False), fit_pca(images, 0.95)
    assert lda.dimension == 12 and lda.identities == 60
    assert _rank1(lda, strangers, names) > 0.9
    assert _rank1(pca, strangers, names) < 0.5


def test_mirrored_images_take_part_in_the_fit() -> None:
    images, ids = _people(0, 12)
    mean = fit_lda(images, ids, flip=True).mean.reshape(8, 4)
    np.testing.assert_allclose(mean, mean[:, ::-1], atol=1e-5)
    assert np.abs(np.diff(fit_pca(images, 0.9).mean.reshape(8, 4)[:, ::3], axis=1)).max() > 1e-3


@pytest.mark.parametrize("kind", ["pca", "lda"])
def test_the_keras_model_answers_as_the_fit_does(kind: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    images, ids = _people(0, 12)
    fitted = fit_pca(images) if kind == "pca" else fit_lda(images, ids)
    fitted.save(tmp_path / "fit.npz")
    model = Baseline.load(tmp_path / "fit.npz").keras_model(keras)
    tensor = images.astype(np.float32) * baselines.SCALE + baselines.OFFSET
    answer = keras.ops.convert_to_numpy(model(tensor)["embedding"])
    assert model.input.name == "image" and answer.shape == (72, fitted.dimension)
    np.testing.assert_allclose(answer, fitted.embed(images), atol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    images, ids = _people(0, 4)
    for variance in (0.0, 1.5):
        with pytest.raises(OptionError, match="variance"):
            fit_pca(images, variance)
    with pytest.raises(OptionError, match="whiten=2"):
        fit_pca(images, whiten=2)
    with pytest.raises(OptionError, match="shrinkage=-1"):
        fit_lda(images, ids, shrinkage=-1)
    with pytest.raises(OptionError, match="dimension=0"):
        fit_lda(images, ids, dimension=0)
    with pytest.raises(DataError, match="one identity an image"):
        fit_lda(images, ids[1:])
    with pytest.raises(DataError, match="two identities"):
        fit_lda(images, np.zeros_like(ids))
    with pytest.raises(DataError, match="the same"):
        fit_pca(np.full((3, 8, 4, 1), 7, np.uint8))
    with pytest.raises(ImageShapeError, match="two images or more"):
        fit_pca(images[:1])
    fitted = fit_pca(images)
    for wrong in (images.astype(np.float32), images[:, :4]):
        with pytest.raises(ImageShapeError, match=r"\(N, 8, 4, 1\)"):
            fitted.embed(wrong)
    (tmp_path / "not.npz").write_bytes(b"PK\x03\x04 cut short")
    for name in ("not.npz", "missing.npz"):
        with pytest.raises(RunError, match=name):
            Baseline.load(tmp_path / name)


def test_knn_agrees_with_the_cumulative_match_characteristic() -> None:
    rng = np.random.default_rng(5)
    ids = rng.permutation(40)
    gallery = rng.normal(size=(40, 8))
    probes = gallery + rng.normal(0, 0.8, gallery.shape)
    found = knn_rank(probes, gallery, ids, ids, (1, 5, 10))
    curve = metrics.cmc(metrics.rank(normalised(probes) @ normalised(gallery).T, ids, ids), 10)
    assert found == pytest.approx({k: curve[k - 1] for k in (1, 5, 10)})
    assert 0 < found[1] < found[10]
    indices, distances = neighbours(gallery, gallery, 3)
    assert (indices[:, 0] == np.arange(40)).all() and (np.diff(distances, axis=1) >= 0).all()
    with pytest.raises(OptionError, match="1 to 40"):
        neighbours(probes, gallery, 41)
    with pytest.raises(OptionError, match="metric 'taxi'"):
        neighbours(probes, gallery, 3, "taxi")
