"""From a segmenter's raw outputs to pixels of the image: what its manifest's `decoding` of kind "mask" says.

Scores become bytes where the model gives them, and bytes are resampled: with `resize_pixels` alone, so that another
language matches to the bit. docs/artifact-format.md has the recipe.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handlens import _codec
from handlens._geometry import centre_box, fit_inside
from handlens._resize import Pixels, resize_pixels
from handlens.errors import ManifestInvalid
from handlens.manifest import InputSpec, Manifest, OutputSpec

KIND = "mask"
GEOMETRIES = ("resize", "letterbox", "crop")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskDecoding:
    """What a segmenter's manifest says in `decoding`.

    Attributes:
        kind: "mask".
        activation: "sigmoid" where the model gives logits (a softmax over classes then), "none" where it gives
            probabilities.
        labels_of: the output whose values the manifest's labels name: "classes", "class", or None.
        outputs: "mask", "classes" or "class" to the model's name of it, where they differ.
    """

    kind: Literal["mask"]
    activation: Literal["sigmoid", "none"] = "sigmoid"
    labels_of: Literal["classes", "class"] | None = None
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            ManifestInvalid: a field breaks a rule.
        """
        _codec.normalise(self)
        unknown = sorted(set(self.outputs) - {"mask", "classes", "class"})
        if unknown:
            raise ManifestInvalid(f"decoding.outputs names {unknown[0]!r}; valid: mask, classes, class")

    @classmethod
    def of(cls, manifest: Manifest) -> "MaskDecoding":
        """Reads a manifest's `decoding`.

        Raises:
            ManifestInvalid: it is missing or breaks a rule, or an output or the labels do not fit it.
        """
        decoding = _codec.build(cls, manifest.decoding, "manifest.decoding")
        decoding._fit(manifest)
        return decoding

    def output(self, manifest: Manifest, name: str) -> OutputSpec | None:
        """The model's output that plays a part ("mask", "classes", "class"); None where there is none."""
        own = self.outputs.get(name, name)
        return next((spec for spec in manifest.outputs if spec.name == own), None)

    def probabilities(self, values: NDArray[np.float32]) -> Floats:
        """Foreground probabilities (h, w) float64, 0..1, of the output "mask"."""
        plane = np.asarray(values, np.float64).reshape(map_size(values.shape))
        if self.activation == "none":
            return np.clip(plane, 0.0, 1.0)
        small = np.exp(-np.abs(plane))
        return np.asarray(np.where(plane >= 0, 1.0, small) / (1.0 + small), np.float64)

    def shares(self, values: NDArray[np.float32]) -> Floats:
        """Probabilities along the last axis, float64 of the same shape, of "classes" or "class"."""
        scores = np.asarray(values, np.float64)
        if self.activation == "none":
            return np.clip(scores, 0.0, 1.0)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float64)

    def _fit(self, manifest: Manifest) -> None:
        names = {spec.name: spec.shape for spec in manifest.outputs}
        mask, classes = self.output(manifest, "mask"), self.output(manifest, "classes")
        if mask is None or sum(size > 1 for size in mask.shape) > 2 or not 3 <= len(mask.shape) <= 4:
            raise ManifestInvalid(
                f"the decoding mask needs an output 'mask' of shape (1, h, w, 1); the model has {names}; where it "
                'bears another name, say so: "decoding": {"outputs": {"mask": "ITS NAME"}}'
            )
        if classes is not None and (len(classes.shape) != 4 or not 2 <= classes.shape[3] <= 255):
            raise ManifestInvalid(
                f"output {classes.name} has shape {classes.shape}; expected (1, h, w, K), K of 2 to 255"
            )
        if self.labels_of is None:
            return
        named = self.output(manifest, self.labels_of)
        if named is None or not named.shape[-1] == len(manifest.labels) == len(set(manifest.labels)):
            raise ManifestInvalid(
                f"decoding.labels_of is {self.labels_of!r}, which {len(manifest.labels)} labels do not fit; expected "
                f"one for each of its values, no two alike; the model has {names}"
            )


def map_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a map of one channel: (1, h, w, 1), (1, 1, h, w) or (1, h, w)."""
    inner = shape[1:]
    if len(inner) == 3:
        inner = inner[:2] if inner[2] == 1 else inner[1:]
    return inner[0], inner[1]


def as_bytes(probabilities: Floats) -> Pixels:
    """floor(255 p + 0.5) of probabilities 0..1, uint8 of the same shape."""
    return np.floor(probabilities * 255.0 + 0.5).astype(np.uint8)


def to_image(scores: Pixels, spec: InputSpec, height: int, width: int) -> Pixels:
    """Brings a map of scores to the image: to the input's size, out of the letterbox, to the image's size.

    Args:
        scores: uint8 (h, w) of any size; it covers the whole input.
        spec: the model's input, of a geometry of `GEOMETRIES`.
        height: of the image, in pixels.
        width: of the image.

    Returns:
        uint8 (height, width); 0 where a centre crop cut pixels off.
    """
    plane = resize_pixels(scores[:, :, None], spec.height, spec.width)
    if spec.geometry == "crop":
        x1, y1, x2, y2 = centre_box(height, width, spec.height, spec.width)
        result = np.zeros((height, width), np.uint8)
        result[y1:y2, x1:x2] = resize_pixels(plane, y2 - y1, x2 - x1)[:, :, 0]
        return result
    if spec.geometry == "letterbox":
        rows, columns, transform = fit_inside(height, width, spec.height, spec.width)
        top, left = int(transform.top), int(transform.left)
        plane = plane[top : top + rows, left : left + columns]
    return resize_pixels(plane, height, width)[:, :, 0]


def best_labels(scores: Pixels, alpha: Pixels, spec: InputSpec) -> Pixels:
    """The foreground class of each pixel of the mask, the lower of equals; 0 outside of it.

    Args:
        scores: uint8 (h, w, K - 1) of the classes where the model gives them, without the background's.
        alpha: uint8 (H, W) of the image; 128 and more is the mask.
        spec: the model's input.

    Returns:
        uint8 (H, W), 0..K - 1.
    """
    height, width = alpha.shape
    labels = np.ones((height, width), np.uint8)
    best = to_image(scores[:, :, 0], spec, height, width)
    for index in range(1, scores.shape[2]):
        rival = to_image(scores[:, :, index], spec, height, width)
        labels[rival > best] = index + 1
        np.maximum(best, rival, out=best)
    labels[alpha < 128] = 0
    return labels
