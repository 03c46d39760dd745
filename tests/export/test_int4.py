"""int4: kernels of seven steps, two in a byte, rounded so that outputs stay; an engine that misreads is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.artifact import write_artifact
from handlens.engine import open_engine, open_model
from handlens.errors import EngineWrong
from handlens_train.exportable import Match


@pytest.fixture(scope="module")
def shop(keras_tf: Any, make_source: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    from handlens_export.prepare import Options, Workshop
    from handlens_export.store import Store

    lines: list[str] = []
    options = Options(calibration_images=48, seed=5, steps=8)
    shop = Workshop(make_source(), Store(tmp_path_factory.mktemp("int4")), options, lines.append)
    shop.lines = lines  # type: ignore[attr-defined]
    return shop


@pytest.fixture(scope="module")
def made(shop: Any) -> Any:
    """The candidate of recipe int4."""
    from handlens_export import candidate
    from handlens_export.recipes import RECIPES

    return candidate.make(shop, RECIPES["int4"], "tflite")


def file_of(shop: Any, name: str) -> bytes:
    """The bytes that become a candidate, without goldens and tolerances."""
    from handlens_export import arithmetic
    from handlens_export.recipes import parse_recipes

    (recipe,) = parse_recipes(name)
    written: bytes = arithmetic.to_tflite(shop, recipe, shop.prepare(recipe))
    return written


@pytest.fixture(scope="module")
def int8_file(shop: Any) -> bytes:
    """The file of recipe int8."""
    return file_of(shop, "int8")


def kernels(model: bytes, kind: str) -> list[Any]:
    from handlens_export import tflite_file

    return [op.inputs[1] for op in tflite_file.operators(model) if op.kind == kind]


def answers(model: bytes, batch: np.ndarray) -> np.ndarray:
    engine = open_model(model, "tflite")
    return np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch])


def test_convolutions_are_int4_and_the_rest_int8(made: Any, int8_file: bytes) -> None:
    from handlens_export import tflite_file

    whole = kernels(made.model, "CONV_2D")
    assert whole and {kernel.dtype for kernel in whole} == {"INT4"}
    assert {kernel.dtype for kernel in kernels(made.model, "DEPTHWISE_CONV_2D")} == {"INT8"}
    for kernel in whole:
        assert (np.abs(kernel.data.reshape(len(kernel.data), -1)).max(axis=1) == 7).all()
        assert len(kernel.scales) == len(kernel.data)
    for op in tflite_file.operators(made.model):
        if op.kind == "CONV_2D":
            product = op.inputs[0].scales[0] * np.array(op.inputs[1].scales)
            np.testing.assert_allclose(op.inputs[2].scales, product, rtol=1e-5)
    said = made.manifest.compression
    assert (said.recipe, said.weights, said.activations) == ("int4", "int4", "int8")
    assert len(made.model) < len(int8_file)
    assert tflite_file.float_operators(made.model) == ()


def test_the_same_weights_in_int8_answer_the_same_and_gzip_smaller_than_int8(
    made: Any, shop: Any, int8_file: bytes, batch: np.ndarray
) -> None:
    from handlens_export.report.collect import gzip_size

    eight = file_of(shop, "int4in8")
    assert {kernel.dtype for kernel in kernels(eight, "CONV_2D")} == {"INT8"}
    for kernel in kernels(eight, "CONV_2D"):
        assert max(len(np.unique(row)) for row in kernel.data.reshape(len(kernel.data), -1)) <= 15
    assert gzip_size(eight) < gzip_size(int8_file)
    four, same = answers(made.model, batch[:8]), answers(eight, batch[:8])
    # int8 has 18 steps for a seventh of 127, not 18.14; besides, sums are rounded elsewhere.
    norms = np.linalg.norm(four, axis=1) * np.linalg.norm(same, axis=1)
    assert ((four * same).sum(axis=1) / norms).min() > 0.99


def test_outputs_stay_where_rounding_to_the_nearest_loses_them(made: Any, shop: Any, batch: np.ndarray) -> None:
    from handlens_export import convert, graph, int4, ranges

    wanted = np.asarray(graph.build(shop.parent).predict(batch[:24], verbose=0)["embedding"])
    nearest = int4.on_grid(shop.parent)
    network = ranges.with_fake_quant(nearest, ranges.calibrate(nearest, shop.calibration_batch, shop.source.input))
    plain = convert.to_tflite(graph.build(network), "fake-quantized")
    found, rough = (np.square(answers(model, batch[:24]) - wanted).mean() for model in (made.model, plain))
    assert found < 0.3 * rough
    assert found < 0.05 * wanted.var()


def test_independent_kernels_agree(made: Any, batch: np.ndarray) -> None:
    from handlens_export import tolerance

    image = made.manifest.input
    apart = tolerance.Kernels(made.model, "tflite", image).apart("noise", 1)
    assert apart["embedding"] <= 8, "steps between XNNPACK's answer and that of the reference kernels"


def misread(model: bytes) -> bytes:
    """The file as an engine sees it that takes the high half of a byte first."""
    from ai_edge_litert import schema_py_generated as schema

    from handlens_export.compact import SharingBuilder

    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    for tensor in parsed.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT4:
            data = np.asarray(parsed.buffers[tensor.buffer].data, np.uint8)
            parsed.buffers[tensor.buffer].data = (data >> 4) | (data << 4)
    builder = SharingBuilder(len(model))
    builder.Finish(parsed.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_an_engine_that_reads_the_halves_in_the_other_order_is_refused(made: Any, tmp_path: Path) -> None:
    right = write_artifact(tmp_path / "right.tflite", made.model, "tflite", made.manifest, made.goldens)
    open_engine(right).close()
    wrong = write_artifact(tmp_path / "wrong.tflite", misread(made.model), "tflite", made.manifest, made.goldens)
    with pytest.raises(EngineWrong, match="embedding"):
        open_engine(wrong)


@pytest.mark.slow
def test_zeros_survive_int4_and_qat(shop: Any) -> None:
    from handlens_export import tflite_file
    from handlens_export.compressed import prunable
    from handlens_export.recipes import parse_recipes

    one_shot = replace(shop.options, steps=0)
    shop.options, before = one_shot, shop.options
    try:
        assert tflite_file.sparsity(file_of(shop, "pruned50-int4")) >= 0.5
    finally:
        shop.options = before
    pruned, tuned = (
        prunable(shop.prepare(parse_recipes(name)[0]).graph) for name in ("pruned50-float32", "pruned50-qat-int4")
    )
    assert all((tuned[name][kernel == 0] == 0).all() for name, kernel in pruned.items())
    assert any(not np.array_equal(tuned[name], kernel) for name, kernel in pruned.items())
    model = file_of(shop, "pruned50-qat-int4")
    assert tflite_file.sparsity(model) >= 0.5 and {kernel.dtype for kernel in kernels(model, "CONV_2D")} == {"INT4"}


def test_qat_learns_from_the_rounded_kernels_and_is_done_once(shop: Any) -> None:
    from handlens_export.recipes import RECIPES

    first = shop.prepare(RECIPES["qat-int4"])
    note = first.note
    before, after = (float(part.split()[0]) for part in note.split("training images ")[1].split("before, ")[:2])
    assert after <= before and "rounded in turn on 96 training images" in note
    said = len(shop.lines)
    again = shop.prepare(RECIPES["qat-int4"])
    assert again.note == note and again.ranges == first.ranges
    assert [line.split(" taken")[0] for line in shop.lines[said:]] == ["rounded network", "quantization-aware network"]


def test_a_channel_that_is_all_but_dead_stays_right(keras_tf: Any, batch: np.ndarray) -> None:
    from handlens_export import convert, fold, graph, int4, ranges
    from handlens_export.rounding import rounded

    keras_tf.utils.set_random_seed(2)
    image = keras_tf.Input((32, 16, 3), name="image")
    x = keras_tf.layers.Conv2D(8, 3, strides=2, bias_initializer="ones")(image)
    model = keras_tf.Model(image, {"embedding": keras_tf.layers.Conv2D(4, 3)(x)})
    kernel, bias = model.layers[1].get_weights()
    kernel[..., 3], kernel[..., 5] = kernel[..., 3] * 1e-7, 0.0
    model.layers[1].set_weights([kernel, bias])
    whole = fold.for_inference(graph.trace(model, []))
    network = rounded(whole, int4.levels(whole), batch[:32], 0)
    spec_ranges = ranges.calibrate(network, batch[:32], spec())
    file = convert.to_tflite(graph.build(ranges.with_fake_quant(network, spec_ranges)), "fake-quantized")
    packed = int4.packed(file, 2)
    wanted = graph.build(network).predict(batch[:8], verbose=0)["embedding"]
    assert np.abs(answers(packed, batch[:8]) - wanted).max() < 0.05 * np.ptp(wanted)


def test_a_file_off_the_grid_is_not_packed(int8_file: bytes) -> None:
    from handlens_export import int4

    with pytest.raises(EngineWrong, match="0 of 7 kernels in the converted file lie on the int4 grid"):
        int4.packed(int8_file, 7)


def spec() -> Any:
    from handlens.manifest import InputSpec

    return InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)


def test_without_steps_qat_changes_nothing(shop: Any) -> None:
    from handlens_export.distill import Plan
    from handlens_export.qat import quantization_aware

    start = {"image": (-1.0, 1.0)}
    plan = Plan(steps=0, rate=1e-3)
    network, found, note = quantization_aware(
        shop.parent, shop.parent, start, [], [], spec(), plan, {"embedding": Match("cosine")}
    )
    assert network is shop.parent and found == start and "0 steps" in note


def test_a_layer_too_wide_to_solve_is_rounded_to_the_nearest(
    shop: Any, batch: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlens_export import channel_repair, int4
    from handlens_export.rounding import rounded

    monkeypatch.setattr(channel_repair, "MOST_FEATURES", 30)
    four = int4.levels(shop.parent)
    found = rounded(shop.parent, four, batch[:16], 0)
    for before, after in zip(shop.parent.nodes, found.nodes, strict=True):
        if after.name in four:
            kernel = after.weights[0]
            steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 7)
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
            if kernel[..., 0].size > 30:
                near = before.weights[0] / (np.abs(kernel).max(axis=(0, 1, 2)) / 7)
                assert np.abs(np.clip(near, -7, 7) - steps).max() < 0.51
