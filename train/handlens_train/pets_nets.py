"""The networks of the pets task, each from "image" (N, S, S, 3), scaled. Keras is imported when one is built.

`network` is what a run keeps the weights of, `training_network` the same layers with dropout.
"""

from typing import TYPE_CHECKING, Any

from handlens_data.datasets.pets import BREEDS
from handlens_train import backbones, mask_nets

if TYPE_CHECKING:
    from handlens_train.tasks.pets import Recipe

DECODER = {32: 64, 16: 64, 8: 40, 4: 24}  # channels at each stride that the trunk has
SCRATCH = (32, 64, 128)
BOTTLENECK = 16  # channels of the autoencoder's bottleneck


def network(how: "Recipe") -> Any:
    """The Keras model of a recipe: "image" to {"class": (N, 37), "mask": (N, h, w, 1)}.

    That of an autoencoder gives {"embedding": (N, D), "picture": (N, S, S, 3)}, the latter the image rebuilt.
    """
    return _networks(how)[0]


def training_network(how: "Recipe") -> tuple[Any, Any]:
    """(`network`, what trains): the second shares the first's layers, drops out, and gives what has a target alone."""
    return _networks(how)


def stride(how: "Recipe") -> int:
    """Pixels of the input to a cell of the mask, along each axis."""
    return min(DECODER) if how.network == "mobile" else 1


def _networks(how: "Recipe") -> tuple[Any, Any]:
    import keras

    image = keras.Input((how.size, how.size, 3), name="image")
    if how.network == "autoencoder":
        code, picture = _autoencoder(keras, image)
        both = keras.Model(image, {"embedding": code, "picture": picture}, name="autoencoder")
        return both, keras.Model(image, {"picture": picture}, name="train")
    feature, mask = _mobile(keras, image, how.blocks) if how.network == "mobile" else _scratch(keras, image)
    breed = keras.layers.Dense(len(BREEDS), name="class")
    dropped = breed(keras.layers.Dropout(how.dropout, name="dropout")(feature))
    return (
        keras.Model(image, {"class": breed(feature), "mask": mask}, name="pets"),
        keras.Model(image, {"class": dropped, "mask": mask}, name="train"),
    )


def _mobile(keras: Any, image: Any, blocks: int) -> tuple[Any, Any]:
    features = mask_nets.trunk(keras, image, blocks)
    top = backbones.conv_bn(keras, features[max(features)], 1280, 1, 1, "top")
    feature = keras.layers.GlobalAveragePooling2D(name="feature")(top)
    x = mask_nets.decoder(keras, features, {stride: count for stride, count in DECODER.items() if stride in features})
    return feature, mask_nets.logits(keras, x, 1, "mask")


def _scratch(keras: Any, image: Any) -> tuple[Any, Any]:
    layers, x = keras.layers, image
    for index, channels in enumerate(SCRATCH):
        x = backbones.conv_bn(keras, x, channels, 3, 1, f"conv{index}")
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
    feature = layers.GlobalAveragePooling2D(name="feature")(x)
    for index, channels in reversed(list(enumerate(SCRATCH))):
        x = layers.Conv2DTranspose(channels // 4, 2, 2, use_bias=False, name=f"up{index}_conv")(x)
        x = layers.BatchNormalization(epsilon=backbones.BN_EPSILON, name=f"up{index}_bn")(x)
        x = layers.ReLU(6.0, name=f"up{index}_relu")(x)
    return feature, mask_nets.logits(keras, x, 1, "mask")


def _autoencoder(keras: Any, image: Any) -> tuple[Any, Any]:
    layers, x = keras.layers, image
    for index, channels in enumerate(SCRATCH):
        x = backbones.conv_bn(keras, x, channels, 3, 1, f"conv{index}")
        x = layers.MaxPooling2D(name=f"pool{index}")(x)
    x = layers.Conv2D(BOTTLENECK, 1, name="bottleneck")(x)
    code = layers.Flatten(name="embedding")(layers.AveragePooling2D(2, name="code_pool")(x))
    for index, channels in reversed(list(enumerate(SCRATCH))):
        x = backbones.conv_bn(keras, x, channels, 3, 1, f"rebuild{index}")
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{index}")(x)
    return code, layers.Conv2D(3, 3, padding="same", name="picture")(x)
