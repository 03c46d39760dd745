"""Makes the tiny models beside this file: `python tests/golden/models/make_models.py` (needs the extra `export`).

One small net with fixed random weights (a strided convolution, relu6, average pooling, a dense layer to 8 numbers),
in the forms the runtime reads. They are checked in, so that the runtime's tests need neither Keras nor TensorFlow.
"""

from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from handlens.golden import GENERATORS, generate

HERE = Path(__file__).parent
HEIGHT, WIDTH, FILTERS, DIMENSION = 16, 8, 6, 8


def weights() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Kernel (3, 3, 3, F), bias (F,), matrix (8 * F, D), bias (D,)."""
    rng = np.random.default_rng(20)
    return (
        rng.normal(0, 0.6, (3, 3, 3, FILTERS)).astype(np.float32),
        rng.normal(0, 0.3, FILTERS).astype(np.float32),
        rng.normal(0, 0.4, (8 * FILTERS, DIMENSION)).astype(np.float32),
        rng.normal(0, 0.3, DIMENSION).astype(np.float32),
    )


def net() -> keras.Model:
    """The net in Keras: (1, 16, 8, 3) to (1, 8); scaled pixels in, an embedding out."""
    image = keras.Input((HEIGHT, WIDTH, 3), batch_size=1, name="image")
    x = keras.layers.Conv2D(FILTERS, 3, strides=2, padding="valid")(keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(image))
    x = keras.layers.AveragePooling2D((2, 2))(keras.layers.ReLU(6.0)(x))
    x = keras.layers.Flatten()(x)
    model = keras.Model(image, {"embedding": keras.layers.Dense(DIMENSION, name="embedding")(x)})
    model.set_weights(list(weights()))
    return model


def patterns() -> list[np.ndarray]:
    """Inputs (1, 16, 8, 3) in -1..1 from the procedural patterns."""
    images = [generate(name, seed, HEIGHT, WIDTH, 3) for name in GENERATORS for seed in range(8)]
    return [image[None].astype(np.float32) / 127.5 - 1 for image in images]


def tflite(model: keras.Model, quantized: bool) -> bytes:
    """The net as a `.tflite`: float32, or fully int8."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ({"image": image} for image in patterns())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def onnx_model() -> bytes:
    """The net as a `.onnx` (NHWC in, as a converted Keras model has it)."""
    kernel, bias, matrix, offset = weights()
    nodes = [
        helper.make_node("Transpose", ["image"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel", "bias"], ["conv"], strides=[2, 2], pads=[0, 0, 1, 1]),
        helper.make_node("Clip", ["conv", "zero", "six"], ["relu6"]),
        helper.make_node("AveragePool", ["relu6"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Transpose", ["pool"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Flatten", ["nhwc"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "offset"], ["embedding"]),
    ]
    constants = {
        "kernel": kernel.transpose(3, 2, 0, 1).copy(),
        "bias": bias,
        "zero": np.float32(0),
        "six": np.float32(6),
        "matrix": matrix,
        "offset": offset,
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIMENSION])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


if __name__ == "__main__":
    source = net()
    (HERE / "tiny_float32.tflite").write_bytes(tflite(source, quantized=False))
    (HERE / "tiny_int8.tflite").write_bytes(tflite(source, quantized=True))
    (HERE / "tiny_float32.onnx").write_bytes(onnx_model())
