"""FaceDetector: boxes, five points and gender in one pass."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from handlens._decode import Candidates, Decoding, decoder
from handlens._faces import Face, Gender
from handlens._geometry import Transform
from handlens._nms import suppress
from handlens._task import Task
from handlens.engine import Engine
from handlens.errors import EngineWrong, ManifestInvalid, OptionError
from handlens.image import Source, load_image, place, to_tensor
from handlens.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorOptions:
    """How a detector reads its model's answer.

    Attributes:
        score_threshold: faces of a lower score are dropped, 0..1; None for the manifest's.
        nms_iou: of two boxes that overlap by more than this intersection over union the better stays, 0..1; None for
            the manifest's.
        max_faces: the best so many are returned.
        min_size: faces whose box is narrower or lower than so many pixels of the image are dropped.
    """

    score_threshold: float | None = None
    nms_iou: float | None = None
    max_faces: int = 200
    min_size: float = 0.0

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: a value lies outside its range.
        """
        for what, value in (("score_threshold", self.score_threshold), ("nms_iou", self.nms_iou)):
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"{what} is {value}; valid: 0 to 1")
        if self.max_faces < 1:
            raise OptionError(f"max_faces is {self.max_faces}; valid: 1 or more")
        if not 0 <= self.min_size < math.inf:
            raise OptionError(f"min_size is {self.min_size}; valid: 0 or more pixels")


class FaceDetector(Task):
    """Finds faces with a face-detector artifact, of this house or imported (`handlens import`)."""

    task: ClassVar[str] = "face-detector"

    def __init__(self, engine: Engine, manifest: Manifest, options: DetectorOptions | None = None) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: its decoding or outputs are not those of a detector.
        """
        super().__init__(engine, manifest)
        if manifest.input.geometry == "align":
            raise ManifestInvalid(f"a {self.task} cannot take aligned faces; valid geometries: letterbox, resize, crop")
        self._decode = decoder(manifest)
        decoding = Decoding.of(manifest)
        options = DetectorOptions() if options is None else options
        self._options = options
        self._threshold = decoding.score_threshold if options.score_threshold is None else options.score_threshold
        self._iou = decoding.nms_iou if options.nms_iou is None else options.nms_iou
        self._weighted = decoding.nms == "weighted"

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        engine: str | None = None,
        threads: int = 1,
        options: DetectorOptions | None = None,
    ) -> Self:
        """Opens an artifact, after its golden vectors were answered rightly on this engine and machine.

        Args:
            path: of the `.tflite` or `.onnx` artifact.
            engine: "litert", "tflite-runtime" or "onnxruntime"; None for the default of the file's kind.
            threads: for the engine to use.
            options: how to read the model's answer; None for the manifest's own values.

        Raises:
            ArtifactError: the file is damaged, too new, or no artifact.
            EngineError: the engine is missing, or answers wrongly.
            OptionError: the artifact is of another task, or the engine does not read its kind.
        """
        return cls(*cls._open(path, engine, threads), options)

    @property
    def options(self) -> DetectorOptions:
        """The options in force, the manifest's values filled in."""
        return DetectorOptions(
            score_threshold=self._threshold,
            nms_iou=self._iou,
            max_faces=self._options.max_faces,
            min_size=self._options.min_size,
        )

    def detect(self, image: Source) -> tuple[Face, ...]:
        """Finds the faces in an image.

        Args:
            image: a file, the bytes of one, or a uint8 array (H, W, 3) in RGB order; upright.

        Returns:
            The faces, the best score first; coordinates in pixels of the upright image.

        Raises:
            ImageError: the image cannot be used.
            EngineWrong: the model's answer is not finite.
            EngineError: the engine failed, or is closed.
        """
        pixels = load_image(image)
        spec = self._manifest.input
        prepared, transform = place(pixels, spec)
        outputs = self._engine.run({spec.name: to_tensor(prepared, spec)})
        found = self._decode(outputs, self._threshold)
        if not np.isfinite(found.boxes).all():
            raise EngineWrong(f"boxes are not finite on {self.engine}; check the engine: handlens check FILE")
        return self._faces(found, transform, pixels.shape[0], pixels.shape[1])

    def _faces(self, found: Candidates, transform: Transform, height: int, width: int) -> tuple[Face, ...]:
        faces = []
        for group in suppress(found.boxes, found.scores, self._iou, self._options.max_faces):
            best = group[0]
            box, pairs = found.boxes[best], None if found.points is None else found.points[best]
            # At a threshold of 0, scores may be too small for a float32, and weigh nothing.
            if self._weighted and len(group) > 1 and found.scores[best] > 0:
                weights = found.scores[group]
                box = _mean(found.boxes[group], weights)
                if found.points is not None:
                    pairs = _mean(found.points[group].reshape(-1, 10), weights)
            corners = transform.back(box.tolist())
            x1, x2 = (min(max(value, 0.0), float(width)) for value in corners[0::2])
            y1, y2 = (min(max(value, 0.0), float(height)) for value in corners[1::2])
            # A box on the border of the letterbox alone is cut to nothing here.
            if min(x2 - x1, y2 - y1) <= 0 or min(x2 - x1, y2 - y1) < self._options.min_size:
                continue
            points = None if pairs is None else _pairs(transform.back(pairs.reshape(-1).tolist()))
            gender = None if found.gender is None else Gender.of_logit(float(found.gender[best]))
            faces.append(Face((x1, y1, x2, y2), float(found.scores[best]), points, gender))
        return tuple(faces)


def _mean(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weighted mean of rows; `np.average` to the bit, without what else it looks at."""
    mean: NDArray[np.float32] = (values * weights[:, None]).sum(axis=0) / weights.sum()
    return mean


def _pairs(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(values[0::2], values[1::2], strict=True))
