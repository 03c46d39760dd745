"""Folding keeps the function, and leaves nothing that int8 has no form for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

HEIGHT, WIDTH = 32, 16


def residual(keras: Any, x: Any) -> Any:
    layers = keras.layers
    y = layers.ZeroPadding2D(1)(x)
    y = layers.Conv2D(6, 3, strides=2, use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU(6.0)(y)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(y)
    y = layers.Dropout(0.3)(y)
    y = layers.BatchNormalization(scale=False)(y)
    y = layers.Conv2D(6, 1)(y)
    y = layers.Add()([y, layers.AveragePooling2D(2)(layers.Conv2D(6, 1, activation="swish")(x))])
    return layers.BatchNormalization(center=False)(y)  # after a sum: nothing to fold it into


def heads(keras: Any, x: Any) -> Any:
    layers = keras.layers
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    x = layers.Dense(8, activation="relu6")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(5)(x)
    return layers.BatchNormalization()(x)


def twice_read(keras: Any, x: Any) -> Any:
    layers = keras.layers
    y = layers.Conv2D(4, 3)(x)
    z = layers.BatchNormalization()(y)  # `y` is read again, so the convolution must stay as it is
    return layers.Concatenate()([layers.GlobalAveragePooling2D()(y), layers.GlobalMaxPooling2D()(z)])


def norm_twice_read(keras: Any, x: Any) -> Any:
    layers = keras.layers
    y = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    a = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(y))
    return layers.Concatenate()([a, layers.GlobalMaxPooling2D()(y)])


def decoder(keras: Any, x: Any) -> Any:
    layers = keras.layers
    y = layers.BatchNormalization()(
        layers.Conv2DTranspose(6, 3, 2, "same", use_bias=False)(layers.Conv2D(5, 3, 2, "same")(x))
    )
    z = layers.UpSampling2D(2, interpolation="bilinear")(layers.AveragePooling2D(2)(layers.ReLU(6.0)(y)))
    w = layers.Conv2DTranspose(6, 2, activation="relu", padding="same")(y)
    return layers.BatchNormalization()(layers.Concatenate()([layers.Add()([y, z]), w]))


def nested(keras: Any, x: Any) -> Any:
    layers = keras.layers
    inside = keras.Input(x.shape[1:])
    inner = keras.Model(inside, layers.BatchNormalization()(layers.Conv2D(4, 3)(inside)), name="inner")
    line = keras.Sequential([layers.Conv2D(3, 1), layers.BatchNormalization(), layers.ReLU()], name="line")
    return layers.GlobalAveragePooling2D()(line(inner(layers.Rescaling(0.5, 0.25)(x))))


def operations(keras: Any, x: Any) -> Any:
    y = keras.layers.Conv2D(3, 1)(x)
    return keras.ops.mean(y * 2.0 + x, axis=(1, 2))


@pytest.mark.parametrize("head", [residual, heads, twice_read, norm_twice_read, decoder, nested, operations])
def test_the_function_stays_and_batch_norm_goes(
    keras_tf: Any, batch: np.ndarray, shake: Callable[[Any], None], head: Callable[[Any, Any], Any]
) -> None:
    from handlens_export import fold, graph

    keras_tf.utils.set_random_seed(1)  # now and then, random weights leave a relu with nothing to say
    image = keras_tf.Input((HEIGHT, WIDTH, 3), name="image")
    model = keras_tf.Model(image, head(keras_tf, image))
    shake(model)
    folded = fold.for_inference(graph.trace(model, ["out"]))
    kinds = {node.cls.__name__ for node in folded.nodes}
    assert not kinds & {"BatchNormalization", "Dropout", "Dense", "Rescaling"}
    wanted = model.predict(batch, verbose=0)
    found = graph.build(folded).predict(batch, verbose=0)["out"]
    assert wanted.std() > 0.05
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_conv_and_its_batch_norm_become_one_call(keras_tf: Any, tiny: Any) -> None:
    from handlens_export import fold, graph

    before, after = (f(graph.trace(tiny, [])) for f in (lambda g: g, fold.for_inference))
    count = [sum(node.cls.__name__ == "BatchNormalization" for node in g.nodes) for g in (before, after)]
    assert count == [11, 0]
    calls = [node.name for node in after.nodes if node.cls.__name__ in ("Conv2D", "DepthwiseConv2D")]
    assert len(calls) == 11 and "neck" in calls, "ten convolutions, and the BNNeck as a 1x1 depthwise one"


def test_a_model_that_is_not_functional_is_refused_by_name(keras_tf: Any) -> None:
    from handlens.errors import RunError
    from handlens_export import graph

    class Own(keras_tf.Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(RunError, match="own_model"):
        graph.trace(Own(name="own_model"), ["out"])
