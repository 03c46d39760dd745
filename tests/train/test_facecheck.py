"""The demo's task: trained for a moment, read back, written as a file and evaluated through the runtime."""

import json
from pathlib import Path

import numpy as np
import pytest

from handlens.errors import ManifestInvalid, OptionError, RunError
from handlens_data.datasets import lfw_subset
from handlens_train.recipe import choose
from handlens_train.run import Run
from handlens_train.tasks import facecheck


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight epochs of a narrow net: enough to tell most faces from the rest."""
    out = tmp_path_factory.mktemp("facecheck") / "run"
    overrides = {"channels": (8, 16, 24), "epochs": 8}
    assert facecheck.train("tiny", None, out, seed=3, overrides=overrides) == "complete"
    return out


def test_a_run_says_what_it_was_trained_on(run: Path) -> None:
    opened = Run.open(run)
    assert (opened.task, opened.recipe, opened.status, opened.seed) == ("facecheck", "tiny", "complete", 3)
    assert opened.info["data"]["train"] == {"images": 100, "sha256": lfw_subset.load("train").sha256()}
    assert opened.info["best"]["accuracy"] > 0.7


def test_the_same_folder_with_other_settings_is_refused(run: Path) -> None:
    with pytest.raises(RunError, match="another seed"):
        facecheck.train("tiny", None, run, seed=4, overrides={"channels": (8, 16, 24), "epochs": 8})


def test_loading_gives_the_network_that_was_kept_as_best(run: Path) -> None:
    source = facecheck.load(Run.open(run))
    images, origin = source.training_images(10, 0)
    assert images.shape == (10, 32, 32, 1) and images.dtype == np.uint8 and origin.split == "train"
    val = lfw_subset.load("val")
    pixels = facecheck.prepared(val, source.input).astype(np.float32)
    scores = source.model.predict(pixels * source.input.scale[0] + source.input.offset[0], verbose=0)["scores"]
    accuracy = (scores.argmax(axis=1) == val.labels).mean()
    assert accuracy == pytest.approx(Run.open(run).info["best"]["accuracy"])


def test_training_images_are_drawn_by_the_seed(run: Path) -> None:
    draw = facecheck.load(Run.open(run)).training_images
    np.testing.assert_array_equal(draw(20, 1)[0], draw(20, 1)[0])
    assert not np.array_equal(draw(20, 1)[0], draw(20, 2)[0])


def test_a_run_of_another_task_or_version_is_refused(run: Path, tmp_path: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    for change, words in (({"task": "reid"}, "not 'facecheck'"), ({"config": {"channels": [8]}}, "does not fit")):
        (tmp_path / "run.json").write_text(json.dumps(info | change))
        (tmp_path / "best.weights.h5").write_bytes((run / "best.weights.h5").read_bytes())
        with pytest.raises(RunError, match=words):
            facecheck.load(Run.open(tmp_path))


def test_an_unknown_recipe_names_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="valid: tiny"):
        facecheck.train("huge", None, tmp_path)


def constant_model() -> bytes:
    """An ONNX model of two scores: the mean of the pixels, and its negative."""
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 32, 32, 1])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Neg", ["mean"], ["minus"]),
        helper.make_node("Concat", ["mean", "minus"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(nodes, "brightness", [image], [scores])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


@pytest.fixture
def artifact(run: Path, tmp_path: Path) -> Path:
    """A known classifier (bright: other, dark: face) as an artifact of the task."""
    from handlens import Manifest, open_model, write_artifact
    from handlens.golden import record_goldens
    from handlens.manifest import Compression

    source, model = facecheck.load(Run.open(run)), constant_model()
    manifest = Manifest(
        task=source.task,
        name="brightness",
        version="1",
        input=source.input,
        outputs=source.outputs,
        labels=source.labels,
        compression=Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=0, sparsity=0.0
        ),
        provenance=source.provenance,
    )
    engine = open_model(model, "onnx")
    path = tmp_path / "brightness.onnx"
    write_artifact(path, model, "onnx", manifest, record_goldens(engine, source.input))
    engine.close()
    return path


def test_evaluating_counts_what_the_artifact_says(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDLENS_CACHE", str(artifact.parent / "cache"))
    found = facecheck.evaluate(artifact, split="test")
    assert [item.right for item in found.items] == found.outcomes.tolist(), "handlens diff pairs the items"
    test = lfw_subset.load("test")
    prepared = facecheck.prepared(test, choose(facecheck.RECIPES, facecheck.TASK, "tiny").input()).astype(np.float64)
    bright = prepared.mean(axis=(1, 2, 3)) >= 128
    expected = np.where(bright, 0, 1) == test.labels
    np.testing.assert_array_equal(found.outcomes, expected)
    figure = found.metrics["accuracy"]
    assert figure.value == pytest.approx(expected.mean()) and figure.low <= figure.value <= figure.high
    assert found.n == 40 and found.engine.startswith("onnxruntime ")


def test_an_artifact_of_another_task_is_refused(artifact: Path) -> None:
    from dataclasses import replace

    from handlens import Artifact, update_manifest

    update_manifest(artifact, replace(Artifact.open(artifact).manifest, task="reid"))
    with pytest.raises(ManifestInvalid, match="expected 'facecheck'"):
        facecheck.evaluate(artifact)
