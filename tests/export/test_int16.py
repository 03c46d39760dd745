"""int16: int8 weights and int16 activations between float ends, and what has no such form is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.artifact import write_artifact
from handlens.engine import open_engine, open_model
from handlens.errors import DataError, EngineWrong, OptionError


@pytest.fixture(scope="module")
def shop(keras_tf: Any, make_source: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    from handlens_export.prepare import Options, Workshop
    from handlens_export.store import Store

    options = Options(calibration_images=32, seed=5)
    return Workshop(make_source(), Store(tmp_path_factory.mktemp("int16")), options, lambda line: None)


@pytest.fixture(scope="module")
def made(shop: Any) -> Any:
    from handlens_export import candidate
    from handlens_export.recipes import RECIPES

    return candidate.make(shop, RECIPES["int16"], "tflite")


def test_activations_are_int16_and_the_ends_float(made: Any) -> None:
    from handlens_export import ranges, tflite_file

    operators = tflite_file.operators(made.model)
    assert (operators[0].kind, operators[-1].kind) == ("QUANTIZE", "DEQUANTIZE")
    for op in operators[1:-1]:
        assert {tensor.dtype for tensor in op.outputs} == {"INT16"}
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            assert op.inputs[1].dtype == "INT8" and len(op.inputs[1].scales) == op.outputs[0].shape[-1]
    said = made.manifest.compression
    assert (said.weights, said.activations, made.manifest.input.dtype) == ("int8", "int16", "float32")
    assert said.calibration.count == 32
    assert said.calibration.ranges_sha256 == ranges.ranges_sha256(tflite_file.activation_ranges(made.model))


def test_it_is_nearer_to_the_float_network_than_int8(made: Any, shop: Any, batch: np.ndarray) -> None:
    from handlens_export import arithmetic, graph
    from handlens_export.recipes import RECIPES

    wanted = np.asarray(graph.build(shop.parent).predict(batch[:16], verbose=0)["embedding"])

    def error(model: bytes) -> float:
        engine = open_model(model, "tflite")
        found = np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch[:16]])
        return float(np.square(found - wanted).mean())

    recipe = RECIPES["int8"]
    assert error(made.model) < error(arithmetic.to_tflite(shop, recipe, shop.prepare(recipe)))


def test_an_engine_that_gets_a_scale_wrong_is_refused(made: Any, tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from handlens_export.compact import SharingBuilder

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(made.model, 0))
    tensors = parsed.subgraphs[0].tensors
    inner = [t for t in tensors if t.type == schema.TensorType.INT16][len(tensors) // 8]
    inner.quantization.scale = inner.quantization.scale * np.float32(2)
    builder = SharingBuilder(len(made.model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    open_engine(write_artifact(tmp_path / "a.tflite", made.model, "tflite", made.manifest, made.goldens)).close()
    wrong = write_artifact(tmp_path / "b.tflite", bytes(builder.Output()), "tflite", made.manifest, made.goldens)
    with pytest.raises(EngineWrong, match="embedding"):
        open_engine(wrong)


@pytest.mark.parametrize(("activation", "operator"), [("hard_silu", "HARD_SWISH"), ("elu", "ELU")])
def test_an_operator_without_an_int16_form_is_named(
    keras_tf: Any, batch: np.ndarray, capfd: pytest.CaptureFixture[str], activation: str, operator: str
) -> None:
    from handlens_export import convert

    image = keras_tf.Input((32, 16, 3), name="image")
    x = keras_tf.layers.Conv2D(4, 3, activation=activation)(image)
    model = keras_tf.Model(image, {"out": keras_tf.layers.Conv2D(2, 1)(x)})
    with pytest.raises(OptionError, match=f"no form of operator {operator} with int16 activations; use float16"):
        convert.to_tflite(model, "int16", batch[:4])
    assert capfd.readouterr().err == ""


def test_a_table_of_ranges_is_refused(make_source: Callable[..., Any], tmp_path: Path) -> None:
    from handlens_data.calibration.table import RangeTable
    from handlens_export.prepare import Options, Workshop
    from handlens_export.recipes import RECIPES
    from handlens_export.store import Store

    table = RangeTable(
        model="tiny-int16", dataset="d", split="train", count=1, seed=0, images_sha256="", ranges={"image": (0.0, 1.0)}
    )
    shop = Workshop(make_source(), Store(tmp_path), Options(ranges=table), lambda line: None)
    with pytest.raises(DataError, match="int16 takes no table of ranges: leave --ranges out"):
        shop.prepare(RECIPES["int16"])
