"""Persons: telling them apart, and what they look like.

PersonReidentifier turns a crop of a person into a template that other images of that person resemble;
AttributeClassifier says gender, clothes and luggage.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from handlens._attributes import Attribute, AttributeClassifier, Attributes
from handlens._colour import colour_tensor
from handlens._embed import Embedder, template
from handlens.errors import ImageError, InputError
from handlens.image import Source

__all__ = ["Attribute", "AttributeClassifier", "Attributes", "PersonReidentifier"]


class PersonReidentifier(Embedder):
    """Embeds crops of persons with a re-identification artifact.

    Use it as a context manager, or call `close`. Two templates are compared by their dot product (cosine similarity).
    """

    task: ClassVar[str] = "reid"

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

    def _embed(self, image: Source, index: int) -> NDArray[np.float32]:
        try:
            # A grey one would embed, and match other grey images whoever is in them.
            tensor = colour_tensor(image, self._manifest.input, "compares")
        except ImageError as error:
            raise type(error)(f"image {index}: {error}") from None
        return template(self._engine, self._manifest.input.name, tensor, self._output.name, f"image {index}")
