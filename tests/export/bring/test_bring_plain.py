"""What the quantizer is given: float32 constants, names, a signature; what it must not be given is refused."""

from pathlib import Path

import numpy as np
import pytest

from handlens.engine import open_model
from handlens.errors import DataError, EngineWrong
from handlens_export import tflite_file
from handlens_export.bring import plain
from handlens_export.bring.answers import run
from handlens_export.bring.make import integers
from handlens_export.bring.tflite_lane import TfliteLane, weights_only
from handlens_export.recipes import parse_recipes

MODELS = Path(__file__).parents[2] / "golden" / "models"

FLOAT = (MODELS / "tiny_float32.tflite").read_bytes()


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (40, 16, 8, 3)).astype(np.float32)


def as_an_old_converter_wrote_it(model: bytes) -> bytes:
    """Half-precision weights behind DEQUANTIZE, no signature, operators numbered in the old field alone, no batch."""
    parsed = plain.parse(weights_only(plain.plain(model), "float16"))
    parsed.signatureDefs = None
    for code in parsed.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode), 0
    graph = parsed.subgraphs[0]
    for tensor in graph.tensors:
        if tensor.shape is not None and len(tensor.shape) == 4 and tensor.shape[0] == 1:
            tensor.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    return plain.pack(parsed)


def test_an_old_file_becomes_one_that_can_be_quantized(batch: np.ndarray) -> None:
    old = as_an_old_converter_wrote_it(FLOAT)
    assert any(op.kind == "DEQUANTIZE" for op in tflite_file.operators(old))
    made = plain.plain(old)
    assert not any(op.kind == "DEQUANTIZE" for op in tflite_file.operators(made))
    (wanted,) = run(old, batch[:4], "tflite").values()
    (found,) = run(made, batch[:4], "tflite").values()
    assert np.abs(wanted - found).max() < 1e-5
    (feed,) = open_model(made, "tflite").inputs
    assert feed.name == open_model(old, "tflite").inputs[0].name
    assert not tflite_file.float_operators(TfliteLane(made, batch, (-1.0, 1.0)).model(()))


def with_an_operator_alone(kind: str) -> bytes:
    """The tiny model with an activation of its own behind its convolution, instead of the fused one."""
    from ai_edge_litert import schema_py_generated as schema

    parsed = plain.parse(FLOAT)
    graph = parsed.subgraphs[0]
    convolution = graph.operators[0]
    convolution.builtinOptions.fusedActivationFunction = 0
    before, alone, code = schema.TensorT(), schema.OperatorT(), schema.OperatorCodeT()
    before.__dict__.update(graph.tensors[convolution.outputs[0]].__dict__)
    before.name = b"before"
    graph.tensors.append(before)
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    parsed.operatorCodes.append(code)
    alone.opcodeIndex, alone.inputs, alone.outputs = (
        len(parsed.operatorCodes) - 1,
        [len(graph.tensors) - 1],
        convolution.outputs,
    )
    convolution.outputs = alone.inputs
    graph.operators.insert(1, alone)
    return plain.pack(parsed)


def test_a_relu_that_stands_alone_is_fused(batch: np.ndarray) -> None:
    apart = with_an_operator_alone("RELU6")
    made = plain.plain(apart)
    assert len(tflite_file.operators(made)) == len(tflite_file.operators(apart)) - 1
    np.testing.assert_allclose(
        run(made, batch[:4], "tflite")["embedding"], run(apart, batch[:4], "tflite")["embedding"], atol=1e-6
    )


def test_an_operator_without_an_int8_form_is_named_or_stays_in_float(batch: np.ndarray) -> None:
    model = with_an_operator_alone("ELU")
    lane = TfliteLane(plain.plain(model), batch, (-1.0, 1.0))
    (left,) = lane.left
    for recipe in ("int8", "int16", "int4"):
        with pytest.raises(EngineWrong, match=f"no {recipe} form for ELU {left}, which would stay in float"):
            integers(parse_recipes(recipe)[0], lane)
    made = lane.model(())
    assert [op.kind for op in tflite_file.operators(made) if op.outputs[0].dtype == "FLOAT32"] == ["DEQUANTIZE", "ELU"]
    wanted = run(model, batch[:8], "tflite")["embedding"]
    assert np.abs(run(made, batch[:8], "tflite")["embedding"] - wanted).max() < 0.05 * np.abs(wanted).max()


def test_each_operator_can_stay_in_float(batch: np.ndarray) -> None:
    lane = TfliteLane(plain.plain(FLOAT), batch, (-1.0, 1.0))
    assert [unit.kind for unit in lane.units] == ["CONV_2D", "FULLY_CONNECTED"] and lane.left == ()
    wanted = run(FLOAT, batch[:8], "tflite")["embedding"]
    errors = {}
    for unit in lane.units:
        model = lane.model([unit.name])
        kinds = {op.kind for op in tflite_file.operators(model) if op.outputs[0].dtype == "FLOAT32"}
        assert unit.kind in kinds and len({u.kind for u in lane.units} & kinds) == 1
        errors[unit.name] = np.abs(run(model, batch[:8], "tflite")["embedding"] - wanted).max()
    whole = np.abs(run(lane.model(()), batch[:8], "tflite")["embedding"] - wanted).max()
    assert 0 < min(errors.values()) < whole
    alone = lane.answers([lane.units[0].name], batch[:8])["embedding"]
    assert 0 < np.abs(alone - wanted).max() < whole
    every = lane.model([unit.name for unit in lane.units])
    assert np.abs(run(every, batch[:8], "tflite")["embedding"] - wanted).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.parametrize(("widths", "worse"), [("int16", 1.0), ("int4", 40.0)])
def test_other_widths_answer_nearly_the_same(batch: np.ndarray, widths: str, worse: float) -> None:
    lane = TfliteLane(plain.plain(FLOAT), batch, (-1.0, 1.0))
    wanted = run(FLOAT, batch[:8], "tflite")["embedding"]
    eight = np.abs(run(lane.model(()), batch[:8], "tflite")["embedding"] - wanted).max()
    found = np.abs(run(lane.written((), widths), batch[:8], "tflite")["embedding"] - wanted).max()  # type: ignore[arg-type]
    assert found < worse * eight


def test_outputs_that_are_joined_are_rounded_once(batch: np.ndarray) -> None:
    model = (MODELS / "tiny_detector.tflite").read_bytes()
    images = np.random.default_rng(1).uniform(0, 1, (8, 64, 64, 3)).astype(np.float32)
    lane = TfliteLane(plain.plain(model), images, (0.0, 1.0), output_ranges={"score": (-2.0, 2.0)})
    made = lane.model(())
    (score,) = (info for info in open_model(made, "tflite").outputs if info.name == "score")
    assert score.quant_scale == pytest.approx(4 / 255, rel=0.01)


def test_what_is_quantized_already_is_refused() -> None:
    with pytest.raises(DataError, match=r"quantized already.*int8.*float32 model"):
        plain.require_float((MODELS / "tiny_int8.tflite").read_bytes())
    plain.require_float(FLOAT)


def test_sizes_that_are_left_open_are_refused() -> None:
    parsed = plain.parse(FLOAT)
    graph = parsed.subgraphs[0]
    graph.tensors[graph.inputs[0]].shapeSignature = np.array([1, -1, -1, 3], np.int32)
    with pytest.raises(DataError, match="not fixed"):
        plain.require_float(plain.pack(parsed))
