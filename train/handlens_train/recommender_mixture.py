"""The Gaussian mixture over people's profiles: fitted by scikit-learn for several K and seeds, then a Keras network."""

import io
import time
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from handlens.errors import DataError, MissingExtra, OptionError, RunError
from handlens.files import write_bytes

Covariance = Literal["full", "diag"]


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A fitted mixture of K Gaussians in G dimensions, the largest component first; all float64.

    weights: (K,), they add up to 1. means: (K, G). factors: (K, G, G), scikit-learn's `precisions_cholesky_` as full
    matrices: a component's density falls with the squared length of (x - mean) @ factor.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def log_responsibilities(self, profiles: np.ndarray) -> np.ndarray:
        """(N, K) float64 of profiles (N, G): how likely each belongs to each component, as logarithms."""
        steps = np.einsum("nkg,kgh->nkh", profiles[:, None, :] - self.means, self.factors)
        joint = self._constants() - 0.5 * (steps**2).sum(axis=2)
        return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)

    def keras_model(self) -> Any:
        """The same as a Keras network of standard layers: "profile" (N, 1, G, 1) to {"log_responsibilities": (N, K)}.

        Profiles lose the mixture's mean first: float32 would lose two digits to the products of stars otherwise. Then
        one dense layer takes a profile to all components' (x - mean) @ factor, which are squared, and a second one
        adds them up within a component.
        """
        import keras

        count, genres = self.means.shape
        centre = self.weights @ self.means
        steps = keras.layers.Dense(count * genres, name="steps")
        joint = keras.layers.Dense(count, name="joint")
        profile = keras.Input((1, genres, 1), name="profile", dtype="float32")
        x = keras.layers.Reshape((genres,), name="flat")(profile)
        x = steps(keras.layers.Rescaling(1.0, offset=(-centre).tolist(), name="centred")(x))
        x = joint(keras.layers.Multiply(name="squares")([x, x]))
        answer = keras.layers.Activation("log_softmax", name="log_responsibilities")(x)
        kernel = np.concatenate(list(self.factors), axis=1)
        bias = -np.concatenate([row @ factor for row, factor in zip(self.means - centre, self.factors, strict=True)])
        steps.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
        constants = self._constants()
        total = np.repeat(-0.5 * np.eye(count), genres, axis=0)
        joint.set_weights([total.astype(np.float32), (constants - constants.max()).astype(np.float32)])
        return keras.Model(profile, {"log_responsibilities": answer}, name="mixture")

    def save(self, path: Path) -> None:
        """Writes one .npz, atomically."""
        buffer = io.BytesIO()
        np.savez(buffer, **{part.name: getattr(self, part.name) for part in fields(self)})
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Mixture":
        """Reads what `save` wrote.

        Raises:
            RunError: the file is missing, damaged, or no mixture.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                return cls(*(file[part.name] for part in fields(cls)))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is no fitted mixture ({error}). Train again into a fresh folder.") from error

    def _constants(self) -> np.ndarray:
        """(K,) the log density at the mean, but for what all components share."""
        return np.log(self.weights) + np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit: components, its seed, its Bayesian information criterion (lower is better), whether it converged."""

    components: int
    seed: int
    bic: float
    converged: bool


@dataclass(frozen=True, slots=True)
class Search:
    """What to try: numbers of components, how many seeds each, and the kind and least variance of a covariance.

    fixed: components of the mixture that is kept; None keeps that of the lowest BIC. floor: stars squared, added to
    every variance (scikit-learn's reg_covar). One component is tried for the curve, and never kept: it says nothing of
    anybody.
    """

    components: Sequence[int]
    seeds: int
    covariance: Covariance
    floor: float
    fixed: int | None = None


def fit(
    profiles: np.ndarray,
    search: Search,
    seed: int = 0,
    max_minutes: float | None = None,
) -> tuple[Mixture, list[Fit]]:
    """The mixture of the lowest BIC of two components or more (of `search.fixed`, if given), and every fit tried.

    Args:
        profiles: (N, G) float64.
        search: what to try; numbers of components above N / 2 are left out.
        seed: of the fits.
        max_minutes: no further fit begins after it, once there is one to keep.

    Raises:
        DataError: fewer than four profiles, or than twice the fixed number of components.
        OptionError: no number of components that could be kept is among those to try.
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
    except ImportError as error:
        raise MissingExtra("scikit-learn", "train") from error
    least = max(4, 2 * (search.fixed or 1))
    if len(profiles) < least:
        raise DataError(f"a mixture needs ratings of {least} users or more; there are {len(profiles)}.")
    limit = time.monotonic() + (float("inf") if max_minutes is None else max_minutes * 60)
    best, tried = None, []
    # What may be kept comes first, so that a time limit never leaves without it.
    for count in sorted(search.components, key=lambda count: (count != (search.fixed or 2), count)):
        for index in range(search.seeds if 2 * count <= len(profiles) else 0):
            if best is not None and time.monotonic() > limit:
                break
            model = GaussianMixture(
                count, covariance_type=search.covariance, reg_covar=search.floor, random_state=seed * 1000 + index
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(profiles)
            found = Fit(count, index, float(model.bic(profiles)), bool(model.converged_))
            tried.append(found)
            eligible = count == search.fixed or (search.fixed is None and count > 1)
            if eligible and (best is None or found.bic < best[0]):
                best = found.bic, _mixture(model)
    if best is None:
        raise OptionError(
            f"components are {tuple(search.components)}; expected some of two or more, and the fixed number."
        )
    return best[1], sorted(tried, key=lambda item: (item.components, item.seed))


def _mixture(model: Any) -> Mixture:
    order = np.argsort(-model.weights_, kind="stable")
    factors = model.precisions_cholesky_
    if model.covariance_type == "diag":
        factors = np.stack([np.diag(row) for row in factors])
    return Mixture(model.weights_[order], model.means_[order], factors[order])
