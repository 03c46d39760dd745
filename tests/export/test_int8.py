"""The int8 file: int8 throughout, scales equal to the ranges it was made from, outputs those of the simulation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handlens.engine import open_model
from handlens.manifest import InputSpec


def spec_of(height: int = 32, width: int = 16) -> InputSpec:
    return InputSpec(
        name="image", height=height, width=width, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3
    )


@pytest.fixture(scope="module")
def made(keras_tf: Any, tiny: Any, batch: np.ndarray) -> tuple[bytes, Any, dict[str, tuple[float, float]]]:
    """(file, its simulation in Keras, the ranges) of the tiny network."""
    from handlens_export import convert, fold, graph, ranges

    network = fold.for_inference(graph.trace(tiny, []))
    found = ranges.calibrate(network, batch, spec_of())
    simulated = graph.build(ranges.with_fake_quant(network, found))
    return convert.to_tflite(simulated, "fake-quantized"), simulated, found


def nudged(low: float, high: float) -> tuple[float, float]:
    """The range that 256 steps really span when one of them is exactly zero (Jacob et al. 2018)."""
    scale = (high - low) / 255
    zero = round(-128 - low / scale)
    return (-128 - zero) * scale, (127 - zero) * scale


def test_no_float_is_left_and_weights_are_per_channel(made: Any) -> None:
    from handlens_export import tflite_file

    assert tflite_file.float_operators(made[0]) == ()
    for op in tflite_file.operators(made[0]):
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            channels = op.outputs[0].shape[-1]
            assert len(op.inputs[1].scales) == channels and set(op.inputs[1].zero_points) == {0}
            assert op.inputs[2].dtype == "INT32"


def test_every_range_is_in_the_file(made: Any) -> None:
    from handlens_export import tflite_file

    operators = tflite_file.operators(made[0])
    stored = [op.outputs[0].range for op in operators] + [operators[0].inputs[0].range]
    for name, ends in made[2].items():
        wanted = nudged(*ends)
        assert any(np.allclose(wanted, got, rtol=1e-4, atol=1e-6) for got in stored), (
            f"{name}: {wanted} not in the file"
        )


def test_pixels_reach_the_network_exactly(made: Any) -> None:
    engine = open_model(made[0], "tflite")
    (tensor,) = engine.inputs
    assert tensor.quant_scale == 1 / 128 and tensor.quant_zero_point == -1
    pixels = np.arange(256) / 128 - 127 / 128
    assert np.array_equal(np.round(pixels / tensor.quant_scale) + tensor.quant_zero_point, np.arange(256) - 128)


def test_the_file_answers_as_its_simulation(made: Any, batch: np.ndarray) -> None:
    model, simulated, _ = made
    engine = open_model(model, "tflite")
    (output,) = engine.outputs
    found = np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch[:24]])
    wanted = simulated.predict(batch[:24], verbose=0)["embedding"]
    assert wanted.std() > 0.5
    # One step of the mean before the BNNeck is several behind it, where the neck enlarges a small spread.
    steps = np.abs(found - wanted) / output.quant_scale
    assert np.median(steps) < 1.5 and steps.max() < 10


def pools(layers: Any, x: Any) -> Any:
    x = layers.ReLU()(layers.Conv2D(8, 3, padding="same")(x))
    x = layers.UpSampling2D()(layers.AveragePooling2D(2)(layers.MaxPooling2D()(x)))
    y = layers.Activation("sigmoid")(layers.Conv2D(8, 1)(x))
    x = layers.Concatenate()([layers.Multiply()([x, y]), layers.Cropping2D(0)(x)])
    x = layers.GlobalMaxPooling2D()(x)
    return layers.Dense(5, activation="softmax")(x)


def flat(layers: Any, x: Any) -> Any:
    x = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv2D(6, 5, strides=4)(x)))
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Dense(12, activation="relu")(layers.Flatten()(x))
    return layers.Dense(4, activation="tanh")(x)


def plain_matrix(layers: Any, x: Any) -> Any:
    return layers.Dense(7)(layers.Flatten()(x))


def global_depthwise(layers: Any, x: Any) -> Any:
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(x.shape[1:3], use_bias=False)(x))
    x = layers.BatchNormalization()(layers.Conv2D(12, 1, use_bias=False)(x))
    return layers.BatchNormalization(center=False)(layers.Flatten()(x))


def one_logit(layers: Any, x: Any) -> Any:
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.SeparableConv2D(8, 3, 2, "same")(x)))
    return layers.Dense(1)(layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("head", [pools, flat, plain_matrix, global_depthwise, one_logit])
def test_other_layers_become_int8_too(keras_tf: Any, batch: np.ndarray, head: Callable[[Any, Any], Any]) -> None:
    from handlens_export import convert, fold, graph, ranges, tflite_file

    keras_tf.utils.set_random_seed(11)
    image = keras_tf.Input((32, 16, 3), name="image")
    model = keras_tf.Model(image, {"out": head(keras_tf.layers, image)})
    network = fold.for_inference(graph.trace(model, []))
    found = ranges.calibrate(network, batch[:32], spec_of())
    simulated = graph.build(ranges.with_fake_quant(network, found))
    written = convert.to_tflite(simulated, "fake-quantized")
    assert tflite_file.float_operators(written) == ()
    engine = open_model(written, "tflite")
    answers = np.concatenate([engine.run({"image": x[None]})["out"] for x in batch[:8]])
    wanted = model.predict(batch[:8], verbose=0)["out"]
    assert np.abs(answers - wanted).max() <= 0.08 * np.ptp(wanted), "int8 is near the float network"


def test_calibration_sees_every_image_and_zero(keras_tf: Any, tiny: Any, batch: np.ndarray) -> None:
    from handlens_export import fold, graph, ranges

    network = fold.for_inference(graph.trace(tiny, []))
    found = ranges.calibrate(network, batch[:21], spec_of(), batch=8)
    wanted = tiny.predict(batch[:21], verbose=0)["embedding"]
    np.testing.assert_allclose(found["neck"], (wanted.min(), wanted.max()), rtol=1e-4)
    assert all(low <= 0 < high for low, high in found.values())
    assert found["image"] == (-127 / 128, 1.0), "the exact range of pixels, whatever the images hold"
