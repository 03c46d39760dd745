"""From an image to the tensor of a model that reads colours: a grey image is refused, for its colours are gone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.errors import ImageShapeError
from handlens.image import Source, load_image, prepare, to_tensor
from handlens.manifest import InputSpec


def colour_tensor(image: Source, spec: InputSpec, does: str) -> NDArray[Any]:
    """Decodes, prepares and scales an image.

    Args:
        image: a file, its bytes, or a uint8 array (H, W, 3) in RGB order.
        spec: of the model's input.
        does: what the model does with colours, for the message, such as "compares".

    Returns:
        The tensor that the model takes.

    Raises:
        ImageError: the image cannot be used, or is grey where the model reads colours.
    """
    pixels = prepare(image if isinstance(image, np.ndarray) else load_image(image), spec)
    if spec.colour == "RGB" and (pixels == pixels[:, :, :1]).all():
        raise ImageShapeError(
            f"the image is grey (its channels are equal), and this model {does} colours; give the colour image"
        )
    return to_tensor(pixels, spec)
