"""The ONNX door: the same names and answers as Keras, int8 as QDQ, zeros kept."""

from typing import Any

import numpy as np
import pytest

from handlens.engine import open_model

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def files(keras_tf: Any, tiny: Any, images: np.ndarray, batch: np.ndarray) -> dict[str, bytes]:
    from handlens_export import fold, graph, onnx
    from handlens_export.distill import Plan
    from handlens_export.prune import prune

    whole = fold.for_inference(graph.trace(tiny, []))
    cut = prune(whole, list(images), None, 0.5, Plan(steps=0, rate=1.0), {})  # type: ignore[arg-type]
    floats = onnx.to_onnx(graph.build(whole))
    return {
        "float32": floats,
        "int8": onnx.quantize(floats, batch[:32]),
        "pruned": onnx.quantize(onnx.to_onnx(graph.build(cut)), batch[:32]),
    }


def test_float_answers_are_those_of_keras(files: dict[str, bytes], tiny: Any, batch: np.ndarray) -> None:
    from handlens_export import parity

    engine = open_model(files["float32"], "onnx")
    assert [tensor.name for tensor in engine.inputs] == ["image"]
    assert [(tensor.name, tensor.shape) for tensor in engine.outputs] == [("embedding", (1, 24))]
    measured = parity.measure(engine, tiny, batch[:12])
    assert measured.max_abs_error <= measured.tolerance < 1e-3


def test_int8_is_smaller_and_near(files: dict[str, bytes], tiny: Any, batch: np.ndarray) -> None:
    from handlens_export import onnx

    engine = open_model(files["int8"], "onnx")
    found = np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch[:12]])
    wanted = tiny.predict(batch[:12], verbose=0)["embedding"]
    assert np.abs(found - wanted).max() < 0.1 * np.ptp(wanted)
    weights = list(onnx.prunable_weights(files["int8"]))
    assert len(weights) == 7 and all(array.dtype == np.int8 for array in weights)
    assert 0 < onnx.output_scales(files["int8"])["embedding"] < 0.1
    ends = onnx.activation_ranges(files["int8"])
    assert len(ends) > 10 and all(low <= 0 < high for low, high in ends.values())
    pixels = float(batch[:32].min()), float(batch[:32].max())
    assert any(np.allclose(pair, pixels, atol=0.01) for pair in ends.values()), "that of the image is among them"


def test_zeros_survive_quantization(files: dict[str, bytes]) -> None:
    from handlens_export import onnx

    assert onnx.sparsity(files["pruned"]) >= 0.5 > 0.1 > onnx.sparsity(files["int8"])


def test_parity_names_the_output_that_is_off() -> None:
    from handlens.errors import EngineWrong, GoldenInvalid
    from handlens_export.parity import compare

    wanted = {"a": np.linspace(0, 1, 20).reshape(10, 2), "b": np.linspace(0, 5, 10).reshape(10, 1)}
    assert compare(wanted, wanted, 1e-4).max_abs_error == 0
    with pytest.raises(EngineWrong, match="output b .* 0.01 off"):
        compare(wanted | {"b": wanted["b"] + 0.01}, wanted, 1e-4)
    with pytest.raises(EngineWrong):
        compare(wanted | {"b": wanted["b"] * np.nan}, wanted, 1e-4)
    with pytest.raises(GoldenInvalid, match="same for every image"):
        compare({"a": np.ones((4, 2))}, {"a": np.ones((4, 2))}, 1e-4)
