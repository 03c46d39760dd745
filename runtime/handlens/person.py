"""Person re-identification: an image of a person becomes a template that other images of that person resemble."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handlens._embed import template
from handlens._task import Task, only_output
from handlens.engine import Engine
from handlens.errors import ImageError, ImageShapeError, InputError
from handlens.gallery import Gallery
from handlens.image import Source, load_image, prepare, to_tensor
from handlens.manifest import Manifest


class PersonReidentifier(Task):
    """Embeds crops of persons with a re-identification artifact.

    Use it as a context manager, or call `close`. Two templates are compared by their dot product (cosine similarity).
    """

    task: ClassVar[str] = "reid"

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: the model has more than one output.
        """
        super().__init__(engine, manifest)
        self._output = only_output(manifest, "the embedding")

    @property
    def dimension(self) -> int:
        """Numbers in a template."""
        return int(np.prod(self._output.shape))

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
        return template(self._engine, self._manifest.input.name, tensor, self._output.name, f"image {index}")
