"""The face verifier's network: a backbone, a depthwise convolution over the whole map, a linear embedding."""

from typing import Any

import keras
from keras import ops

from handlens_train import backbones
from handlens_train.losses import normalise


class CosineLogits(keras.layers.Layer):
    """Cosines between embeddings (N, D), less a fixed centre (D,), and one learnt direction a person: (N, people)."""

    def __init__(self, people: int, centre: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.people, self.centre = people, centre

    def build(self, shape: tuple[int, ...]) -> None:
        """Makes the directions."""
        self.directions = self.add_weight(shape=(shape[-1], self.people), initializer="glorot_normal", name="people")

    def call(self, embedding):
        """Cosines, -1..1."""
        unit = normalise(ops.cast(embedding, "float32") - ops.convert_to_tensor(self.centre, "float32"))
        return ops.matmul(unit, ops.transpose(normalise(ops.transpose(self.directions))))


def network(size: int, blocks: int, head: int, dimension: int) -> keras.Model:
    """EfficientNet-Lite0's first `blocks` blocks at stride 16, and MobileFaceNet's way to end (Chen et al. 2018).

    A global depthwise convolution weighs each place of the face on its own, which a mean would not. Maps "image"
    (N, size, size, 3) float32, scaled, to {"embedding": (N, dimension)}, not normalised.
    """
    layers = keras.layers
    image = keras.Input((size, size, 3), name="image")
    x = backbones.inverted_residuals(keras, image, backbones.EFFICIENTNET_LITE0, blocks=blocks, last_stride=16)
    x = backbones.conv_bn(keras, x, head, 1, 1, "head")
    x = layers.DepthwiseConv2D(x.shape[1:3], use_bias=False, name="global_conv")(x)
    x = layers.BatchNormalization(epsilon=backbones.BN_EPSILON, name="global_bn")(x)
    x = layers.Flatten(name="flatten")(x)
    embedding = layers.Dense(dimension, name="embedding")(x)
    return keras.Model(image, {"embedding": embedding}, name="face_verifier")


def with_people(model: keras.Model, people: int, centre: Any) -> keras.Model:
    """The network with cosine logits of the training people beside its embedding."""
    embedding = model.output["embedding"]
    logits = CosineLogits(people, centre, name="people")(embedding)
    return keras.Model(model.input, {"embedding": embedding, "people": logits}, name="train")
