"""The gender network: EfficientNet-Lite0's early blocks, a 1x1 head, one logit. Imports Keras when it builds."""

from typing import Any


def network(height: int, width: int, blocks: int, head: int, activation: str = "relu6") -> Any:
    """The Keras model: "image" (N, height, width, 3) float32, scaled, to {"gender": (N, 1)}, the logit of female."""
    import keras

    from handlens_train import backbones

    image = keras.Input((height, width, 3), name="image")
    x = backbones.inverted_residuals(
        keras, image, backbones.EFFICIENTNET_LITE0, blocks=blocks, last_stride=16, activation=activation
    )
    x = backbones.conv_bn(keras, x, head, 1, 1, "head", activation=activation)
    x = keras.layers.GlobalAveragePooling2D(name="feature")(x)
    return keras.Model(image, {"gender": keras.layers.Dense(1, name="gender")(x)}, name="gender")


def sharpen(model: Any, temperature: float) -> None:
    """Fold a temperature into the last layer: its logit is divided by it."""
    last = model.get_layer("gender")
    last.set_weights([value / temperature for value in last.get_weights()])
