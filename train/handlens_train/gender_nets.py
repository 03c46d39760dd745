"""The gender network: EfficientNet-Lite0's early blocks, a 1x1 head, one logit. Imports Keras when it builds."""

import warnings
from typing import Any

from handlens.errors import RunError
from handlens_train.run import Run


def network(height: int, width: int, blocks: int, head: int) -> Any:
    """The Keras model: "image" (N, height, width, 3) float32, scaled, to {"gender": (N, 1)}, the logit of female."""
    import keras

    from handlens_train import backbones

    image = keras.Input((height, width, 3), name="image")
    x = backbones.inverted_residuals(keras, image, backbones.EFFICIENTNET_LITE0, blocks=blocks, last_stride=16)
    x = backbones.conv_bn(keras, x, head, 1, 1, "head")
    x = keras.layers.GlobalAveragePooling2D(name="feature")(x)
    return keras.Model(image, {"gender": keras.layers.Dense(1, name="gender")(x)}, name="gender")


def freeze(model: Any, blocks: int) -> None:
    """Keep the stem and the first `blocks` blocks as they are; 0 freezes nothing."""
    frozen = {"stem", *(f"block{i}" for i in range(blocks))} if blocks else set()
    for layer in model.layers:
        if layer.name.partition("_")[0] in frozen:
            layer.trainable = False


def load_weights(model: Any, run: Run) -> None:
    """Fill `model` with the best weights of a run.

    Raises:
        RunError: they are not of this network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras warns of a layer that it could not fill before it fails.
            model.load_weights(run.weights)
    except (OSError, ValueError, UserWarning) as error:
        raise RunError(f"{run.path} does not fit this version's network ({error}). Train it again.") from error


def sharpen(model: Any, temperature: float) -> None:
    """Fold a temperature into the last layer: its logit is divided by it."""
    last = model.get_layer("gender")
    last.set_weights([value / temperature for value in last.get_weights()])
