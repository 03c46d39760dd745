"""FaceVerifier: is this the same person? Templates of aligned faces, and thresholds with a rate behind them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens._embed import Embedder, template
from handlens._faces import Face
from handlens.errors import ImageError, InputError, ManifestInvalid, RateUnsupported
from handlens.image import Source, load_image, preprocess
from handlens.manifest import Manifest, Threshold
from handlens.metrics.verification import RULE_OF_THREE, supports


class FaceVerifier(Embedder):
    """Embeds faces, aligned by their five points, with a face-verifier artifact."""

    task: ClassVar[str] = "face-verifier"

    def embed(self, image: Source, faces: Sequence[Face] | ArrayLike) -> NDArray[np.float32]:
        """Turns faces of one image into templates.

        Args:
            image: a file, the bytes of one, or a uint8 array (H, W, 3) in RGB order; upright.
            faces: in it, as `FaceDetector.detect` found them; or their points, (N, 5, 2), in pixels of the image.

        Returns:
            (N, dimension) float32, each of length 1.

        Raises:
            ImageError: the image, or a face's points, cannot be used.
            InputError: a face has no points.
            EngineWrong: the model's answer is zero or not finite.
            EngineError: the engine failed, or is closed.
        """
        pixels, spec = load_image(image), self._manifest.input
        templates = []
        for index, points in enumerate(_points(faces)):
            try:
                tensor = preprocess(pixels, spec, points)
            except ImageError as error:
                raise type(error)(f"face {index}: {error}") from None
            templates.append(template(self._engine, spec.name, tensor, self._output.name, f"face {index}"))
        return np.stack(templates) if templates else np.empty((0, self.dimension), np.float32)

    def compare(self, first: ArrayLike, second: ArrayLike) -> float:
        """Returns how alike two templates are: their cosine similarity, -1..1.

        Raises:
            InputError: a template has not `dimension` numbers, or is zero or not finite.
        """
        one, other = (self._template(values) for values in (first, second))
        return float(np.clip(one @ other, -1.0, 1.0))

    def threshold(self, fmr: float) -> Threshold:
        """Returns the threshold on `compare` that was measured, for this very file, for a false match rate.

        Args:
            fmr: the false match rate wanted, such as 0.01.

        Raises:
            RateUnsupported: the manifest has none for this rate, or fewer comparisons behind it than the rule of three
                asks for (3 / rate).
        """
        for limit in self._manifest.thresholds:
            if math.isclose(limit.target_fmr, fmr, rel_tol=1e-6) and supports(limit.comparisons, limit.target_fmr):
                return limit
        raise RateUnsupported(_unsupported(self._manifest, fmr))

    @classmethod
    def _check(cls, manifest: Manifest, what: str | Path) -> None:
        super()._check(manifest, what)
        if manifest.input.geometry != "align":
            raise ManifestInvalid(f"a {cls.task} has geometry align; {what} has {manifest.input.geometry}")

    def _template(self, values: ArrayLike) -> NDArray[np.float64]:
        array = np.asarray(values, np.float64).reshape(-1)
        length = float(np.linalg.norm(array))
        if array.size != self.dimension or not np.isfinite(length) or length == 0:
            raise InputError(
                f"a template has {array.size} numbers and length {length:.3g}; expected {self.dimension} numbers "
                "that are finite and not all zero, as embed returns them"
            )
        return array / length


def _points(faces: Sequence[Face] | ArrayLike) -> list[ArrayLike]:
    if isinstance(faces, Face):
        raise InputError("embed takes several faces; put the one in a list: embed(image, [face])")
    if isinstance(faces, Sequence) and any(isinstance(face, Face) for face in faces):
        result: list[ArrayLike] = []
        for index, face in enumerate(faces):
            if not isinstance(face, Face) or face.points is None:
                raise InputError(
                    f"face {index} has no points, which alignment needs; use a detector that gives five points"
                )
            result.append(face.points)
        return result
    array = np.asarray(faces, np.float64)
    if array.size == 0:
        return []
    if array.ndim != 3 or array.shape[1:] != (5, 2):
        raise InputError(f"points have shape {array.shape}; expected (N, 5, 2), or a list of Face")
    return list(array)


def _unsupported(manifest: Manifest, fmr: float) -> str:
    carried = (limit for limit in manifest.thresholds if supports(limit.comparisons, limit.target_fmr))
    rates = [f"{limit.target_fmr:g} ({limit.comparisons:,} comparisons)" for limit in carried]
    needed = f"; {fmr:g} needs at least {math.ceil(RULE_OF_THREE / fmr):,} comparisons" if 0 < fmr < 1 else ""
    return (
        f"{manifest.name} {manifest.version} has no threshold for a false match rate of {fmr:g}; "
        f"measured ones: {', '.join(rates) or 'none'}{needed}; choose one of those rates, or evaluate the file on more "
        "people"
    )
