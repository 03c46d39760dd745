"""A float .onnx: sizes left open are fixed, old opsets brought up, nodes left in float; what cannot be is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.errors import DataError, EngineWrong, ManifestInvalid
from handlens.manifest import Manifest
from handlens_export.bring import onnx_float
from handlens_export.bring.answers import run
from handlens_export.bring.onnx_lane import OnnxLane

onnx = pytest.importorskip("onnx")
MODELS = Path(__file__).parents[2] / "golden" / "models"


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    """(24, 3, 16, 8) float32."""
    return np.random.default_rng(0).uniform(-1, 1, (24, 3, 16, 8)).astype(np.float32)


def network(opset: int = 17, batch: object = 1, side: object = 8, **changes: Any) -> bytes:
    """Two convolutions, a mean over the image, a dense layer and a sigmoid; NCHW."""
    random = np.random.default_rng(5)
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    arrays = {
        "first": random.normal(0, 0.3, (8, 3, 3, 3)),
        "second": random.normal(0, 0.2, (8, 8, 3, 3)),
        "dense": random.normal(0, 0.4, (8, 4)),
    }
    stored = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], "conv_a", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu_a"),
        helper.make_node("Conv", ["b", "second"], ["c"], "conv_b", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"], "relu_b"),
        helper.make_node("GlobalAveragePool", ["d"], ["e"], "mean"),
        helper.make_node("Flatten", ["e"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "dense"], ["g"], "dense_mul"),
        helper.make_node("Sigmoid", ["g"], ["scores"], "end"),
    ]
    kind = onnx.TensorProto.FLOAT
    image = helper.make_tensor_value_info("image", kind, [batch, 3, 16, side])
    scores = helper.make_tensor_value_info("scores", kind, [batch, 4])
    inputs = [image] + [helper.make_tensor_value_info(t.name, kind, t.dims) for t in stored if changes.get("listed")]
    graph = helper.make_graph(nodes, "net", inputs, [scores], stored)
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()
    )


@pytest.fixture
def described(manifest: Callable[..., Path]) -> Manifest:
    """A manifest of `network`."""
    spec = {"name": "image", "height": 16, "width": 8, "channels": 3, "layout": "NCHW"}
    tolerance = {"absolute": 1e-5, "relative": 0.002}
    output = {"name": "scores", "meaning": "probabilities", "shape": [1, 4], "tolerance": tolerance}
    path = manifest("onnx", input=spec | {"scale": [1 / 127.5] * 3, "offset": [-1] * 3}, outputs=[output])
    return Manifest.from_json(path.read_text())


def test_a_model_of_fixed_size_stays_as_it_is(described: Manifest) -> None:
    assert onnx_float.fixed(network(), described) == network()


@pytest.mark.parametrize("changes", [{"batch": "N"}, {"batch": "N", "side": "W"}, {"listed": True}])
def test_open_sizes_become_the_manifests(described: Manifest, batch: np.ndarray, changes: dict[str, Any]) -> None:
    made = onnx_float.fixed(network(**changes), described)
    graph = onnx.load_model_from_string(made).graph
    (image,) = graph.input
    assert [side.dim_value for side in image.type.tensor_type.shape.dim] == [1, 3, 16, 8]
    np.testing.assert_allclose(
        run(made, batch[:4], "onnx")["scores"], run(network(), batch[:4], "onnx")["scores"], atol=1e-6
    )


def test_another_size_than_the_models_is_refused(described: Manifest) -> None:
    with pytest.raises(ManifestInvalid, match=r"\(1, 3, 16, 8\).*\[.*9\]"):
        onnx_float.fixed(network(batch="N", side=9), described)


@pytest.mark.parametrize("opset", [11, 17])
def test_nodes_stay_in_float_and_the_last_sigmoid_always_does(batch: np.ndarray, opset: int) -> None:
    lane = OnnxLane(network(opset), batch)
    assert [unit.kind for unit in lane.units] == ["Conv", "Conv", "GlobalAveragePool", "MatMul", "Sigmoid"]
    assert lane.ends == ("end",)
    wanted = run(network(), batch, "onnx")["scores"]
    whole = np.abs(run(lane.model(lane.ends), batch, "onnx")["scores"] - wanted).mean()
    errors = [
        np.abs(run(lane.model([unit.name, *lane.ends]), batch, "onnx")["scores"] - wanted).mean() for unit in lane.units
    ]
    assert 0 < min(errors) < whole < 0.02
    every = lane.model([unit.name for unit in lane.units])
    assert not any("Quantize" in node.op_type for node in onnx.load_model_from_string(every).graph.node)
    assert lane.ranges["conv_a"][0] <= 0 < lane.ranges["conv_a"][1]
    shown = lane.histograms(batch)
    assert sum(shown["conv_b"].counts) == 24 * 8 * 8 * 4


def test_a_written_file_with_other_nodes_in_float_is_refused(
    batch: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = OnnxLane(network(), batch)
    other = lane.model(["conv_a", *lane.ends])
    monkeypatch.setattr(lane, "_written", lambda floats: other)
    with pytest.raises(EngineWrong, match="differs in conv_a"):
        lane.model(["conv_b", *lane.ends])


def test_what_cannot_be_compressed_is_named(described: Manifest, batch: np.ndarray) -> None:
    quantized = OnnxLane(network(), batch).model(())
    with pytest.raises(DataError, match=r"quantized already: node \S+ is a (Deq|Q)uantizeLinear"):
        onnx_float.fixed(quantized, described)
    with pytest.raises(DataError, match="cannot be read"):
        onnx_float.fixed(b"\x08\x08garbage", described)

    def changed(change: Callable[[Any], None]) -> bytes:
        proto = onnx.load_model_from_string(network())
        change(proto)
        return bytes(proto.SerializeToString())

    def custom(proto: Any) -> None:
        proto.graph.node[1].domain, proto.graph.node[1].op_type = "my.ops", "Relish"

    def elsewhere(proto: Any) -> None:
        proto.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL

    def half(proto: Any) -> None:
        proto.graph.initializer[0].data_type = onnx.TensorProto.FLOAT16

    def two(proto: Any) -> None:
        proto.graph.input.add().CopyFrom(proto.graph.input[0])
        proto.graph.input[1].name = "mask"

    for change, words in (
        (custom, "uses Relish of the domain 'my.ops' .node relu_a"),
        (elsewhere, "weights in another file .first"),
        (half, "float16 weights .first"),
        (two, "2 inputs .image, mask"),
    ):
        with pytest.raises(DataError, match=words):
            onnx_float.fixed(changed(change), described)
