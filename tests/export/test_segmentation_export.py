"""A segmenter through the door: maps and heads keep their shapes, int8 segments as float does, wrong engines fail."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_segmenter

from handlens.artifact import Artifact
from handlens.engine import open_engine
from handlens.golden import replay
from handlens.segment import Segmenter

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

WRITTEN = ("float32.tflite", "int8.tflite", "qat-int8.tflite", "float32.onnx", "int8.onnx")


@pytest.fixture(scope="module")
def model(keras_tf: Any) -> Any:
    return tiny_segmenter.network(keras_tf)


@pytest.fixture(scope="module")
def artifacts(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """What the door wrote, by recipe and format."""
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    folder = tmp_path_factory.mktemp("segmenter")
    outcome = door.export(
        tiny_segmenter.exportable(model),
        parse_recipes("float32,int8,qat-int8"),
        ("tflite", "onnx"),
        folder / "out",
        keep=folder / "keep",
        max_drop=5.0,
        options=Options(calibration_images=64, seed=1, steps=4),
    )
    outcome.require()
    return {item.artifact.path.name.removeprefix("blobs-"): item.artifact for item in outcome.written}


def test_the_outputs_keep_their_names_and_maps(artifacts: dict[str, Artifact]) -> None:
    assert set(artifacts) == set(WRITTEN)
    for artifact in artifacts.values():
        shapes = {output.name: output.shape for output in artifact.manifest.outputs}
        assert shapes == tiny_segmenter.SHAPES
        assert artifact.size - artifact.model_size < 20_000, "goldens of maps are samples"


@pytest.mark.parametrize("name", WRITTEN[1:])
def test_masks_and_labels_are_those_of_the_float_network(artifacts: dict[str, Artifact], name: str) -> None:
    pictures, labels, _ = tiny_segmenter.scenes(20, 2)
    with Segmenter.load(artifacts[WRITTEN[0]].path) as floats, Segmenter.load(artifacts[name].path) as other:
        pairs = [(floats.segment(picture), other.segment(picture)) for picture in pictures]
    # Where the class is unsure, so may the labels be: what is asked is the picture's truth and a few pixels.
    assert np.mean([a.labels != label for (a, _), label in zip(pairs, labels, strict=True)]) < 0.05
    assert np.mean([a.mask() != b.mask() for a, b in pairs]) < 0.005
    assert np.mean([a.labels != b.labels for a, b in pairs]) < 0.01
    assert max(np.abs(a.alpha.astype(int) - b.alpha).mean() for a, b in pairs) < 3


def test_every_operator_has_an_int8_form_and_upsampling_is_one(artifacts: dict[str, Artifact]) -> None:
    import onnx

    from handlens_export import tflite_file

    for name in ("int8.tflite", "qat-int8.tflite"):
        operators = tflite_file.operators(artifacts[name].model)
        kinds = [operator.kind for operator in operators]
        assert kinds.count("RESIZE_BILINEAR") == 1 and kinds.count("TRANSPOSE_CONV") == 1
        assert not {"GATHER", "PACK", "TILE", "RELU6", "MUL"} & set(kinds), "each layer is one operator"
        (grow,) = (operator for operator in operators if operator.kind == "TRANSPOSE_CONV")
        assert len(grow.inputs[1].scales) == 8, "a scale a channel, batch norm folded in"
        assert all("FLOAT" not in tensor.dtype for operator in operators for tensor in operator.outputs)
    nodes = onnx.load_model_from_string(artifacts["float32.onnx"].model).graph.node
    (resize,) = (node for node in nodes if node.op_type == "Resize")
    modes = {attribute.name: attribute.s for attribute in resize.attribute}
    assert (modes["mode"], modes["coordinate_transformation_mode"]) == (b"linear", b"half_pixel")


def test_what_is_said_outside_of_the_mask_costs_no_steps(artifacts: dict[str, Artifact]) -> None:
    for name in ("int8.tflite", "int8.onnx"):
        notes = artifacts[name].manifest.compression.notes
        assert "mask -8.00 to 8.00 (logit, +-8 at most)" in notes and "classes -" in notes
        for output in tiny_segmenter.SHAPES:
            assert f"{output} 0.9" in notes or f"{output} 1.0" in notes, "how near the file is to its simulation"


class Wrong:
    """An engine that is wrong in one output."""

    def __init__(self, engine: Any, output: str, how: Any) -> None:
        self.engine, self.output, self.how = engine, output, how

    def run(self, feeds: Any) -> dict[str, np.ndarray]:
        answers = dict(self.engine.run(feeds))
        return {**answers, self.output: self.how(answers[self.output]).astype(np.float32)}


WRONGS = {
    "another corner of pixels": ("mask", lambda x: np.roll(x, 1, axis=2)),
    "rows and columns exchanged": ("classes", lambda x: x.swapaxes(1, 2)),
    "classes in another order": ("classes", lambda x: x[..., ::-1]),
    "zeros": ("mask", lambda x: x * 0),
    "heads exchanged": ("class", lambda x: x[:, ::-1]),
    "a scale too large": ("mask", lambda x: x * 1.3),
}


@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite", "int8.onnx"])
@pytest.mark.parametrize("wrong", WRONGS)
def test_a_wrong_engine_fails_the_goldens(artifacts: dict[str, Artifact], name: str, wrong: str) -> None:
    artifact = artifacts[name]
    engine = open_engine(artifact)
    assert replay(engine, artifact.manifest, artifact.goldens).passed
    output, how = WRONGS[wrong]
    verdict = replay(Wrong(engine, output, how), artifact.manifest, artifact.goldens)
    assert not verdict.passed and verdict.worst.output == output


def test_pruning_leaves_transposed_kernels_alone(model: Any, tmp_path: Path) -> None:
    from handlens_export import candidate, compressed, store
    from handlens_export.prepare import Options, Workshop
    from handlens_export.recipes import RECIPES

    shop = Workshop(
        tiny_segmenter.exportable(model),
        store.Store(tmp_path),
        Options(calibration_images=16, seed=1, steps=0),
        lambda line: None,
    )
    assert "grow" not in compressed.prunable(shop.parent)
    for kind in ("tflite", "onnx"):
        made = candidate.make(shop, RECIPES["pruned50-int8"], kind)
        assert made.manifest.compression.sparsity >= 0.5, "of what is counted in the file, nothing is left out"


def test_a_map_that_is_upsampled_in_the_network_keeps_its_range(keras_tf: Any) -> None:
    from handlens_export import convert, fold, graph, onnx, ranges, tflite_file

    keras_tf.utils.set_random_seed(2)
    image = keras_tf.Input((16, 16, 3), name="image")
    x = keras_tf.layers.Conv2D(4, 3, 2, "same", activation="relu")(image)
    x = keras_tf.layers.Conv2D(1, 1, name="small")(x)
    model = keras_tf.Model(image, {"mask": keras_tf.layers.UpSampling2D(4, interpolation="bilinear")(x)})
    batch = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)
    network = fold.for_inference(graph.trace(model, []))
    assert ranges.output_places(network) == {"mask": "small"}
    found = ranges.calibrate(network, batch, tiny_segmenter.SPEC)
    low, high = found["small"] = (-5.0, 3.0)
    lite = convert.to_tflite(graph.build(ranges.with_fake_quant(network, found)), "fake-quantized")
    assert tflite_file.operators(lite)[-1].kind == "RESIZE_BILINEAR"
    assert tflite_file.operators(lite)[-1].outputs[0].range == pytest.approx((low, high), abs=0.05)
    other = onnx.quantize(onnx.to_onnx(graph.build(network)), batch, {"mask": (low, high)})
    assert onnx.output_scales(other)["mask"] == pytest.approx((high - low) / 255, rel=0.01)


def test_training_sees_a_transposed_kernel_as_the_file_will_hold_it(keras_tf: Any) -> None:
    from handlens_export.layers import CompressedConv2DTranspose

    layer = CompressedConv2DTranspose(3, 2, 2, levels=127)
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 5)).astype(np.float32)
    layer(x)
    kernel = np.random.default_rng(1).normal(size=(2, 2, 3, 5)).astype(np.float32) * [[[1.0], [10.0], [0.1]]]
    bias = np.array([1, 2, 3], np.float32)
    layer.set_weights([kernel, bias, np.ones_like(kernel)])
    steps = np.abs(kernel).max(axis=(0, 1, 3), keepdims=True) / 127
    plain = keras_tf.layers.Conv2DTranspose(3, 2, 2)
    plain(x)
    plain.set_weights([np.rint(kernel / steps) * steps, bias])
    np.testing.assert_allclose(np.asarray(layer(x)), np.asarray(plain(x)), atol=1e-4)
    np.testing.assert_allclose(layer.plain_kernel(), kernel, rtol=1e-6)
