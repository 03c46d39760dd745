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


def test_named_nodes_stay_in_float(files: dict[str, bytes], tiny: Any, batch: np.ndarray) -> None:
    import onnx as onnx_format

    from handlens.errors import OptionError
    from handlens_export import onnx

    ready = onnx.ready(files["float32"])
    assert len(set(onnx.nodes(ready))) == len(onnx.nodes(ready))
    graph = onnx_format.load_model_from_string(ready).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    first = convolutions[0].name
    mixed = onnx.quantize(files["float32"], batch[:32], floats=[first])
    (kept,) = [node for node in onnx_format.load_model_from_string(mixed).graph.node if node.name == first]
    stored = {tensor.name: tensor for tensor in onnx_format.load_model_from_string(mixed).graph.initializer}
    assert stored[kept.input[1]].data_type == onnx_format.TensorProto.FLOAT
    others = [array.dtype for array in onnx.prunable_weights(mixed)]
    assert others.count(np.dtype(np.float32)) == 1 and others.count(np.dtype(np.int8)) == len(others) - 1

    wanted = tiny.predict(batch[:12], verbose=0)["embedding"]

    def error(model: bytes) -> float:
        engine = open_model(model, "onnx")
        found = np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch[:12]])
        return float(np.square(found - wanted).mean())

    every = onnx.quantize(files["float32"], batch[:32], floats=onnx.nodes(ready))
    assert error(every) < 1e-8 < error(mixed), "with every node in float nothing is quantized"
    with pytest.raises(OptionError, match="no node 'nowhere' to leave in float; valid: "):
        onnx.quantize(files["float32"], batch[:32], floats=["nowhere"])
