"""Compacting changes no answer and nothing that a reader of the file sees but names; it does save bytes."""

from typing import Any

import numpy as np
import pytest

from handlens.engine import open_model
from handlens_export import compact, tflite_file


@pytest.fixture(scope="module")
def files(keras_tf: Any, tiny: Any, batch: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """An int8 file as TensorFlow wrote it, and compacted."""
    import tensorflow as tf

    from handlens_export import convert

    folder = str(tmp_path_factory.mktemp("saved"))
    convert.write_saved_model(tiny, folder)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serve"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in batch[:8])
    converter.inference_input_type = converter.inference_output_type = tf.int8
    written = bytes(converter.convert())
    return written, compact.compact(written)


def test_it_saves_bytes(files: tuple[bytes, bytes]) -> None:
    before, after = files
    assert len(after) < 0.9 * len(before)


def test_operators_weights_and_quantization_stay(files: tuple[bytes, bytes]) -> None:
    before, after = (tflite_file.operators(model) for model in files)
    assert [op.kind for op in before] == [op.kind for op in after]
    for old, new in zip(before, after, strict=True):
        for a, b in zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True):
            assert (a.dtype, a.shape, a.scales, a.zero_points) == (b.dtype, b.shape, b.scales, b.zero_points)
            assert a.data is b.data is None or np.array_equal(a.data, b.data)


def test_answers_stay_to_the_bit(files: tuple[bytes, bytes], batch: np.ndarray) -> None:
    engines = [open_model(model, "tflite") for model in files]
    for image in batch[:6]:
        first, second = (engine.run({"image": image[None]})["embedding"] for engine in engines)
        assert np.array_equal(first, second)


def test_weights_stay_aligned(files: tuple[bytes, bytes]) -> None:
    after = files[1]
    weights = next(op.inputs[1].data for op in tflite_file.operators(after) if op.kind == "CONV_2D")
    assert weights is not None and after.find(weights.tobytes()) % compact.ALIGNMENT == 0


def test_a_name_keeps_the_layer() -> None:
    assert compact.short_name("network_1/stem_relu_1/Relu6;network_1/stem_conv_1/BiasAdd") == "stem_relu_1/Relu6"
    assert compact.short_name("serve_image:0") == "serve_image:0"
