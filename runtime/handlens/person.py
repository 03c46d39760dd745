"""Person re-identification: an image of a person becomes a template that other images of that person resemble."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine
from handlens.errors import EngineWrong, ImageError, ImageShapeError, InputError, ManifestInvalid, OptionError
from handlens.gallery import Gallery
from handlens.image import Source, load_image, prepare, to_tensor
from handlens.manifest import Manifest

TASK = "reid"


class PersonReidentifier:
    """Embeds crops of persons with a re-identification artifact.

    Use it as a context manager, or call `close`. Two templates are compared by their dot product (cosine similarity).
    """

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: the model has more than one output.
        """
        if manifest.task != TASK:
            raise OptionError(f"the artifact {manifest.name} is for the task {manifest.task!r}; expected {TASK!r}")
        if len(manifest.outputs) != 1:
            names = ", ".join(spec.name for spec in manifest.outputs)
            raise ManifestInvalid(f"a {TASK} model has one output, the embedding; this one has {names}")
        self._engine = engine
        self._manifest = manifest
        self._output = manifest.outputs[0]

    @classmethod
    def load(cls, path: str | Path, *, engine: str | None = None, threads: int = 1) -> "PersonReidentifier":
        """Opens an artifact, after its golden vectors were answered rightly on this engine and machine.

        Args:
            path: of the `.tflite` or `.onnx` artifact.
            engine: "litert", "tflite-runtime" or "onnxruntime"; None for the default of the file's kind.
            threads: for the engine to use.

        Raises:
            ArtifactError: the file is damaged, too new, or no artifact.
            EngineError: the engine is missing, or answers wrongly.
            OptionError: the artifact is of another task, or the engine does not read its kind.
        """
        artifact = Artifact.open(path)
        if artifact.manifest.task != TASK:
            raise OptionError(f"{path} is an artifact for the task {artifact.manifest.task!r}; expected {TASK!r}")
        return cls(open_engine(artifact, engine, threads), artifact.manifest)

    @property
    def model_id(self) -> str:
        """Identifies the model; templates of different models cannot be compared."""
        return self._manifest.model_id

    @property
    def dimension(self) -> int:
        """Numbers in a template."""
        return int(np.prod(self._output.shape))

    @property
    def engine(self) -> str:
        """Name and version of the engine that runs the model."""
        return f"{self._engine.name} {self._engine.version}"

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        return self._manifest

    def gallery(self) -> Gallery:
        """Returns an empty gallery bound to this model."""
        return Gallery(self.model_id, self.dimension)

    def embed(self, images: Iterable[Source]) -> NDArray[np.float32]:
        """Turns images of persons, each filling its image, into templates.

        Args:
            images: files, bytes of files, or uint8 arrays (H, W, 3) in RGB order; of any size, in any mixture.

        Returns:
            (N, dimension) float32, each of length 1.

        Raises:
            ImageError: an image cannot be used, a grey one for a colour model among them; the message says which.
            InputError: `images` is one image, not several.
            EngineWrong: the model's answer is zero or not finite.
            EngineError: the engine failed, or is closed.
        """
        if isinstance(images, (str, bytes, Path)) or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise InputError("embed takes several images; put the one in a list: embed([image])")
        templates = [self._embed(image, index) for index, image in enumerate(images)]
        return np.stack(templates) if templates else np.empty((0, self.dimension), np.float32)

    def close(self) -> None:
        """Releases the engine."""
        self._engine.close()

    def __enter__(self) -> "PersonReidentifier":
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the engine."""
        self.close()

    def _tensor(self, image: Source) -> NDArray[Any]:
        spec = self._manifest.input
        pixels = prepare(load_image(image) if not isinstance(image, np.ndarray) else image, spec)
        if spec.colour == "RGB" and (pixels == pixels[:, :, :1]).all():
            # It would embed, and match other grey images whoever is in them: the clothes' colours are gone.
            raise ImageShapeError(
                "the image is grey (its channels are equal), and this model compares colours; give the colour image"
            )
        return to_tensor(pixels, spec)

    def _embed(self, image: Source, index: int) -> NDArray[np.float32]:
        try:
            tensor = self._tensor(image)
        except ImageError as error:
            raise type(error)(f"image {index}: {error}") from None
        answer = self._engine.run({self._manifest.input.name: tensor})[self._output.name]
        values = answer.reshape(-1).astype(np.float64)
        length = float(np.linalg.norm(values))
        if not np.isfinite(length) or length == 0:
            raise EngineWrong(
                f"the embedding of image {index} is zero or not finite on {self._engine.name} {self._engine.version}; "
                "check the engine: handlens check FILE"
            )
        template: NDArray[np.float32] = (values / length).astype(np.float32)
        return template
