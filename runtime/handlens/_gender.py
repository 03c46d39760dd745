"""GenderClassifier: for callers who have a crop of a face already."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from handlens._faces import LABELS, Gender
from handlens._task import Task, only_output
from handlens.engine import Engine
from handlens.errors import EngineWrong, ImageError, InputError, ManifestInvalid
from handlens.image import Source, preprocess
from handlens.manifest import Manifest


class GenderClassifier(Task):
    """Tells female from male on crops of faces, with a gender artifact."""

    task: ClassVar[str] = "gender"

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: its output is not one number, or its labels are not male and female.
        """
        super().__init__(engine, manifest)
        self._output = only_output(manifest, "the logit of female")
        if int(np.prod(self._output.shape)) != 1:
            raise ManifestInvalid(f"output {self._output.name} has shape {self._output.shape}; expected one number")
        if manifest.labels not in ((), LABELS):
            raise ManifestInvalid(f"labels are {manifest.labels}; expected {LABELS}: the output is the logit of female")

    def classify(self, crops: Sequence[Source]) -> list[Gender]:
        """Tells the gender that each face looks like.

        Args:
            crops: of faces with a margin, as `face_crop` makes them of a detected box: files, bytes of files, or uint8
                arrays (H, W, 3) in RGB order, of any size.

        Returns:
            One answer a crop, in their order.

        Raises:
            ImageError: a crop cannot be used; the message says which.
            InputError: `crops` is one image, not several.
            EngineWrong: the model's answer is not finite.
            EngineError: the engine failed, or is closed.
        """
        if isinstance(crops, (str, bytes, Path)) or (isinstance(crops, np.ndarray) and crops.ndim < 4):
            raise InputError("classify takes several crops; put the one in a list: classify([crop])")
        return [self._classify(crop, index) for index, crop in enumerate(crops)]

    def _classify(self, crop: Source, index: int) -> Gender:
        spec = self._manifest.input
        try:
            tensor = preprocess(crop, spec)
        except ImageError as error:
            raise type(error)(f"crop {index}: {error}") from None
        logit = float(self._engine.run({spec.name: tensor})[self._output.name].reshape(-1)[0])
        if not np.isfinite(logit):
            raise EngineWrong(f"crop {index}: the answer is not finite on {self.engine}; run: handlens check FILE")
        return Gender.of_logit(logit)
