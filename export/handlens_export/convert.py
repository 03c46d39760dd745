"""From a Keras model to the bytes of a `.tflite`, with a fixed batch of 1 and real names for input and outputs.

It goes through a SavedModel: converting a Keras 3 model's concrete functions writes unfrozen variables without a word.
"""

import re
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from handlens.errors import OptionError
from handlens_export import quiet
from handlens_export.compact import compact

SIGNATURE = "serve"
_NO_INT16 = re.compile(r"16x8-bit not yet supported for op: '(\w+)'")
Mode = Literal["float32", "float16", "dynamic", "fake-quantized", "int16"]


def to_tflite(model: Any, mode: Mode, images: np.ndarray | None = None) -> bytes:
    """Converts a Keras model with one input and a dict of outputs.

    Args:
        model: on the TensorFlow backend; input (None, H, W, C) float32.
        mode: float32; float16 or dynamic for weights alone; fake-quantized for a model whose ranges are `FakeQuant`
            layers, which becomes int8 throughout, input and outputs included; int16 for int8 weights and int16
            activations between a float input and float outputs.
        images: (N, H, W, C) float32, scaled as the network takes them, that int16's ranges are measured on.

    Returns:
        A FlatBuffer with the signature "serve", named as the model's input and outputs are.

    Raises:
        OptionError: the network has an operator without a form of int16 activations.
    """
    tf: Any = quiet.tensorflow()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), quiet.stderr_silenced():
        warnings.simplefilter("ignore")
        write_saved_model(model, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        if mode != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if mode == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if mode == "dynamic":
            # Older runtimes read a per-channel fully connected layer as a per-tensor one: chance accuracy, no error.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if mode == "fake-quantized":
            converter.inference_input_type = converter.inference_output_type = tf.int8
        if mode == "int16":
            if images is None:
                raise ValueError("int16 needs images to measure ranges on")
            wanted = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [wanted]
            converter.representative_dataset = lambda: ([image[None]] for image in images)
        try:
            return compact(converter.convert())
        except RuntimeError as error:
            lacking = _NO_INT16.search(str(error))
            if lacking is None:
                raise
    raise OptionError(
        f"the converter has no form of operator {lacking[1]} with int16 activations; use float16, int8 or mixed"
    )


def write_saved_model(model: Any, folder: str) -> None:
    """Writes a SavedModel with a batch of 1."""
    import keras

    (image,) = model.inputs
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        SIGNATURE,
        endpoint(model),
        input_signature=[keras.InputSpec(dtype="float32", shape=(1, *image.shape[1:]), name=image.name)],
    )
    archive.write_out(folder, verbose=False)


def endpoint(model: Any) -> Any:
    """A function of one image tensor that returns the outputs by name."""

    def serve(image: Any) -> Mapping[str, Any]:
        return dict(model(image, training=False))

    return serve
