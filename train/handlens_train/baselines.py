"""Classical baselines: PCA and LDA as one Dense layer on pixels, and k-NN evaluation of any features (scikit-learn).

PCA is Turk and Pentland's eigenfaces (1991), LDA Belhumeur's Fisherfaces (1997): LDA on PCA'd pixels, identities as
classes. Both are affine maps of the flattened image, so a fitted one is Flatten + Dense in Keras and leaves through the
same export door as the networks. Compare embeddings by cosine: the mean image maps to zero, so that they are centred.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError, ImageShapeError, MissingExtra, OptionError, RunError
from handlens.files import write_bytes

# Pixels 0..255 become x = pixel * SCALE + OFFSET in [-1, 1): int8 holds all 256 values of x without loss.
SCALE, OFFSET = 1 / 128, -1.0
_EIGH_PIXELS = 2048  # up to here a full eigendecomposition takes about a second
_RANDOMISED = (256, 640)  # sizes of randomised SVD to try before the full one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """A fitted affine embedding of images: `embedding = flatten(pixels * SCALE + OFFSET) @ kernel + bias`.

    kind: "pca" or "lda". height, width, channels: the images' shape. kernel: float32 (H*W*C, D). bias: float32 (D,).
    mean: the mean image in [-1, 1], float32 (H*W*C,). components: orthonormal principal directions, float32 (K, H*W*C),
    largest variance first. spectrum: share of the training images' variance that each computed direction holds, float32
    (>= K,). images, identities: how many it was fitted on (identities 0: not used).
    """

    kind: str
    height: int
    width: int
    channels: int
    kernel: np.ndarray = field(repr=False)
    bias: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    components: np.ndarray = field(repr=False)
    spectrum: np.ndarray = field(repr=False)
    images: int
    identities: int = 0

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return int(self.kernel.shape[1])

    @property
    def explained(self) -> float:
        """Share (0..1) of the training images' variance that the kept components hold."""
        return float(self.spectrum[: len(self.components)].sum())

    def components_for(self, variance: float) -> int | None:
        """Fewest components that hold `variance` (0..1) of the variance; None when it takes more than were computed."""
        return _count(self.spectrum, variance)

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Embeddings of uint8 images (N, H, W, C): float32 (N, D), not normalised. Same numbers as the Keras model's.

        Raises:
            ImageShapeError: images of another shape or type than it was fitted on.
        """
        return _flatten(images, (self.height, self.width, self.channels)) @ self.kernel + self.bias

    def reconstruct(self, images: np.ndarray, components: int | None = None) -> np.ndarray:
        """Images as the first `components` principal directions (all when None) remember them, uint8 like the input.

        Raises:
            ImageShapeError: images of another shape or type than it was fitted on.
            OptionError: `components` is not in 0..K.
        """
        count = len(self.components) if components is None else components
        if not 0 <= count <= len(self.components):
            raise OptionError(
                f"components={count} is out of range; this {self.kind} keeps 0 to {len(self.components)}."
            )
        basis = self.components[:count]
        pixels = (_flatten(images, (self.height, self.width, self.channels)) - self.mean) @ basis.T @ basis + self.mean
        return np.clip((pixels - OFFSET) / SCALE + 0.5, 0, 255).astype(np.uint8).reshape(images.shape)

    def keras_model(self, keras: Any = None) -> Any:
        """The same map as a Keras model, from "image" float32 (None, H, W, C) in [-1, 1) to {"embedding": (None, D)}.

        `keras` is the keras module; None imports it.
        """
        if keras is None:
            import keras
        image = keras.Input((self.height, self.width, self.channels), name="image", dtype="float32")
        dense = keras.layers.Dense(self.dimension, name="embedding")
        embedding = dense(keras.layers.Flatten(name="pixels")(image))
        dense.set_weights([self.kernel, self.bias])
        return keras.Model(image, {"embedding": embedding}, name=self.kind)

    def save(self, path: Path) -> None:
        """Writes one .npz, atomically."""
        buffer = io.BytesIO()
        np.savez(buffer, **{part.name: getattr(self, part.name) for part in fields(self)})
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing, damaged, or no baseline.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                values = {part.name: file[part.name] for part in fields(cls)}
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{path} is no fitted baseline ({error}). Fit it again: handlens train reid --recipe pca."
            ) from error
        plain = {name: value.item() if value.ndim == 0 else value for name, value in values.items()}
        return cls(**plain)


def fit_pca(images: np.ndarray, variance: float = 0.95, *, whiten: float = 0.0, flip: bool = False) -> Baseline:
    """Principal components that hold `variance` (0..1) of the pixels' variance.

    Args:
        images: uint8 (N, H, W, C), N >= 2.
        variance: share of the variance to keep; 0.90, 0.95 and 0.99 are customary.
        whiten: 0 keeps each component's spread, 1 makes all equal, 0.5 lies between (divides by variance ** (whiten /
            2)). Equal spreads suit int8, which has one scale for all outputs, and over-weigh noise.
        flip: fit on the mirrored images as well.

    Raises:
        ImageShapeError: not uint8 (N, H, W, C). OptionError: variance or whiten out of range. DataError: constant
            images.
    """
    if not 0 <= whiten <= 1:
        raise OptionError(f"whiten={whiten} is out of range; valid: 0 (keep the spread) to 1 (all equal).")
    pixels, shape = _pixels(images, flip)
    mean, components, spectrum = _principal(pixels, variance)
    spread = spectrum[: len(components)] / spectrum[0]
    return _baseline(
        "pca", shape, mean, components, components.T * spread ** (-whiten / 2), spectrum, len(images), pixels
    )


def fit_lda(
    images: np.ndarray,
    ids: np.ndarray,
    *,
    variance: float = 0.95,
    shrinkage: float = 0.2,
    dimension: int = 64,
    flip: bool = True,
) -> Baseline:
    """Linear discriminants of the principal components, identities as classes.

    Directions are scaled so that images of one person spread by one, then weighed by b / (1 + b), where b is the
    variance between people: how far a direction can be trusted (probabilistic LDA, Ioffe 2006). So extra dimensions do
    little harm.

    Args:
        images: uint8 (N, H, W, C).
        ids: identity of each image, int (N,).
        variance: share of the pixels' variance that reaches LDA, 0..1.
        shrinkage: of the within-person covariance towards its diagonal, 0..1; LDA overfits without.
        dimension: largest number of directions kept; at most identities - 1 exist.
        flip: fit on the mirrored images as well.

    Raises:
        ImageShapeError: not uint8 (N, H, W, C). OptionError: an option out of range.
        DataError: fewer than two identities, or none with two images.
    """
    if not 0 <= shrinkage <= 1:
        raise OptionError(f"shrinkage={shrinkage} is out of range; valid: 0 (none) to 1 (diagonal).")
    if dimension < 1:
        raise OptionError(f"dimension={dimension} is out of range; valid: 1 or more.")
    ids = np.asarray(ids)
    if ids.shape != (len(images),):
        raise DataError(f"{len(images)} images have identities of shape {ids.shape}; give one identity an image.")
    labels, counts = np.unique(ids, return_counts=True)
    if len(labels) < 2 or counts.max() < 2:
        raise DataError(
            f"LDA needs two identities or more, one of them with two images; got {len(ids)} images of {len(labels)}."
        )
    pixels, shape = _pixels(images, flip)
    ids = np.tile(ids, len(pixels) // len(ids))
    mean, components, spectrum = _principal(pixels, variance)
    reduced = (pixels - mean) @ components.T
    discriminant = _sklearn("discriminant_analysis").LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage)
    discriminant.fit(reduced, ids)
    scalings = discriminant.scalings_[:, : min(dimension, len(labels) - 1, len(components))]
    between = np.var(discriminant.means_ @ scalings, axis=0)
    projection = components.T @ (scalings * (between / (1 + between)))
    return _baseline("lda", shape, mean, components, projection, spectrum, len(images), pixels, len(labels))


def neighbours(
    probes: np.ndarray, gallery: np.ndarray, k: int = 10, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest gallery rows of each probe, exact: (indices int64 (P, k), distances float (P, k)).

    Works on embeddings and, flattened, on raw pixels.

    Raises:
        OptionError: k is not in 1..G, or the metric is unknown to scikit-learn.
    """
    if not 1 <= k <= len(gallery):
        raise OptionError(f"k={k} neighbours are out of range; the gallery allows 1 to {len(gallery)}.")
    try:
        model = _sklearn("neighbors").NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(gallery)
    except ValueError as error:
        raise OptionError(f"metric {metric!r} is unknown; valid: cosine, euclidean, manhattan.") from error
    distances, indices = model.kneighbors(probes)
    return indices.astype(np.int64), distances


def knn_rank(
    probes: np.ndarray,
    gallery: np.ndarray,
    probe_ids: np.ndarray,
    gallery_ids: np.ndarray,
    ranks: Sequence[int] = (1, 5, 10),
    metric: str = "cosine",
) -> dict[int, float]:
    """Share of probes with their identity among the k nearest gallery rows, for each k of `ranks` (no camera rule).

    Raises:
        OptionError: a rank is not in 1..G, or the metric is unknown.
    """
    indices, _ = neighbours(probes, gallery, max(ranks), metric)
    hits = np.asarray(gallery_ids)[indices] == np.asarray(probe_ids)[:, None]
    return {rank: float(hits[:, :rank].any(axis=1).mean()) for rank in ranks}


def _baseline(
    kind: str,
    shape: tuple[int, int, int],
    mean: np.ndarray,
    components: np.ndarray,
    projection: np.ndarray,
    spectrum: np.ndarray,
    images: int,
    pixels: np.ndarray,
    identities: int = 0,
) -> Baseline:
    # One common factor: embeddings of unit root mean square, so that tolerances mean the same for every baseline.
    size = np.sqrt(np.mean(((pixels[:2048] - mean) @ projection) ** 2))
    kernel = (projection / size).astype(np.float32)
    return Baseline(
        kind=kind,
        height=shape[0],
        width=shape[1],
        channels=shape[2],
        kernel=kernel,
        bias=-(mean @ kernel),
        mean=mean,
        components=components,
        spectrum=spectrum,
        images=images,
        identities=identities,
    )


def _principal(pixels: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean, components that hold `variance`, spectrum) of pixels float32 (N, P)."""
    if not 0 < variance <= 1:
        raise OptionError(f"variance={variance} is out of range; valid: above 0 up to 1, for example 0.95.")
    total = float(pixels.var(axis=0, ddof=1, dtype=np.float64).sum())
    if total <= 0:
        raise DataError(f"all {len(pixels)} images are the same, so they have no principal components. Check the data.")
    pca = _sklearn("decomposition").PCA
    limit = min(pixels.shape)
    small = pixels.shape[1] <= _EIGH_PIXELS or limit <= _RANDOMISED[-1]
    sizes = () if small else _RANDOMISED
    for size in sizes:
        fitted = pca(size, svd_solver="randomized", random_state=0).fit(pixels)
        spectrum = fitted.explained_variance_ / total
        if (count := _count(spectrum, variance)) is not None:
            return _float32(fitted.mean_, fitted.components_[:count], spectrum)
    fitted = pca(svd_solver="covariance_eigh" if len(pixels) > pixels.shape[1] else "full").fit(pixels)
    spectrum = fitted.explained_variance_ / total
    return _float32(fitted.mean_, fitted.components_[: _count(spectrum, variance)], spectrum)


def _count(spectrum: np.ndarray, variance: float) -> int | None:
    reached = np.flatnonzero(np.cumsum(spectrum, dtype=np.float64) >= variance)
    return int(reached[0]) + 1 if len(reached) else None


def _float32(
    mean: np.ndarray, components: np.ndarray, spectrum: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return mean.astype(np.float32), np.ascontiguousarray(components, np.float32), spectrum.astype(np.float32)


def _pixels(images: np.ndarray, flip: bool) -> tuple[np.ndarray, tuple[int, int, int]]:
    if images.ndim != 4 or len(images) < 2:
        raise ImageShapeError(f"images have shape {images.shape}; give uint8 (N, H, W, C) with two images or more.")
    height, width, channels = images.shape[1:]
    pixels = _flatten(images, (height, width, channels))
    if flip:
        pixels = np.concatenate([pixels, _flatten(images[:, :, ::-1], (height, width, channels))])
    return pixels, (height, width, channels)


def _flatten(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise ImageShapeError(
            f"images are {images.dtype} {images.shape}; expected uint8 (N, {shape[0]}, {shape[1]}, {shape[2]})."
        )
    return images.reshape(len(images), -1) * np.float32(SCALE) + np.float32(OFFSET)


def _sklearn(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingExtra("scikit-learn", "train") from error
