"""Segmentation: which pixels of an image are foreground, and of which class.

from handlens import Segmenter

with Segmenter.load("person-mask.tflite") as segmenter:
    found = segmenter.segment("photo.jpg")
    found.alpha      # (H, W) uint8 in the photograph's own pixels
    found.mask()     # (H, W) bool
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handlens._mask import GEOMETRIES, KIND, MaskDecoding, as_bytes, best_labels, to_image
from handlens._task import Task
from handlens.engine import Engine
from handlens.errors import EngineWrong, ManifestInvalid, OptionError
from handlens.image import Pixels, Source, load_image, place, to_tensor
from handlens.manifest import Manifest

__all__ = ["Segmentation", "Segmenter"]


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a segmenter says of an image; H and W are the image's own, upright.

    Attributes:
        alpha: (H, W) uint8, probability of foreground * 255.
        labels: (H, W) uint8, the class of each pixel of `mask()`, an index into `names`; 0, the background, everywhere
            else. None where the model tells no classes of pixels.
        names: of the values of `labels`, the background first; empty where the model does not name them.
        class_name: of the image as a whole; None where the model does not tell.
        confidence: in `class_name`, 0..1; None where there is none.
    """

    alpha: Pixels
    labels: Pixels | None = None
    names: tuple[str, ...] = ()
    class_name: str | None = None
    confidence: float | None = None

    def mask(self, threshold: float = 0.5) -> NDArray[np.bool_]:
        """Foreground, (H, W) bool: where the probability, in steps of 1/255, is `threshold` (0..1) or more.

        Raises:
            OptionError: the threshold is out of range.
        """
        if not 0 <= threshold <= 1:
            raise OptionError(f"threshold is {threshold}; valid: 0 to 1")
        return np.asarray(self.alpha >= threshold * 255.0, np.bool_)

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """(x1, y1, x2, y2) around `mask()`, in pixels of the image, x2 and y2 beyond the last; None where it is empty.

        The origin (0, 0) is the outer corner of the first pixel, so x2 - x1 is a width.
        """
        mask = self.mask()
        (rows,), (columns,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
        if not len(rows):
            return None
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    def areas(self) -> dict[str, float]:
        """Each class's share of the image, 0..1, by name, those that occur alone; "foreground" without classes."""
        classes = self.mask().astype(np.uint8) if self.labels is None else self.labels
        counts = np.bincount(classes.reshape(-1))
        names = ("background", "foreground") if self.labels is None else self.names
        names = names or tuple(f"class {index}" for index in range(len(counts)))
        return {names[index]: float(counts[index] / self.alpha.size) for index in np.nonzero(counts)[0] if index}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: size, box, areas and class; without the pixels."""
        height, width = self.alpha.shape
        return {
            "width": width,
            "height": height,
            "box": None if self.box is None else list(self.box),
            "areas": {name: round(share, 6) for name, share in self.areas().items()},
            "class": self.class_name,
            "confidence": None if self.confidence is None else round(self.confidence, 6),
        }


class Segmenter(Task):
    """Separates foreground from background with any artifact whose manifest has a decoding of kind "mask".

    Of this house these are the tasks "person-mask" and "pets"; a model from elsewhere comes in with `handlens import`.
    """

    task: ClassVar[str] = "person-mask"

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest's decoding is of another kind.
            ManifestInvalid: its decoding, geometry, outputs or labels are not those of a segmenter.
        """
        super().__init__(engine, manifest)
        if manifest.input.geometry not in GEOMETRIES:
            raise ManifestInvalid(
                f"the input's geometry is {manifest.input.geometry}; a segmenter takes {', '.join(GEOMETRIES)}"
            )
        self._decoding = decoding = MaskDecoding.of(manifest)
        found = {part: decoding.output(manifest, part) for part in ("mask", "classes", "class")}
        self._parts = {part: spec.name for part, spec in found.items() if spec is not None}

    def segment(self, image: Source) -> Segmentation:
        """Segments an image.

        Args:
            image: a file, the bytes of one, or a uint8 array (H, W, 3) in RGB order; upright.

        Returns:
            Masks and labels in pixels of the upright image, the letterbox undone. An image of nothing gives an empty
            mask, no labels but background, and no box.

        Raises:
            ImageError: the image cannot be used.
            EngineWrong: the model's answer is not finite.
            EngineError: the engine failed, or is closed.
        """
        pixels = load_image(image)
        spec, decoding = self._manifest.input, self._decoding
        outputs = self._engine.run({spec.name: to_tensor(place(pixels, spec)[0], spec)})
        for name in self._parts.values():
            if not np.isfinite(outputs[name]).all():
                raise EngineWrong(f"output {name} is not finite on {self.engine}; run: handlens check FILE")
        height, width = pixels.shape[:2]
        alpha = to_image(as_bytes(decoding.probabilities(outputs[self._parts["mask"]])), spec, height, width)
        labels, label, confidence = None, None, None
        if "classes" in self._parts:
            shares = decoding.shares(outputs[self._parts["classes"]][0, :, :, 1:])
            labels = best_labels(as_bytes(shares), alpha, spec)
        if "class" in self._parts:
            shares = decoding.shares(outputs[self._parts["class"]].reshape(-1))
            best = int(np.argmax(shares))
            label = self._manifest.labels[best] if decoding.labels_of == "class" else f"class {best}"
            confidence = float(shares[best])
        names = self._manifest.labels if decoding.labels_of == "classes" else ()
        return Segmentation(alpha, labels, names, label, confidence)

    @classmethod
    def _check(cls, manifest: Manifest, what: str | Path) -> None:
        if manifest.decoding.get("kind") != KIND:
            raise OptionError(
                f"{what} is for the task {manifest.task!r} and says nothing of masks; expected a segmenter, such as "
                f'{cls.task!r}, whose manifest has "decoding": {{"kind": "{KIND}"}}'
            )
