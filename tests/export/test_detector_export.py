"""A detector through the door: four outputs over three strides stay four outputs, and int8 finds what float finds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_detector

from handlens.artifact import Artifact
from handlens.face import FaceDetector
from handlens.manifest import Threshold

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

WRITTEN = ("float32.tflite", "int8.tflite", "float32.onnx", "int8.onnx")


@pytest.fixture(scope="module")
def model(keras_tf: Any) -> Any:
    return tiny_detector.network(keras_tf)


@pytest.fixture(scope="module")
def artifacts(model: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """What the door wrote, by recipe and format."""
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    def thresholds(path: Path, engine: str | None) -> tuple[Threshold, ...]:
        found = Artifact.open(path)
        assert not found.manifest.metrics, "they are measured before the evaluation, which may read them"
        return (Threshold(target_fmr=0.01, value=len(found.model) / 1e6, comparisons=300, low=0.0, high=0.02),)

    folder = tmp_path_factory.mktemp("detector")
    outcome = door.export(
        tiny_detector.exportable(model, thresholds=thresholds),
        parse_recipes("float32,int8"),
        ("tflite", "onnx"),
        folder / "out",
        keep=folder / "keep",
        max_drop=5.0,
        options=Options(calibration_images=64, seed=1),
    )
    outcome.require()
    return {item.artifact.path.name.removeprefix("blobs-"): item.artifact for item in outcome.written}


def test_the_outputs_keep_their_names_and_cells(artifacts: dict[str, Artifact]) -> None:
    assert set(artifacts) == set(WRITTEN)
    for artifact in artifacts.values():
        shapes = {output.name: output.shape for output in artifact.manifest.outputs}
        assert shapes == {name: (1, tiny_detector.CELLS, k) for name, k in tiny_detector.OUTPUTS.items()}


@pytest.mark.parametrize("name", WRITTEN[1:])
def test_boxes_are_those_of_the_float_network(artifacts: dict[str, Artifact], name: str) -> None:
    pictures, _ = tiny_detector.scenes(40, 2)
    with FaceDetector.load(artifacts[WRITTEN[0]].path) as floats, FaceDetector.load(artifacts[name].path) as other:
        pairs = [(floats.detect(picture), other.detect(picture)) for picture in pictures]
    sure = [(a[0], b) for a, b in pairs if a and a[0].score > 0.7]
    assert len(sure) >= 20
    off = [min(np.abs(np.subtract(face.box, a.box)).max() for face in b) if b else np.inf for a, b in sure]
    cells = [tiny_detector.stride_of(max(a.box[2] - a.box[0], a.box[3] - a.box[1])) for a, _ in sure]
    off = np.array(off) / cells
    assert np.median(off) < 0.1, "a tenth of the cell that answered"
    assert np.mean(off < 0.5) >= 0.9, "half of it, nine times of ten"


def test_heads_of_all_strides_are_rounded_straight_to_the_scale_of_their_output(artifacts: dict[str, Artifact]) -> None:
    from handlens_export import onnx, tflite_file

    kinds = [operator.kind for operator in tflite_file.operators(artifacts["int8.tflite"].model)]
    assert "QUANTIZE" not in kinds, "a head has another scale than the output it is part of"
    assert kinds.count("RESIZE_NEAREST_NEIGHBOR") == 2 and "TILE" not in kinds
    scales = {output.name: output.quant_scale for output in artifacts["int8.tflite"].manifest.outputs}
    assert onnx.output_scales(artifacts["int8.onnx"].model) == pytest.approx(scales, rel=1e-4)


def test_the_score_spends_its_steps_where_decisions_fall(artifacts: dict[str, Artifact], model: Any) -> None:
    batch = tiny_detector.scenes(64, 1)[0].astype(np.float32) / 128 - 1
    assert model.predict(batch, verbose=0)["score"].min() < -9
    for name in ("int8.tflite", "int8.onnx"):
        notes = artifacts[name].manifest.compression.notes
        assert "score -8.00 to " in notes and "(logit, +-8 at most)" in notes
        for output in tiny_detector.OUTPUTS:
            assert f"{output} 0.9" in notes or f"{output} 1.0" in notes, "how near the file is to its simulation"
    score = artifacts["int8.tflite"].manifest.outputs[0]
    assert score.name == "score" and score.quant_scale is not None and score.quant_scale <= 16 / 255


def test_goldens_of_a_detector_are_small(artifacts: dict[str, Artifact]) -> None:
    for artifact in artifacts.values():
        assert artifact.size - artifact.model_size < 40_000


def test_thresholds_are_of_each_very_file(artifacts: dict[str, Artifact]) -> None:
    values = {name: artifact.manifest.thresholds[0].value for name, artifact in artifacts.items()}
    assert values == {name: len(artifact.model) / 1e6 for name, artifact in artifacts.items()}


def test_no_answer_that_somebody_reads_is_cut_off(model: Any) -> None:
    from handlens_export import fold, graph, matching, ranges

    network = fold.for_inference(graph.trace(model, []))
    batch = tiny_detector.scenes(64, 1)[0].astype(np.float32) / 128 - 1
    how = matching.matches(tiny_detector.exportable(model).outputs, {})
    every = ranges.calibrate(network, batch, tiny_detector.SPEC)
    found = ranges.calibrate(network, batch, tiny_detector.SPEC, matching=how)
    assert {name for name in every if every[name] != found[name]} <= set(tiny_detector.OUTPUTS)
    answers = model.predict(batch, verbose=0)
    seen = answers["score"][..., 0] > np.log(0.02 / 0.98)
    for name in ("box", "points"):
        assert found[name][0] <= answers[name][seen].min() and answers[name][seen].max() <= found[name][1]
    low, high = found["score"]
    assert low == -8.0 and every["score"][1] < high <= 8.0, "room for a surer face"


@pytest.mark.parametrize("count", [40, 300])
def test_what_empty_cells_answer_costs_no_steps(model: Any, count: int) -> None:
    from handlens_export import fold, graph, matching, ranges

    network = fold.for_inference(graph.trace(model, []))
    places = ranges.output_places(network)
    assert set(places) == set(tiny_detector.OUTPUTS)
    outputs = ranges.OutputRanges(places, matching.matches(tiny_detector.exportable(model).outputs, {}))
    score, box = np.full((1, 1000, 1), -9.0), np.linspace(-50, 50, 4000).reshape(1, 1000, 4)
    score[:, :count], box[:, :count] = 2.0, np.linspace(-1, 3, 4 * count).reshape(count, 4)
    outputs.look({places["score"]: score, places["box"]: box})
    low, high = outputs.bounded({places["score"]: (-9.0, 2.0), places["box"]: (-50.0, 50.0)})[places["box"]]
    # A few cells are no measure of what a face's box may be.
    assert (low, high) == (pytest.approx((-1.1, 3.3)) if count == 300 else (-50.0, 50.0))
