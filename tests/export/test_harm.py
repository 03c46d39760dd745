"""Layers in float: exactly those asked for, found by the harm they do, and a fault that is planted is the one found."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.engine import open_model
from handlens.metrics import Interval
from handlens_data.calibration.table import RangeTable

pytest.importorskip("tensorflow")

FAULT = "block1_depthwise_relu"  # gets a range a thousand times too wide
READS_IT = "block1_project_conv"


@pytest.fixture(scope="module")
def network(tiny: Any) -> Any:
    """The tiny network, as export takes it."""
    from handlens_export import fold, graph

    return fold.for_inference(graph.trace(tiny, ["embedding"]))


@pytest.fixture(scope="module")
def found(network: Any, batch: np.ndarray, make_source: Callable[..., Any]) -> dict[str, tuple[float, float]]:
    """Its ranges."""
    from handlens_export import ranges

    return ranges.calibrate(network, batch[:48], make_source().input)


@pytest.fixture(scope="module")
def lane(network: Any, found: Any) -> Any:
    """A lane with nothing wrong."""
    from handlens_export.harm.keras_lane import KerasLane

    return KerasLane(network, found)


@pytest.fixture(scope="module")
def faulty(network: Any, found: Any) -> Any:
    """A lane whose ranges are wrong in one place."""
    from handlens_export.harm.keras_lane import KerasLane

    return KerasLane(network, wrong(found))


def wrong(found: Any) -> dict[str, tuple[float, float]]:
    return {**found, FAULT: (found[FAULT][0] * 1000, found[FAULT][1] * 1000)}


def answers(model: bytes, batch: np.ndarray) -> np.ndarray:
    engine = open_model(model, "tflite")
    try:
        return np.concatenate([engine.run({"image": image[None]})["embedding"] for image in batch])
    finally:
        engine.close()


def float_kernels(model: bytes) -> list[int]:
    """The size of every kernel that is stored in float."""
    from handlens_export import tflite_file

    convolutions = [op for op in tflite_file.operators(model) if "CONV" in op.kind]
    return [
        op.inputs[1].data.size
        for op in convolutions
        if op.inputs[1].dtype == "FLOAT32" and op.inputs[1].data is not None
    ]


def test_nothing_in_float_is_the_int8_file_and_everything_is_the_float_network(
    lane: Any, tiny: Any, batch: np.ndarray
) -> None:
    from handlens_export import tflite_file

    assert tflite_file.float_operators(lane.model(())) == ()
    whole = lane.model([unit.name for unit in lane.units])
    wanted = tiny.predict(batch[:8], verbose=0)["embedding"]
    np.testing.assert_allclose(answers(whole, batch[:8]), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("chosen", [slice(0, 1), slice(-1, None), slice(2, 5), slice(0, None, 2), slice(1, None, 2)])
def test_exactly_the_layers_asked_for_are_float_and_the_file_answers_as_simulated(
    lane: Any, batch: np.ndarray, chosen: slice
) -> None:
    from handlens_export.harm.keras_lane import predicted

    names = [unit.name for unit in lane.units][chosen]
    model = lane.model(names)
    kernels = [node.weights[0].size for name in names for node in lane.members[name] if node.weights]
    assert sorted(float_kernels(model)) == sorted(kernels)
    wanted = predicted(lane.simulation(names), batch[:16])["embedding"]
    got = answers(model, batch[:16]).reshape(wanted.shape)
    assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.999


def test_a_layer_alone_in_int8_harms_as_its_file_does(faulty: Any, batch: np.ndarray) -> None:
    from handlens_export.harm.error import output_error

    names = [unit.name for unit in faulty.units]
    wanted = faulty.answers((), batch[:16])
    for name in (FAULT, names[0]):
        simulated = output_error(wanted, faulty.answers([name], batch[:16]), {})
        real = {"embedding": answers(faulty.model([n for n in names if n != name]), batch[:16])}
        assert simulated == pytest.approx(output_error(wanted, real, {}), rel=0.05, abs=0.002)
    assert output_error(wanted, faulty.answers((), batch[:16]), {}) == 0.0


def study_of(lane: Any, batch: np.ndarray, folder: Path, seen: list[str]) -> Any:
    """A study whose metric is the output error of the file, in points."""
    from handlens_export.harm.error import output_error
    from handlens_export.harm.study import Study

    wanted = lane.answers((), batch[:16])

    def measure(model: bytes) -> Interval:
        points = 100 * output_error(wanted, {"embedding": answers(model, batch[:16])}, {})
        return Interval(points, points - 1, points + 1)

    return Study(lane, batch[:16], {}, measure, folder, seen.append)


def test_a_planted_fault_is_found_and_only_what_touches_it_is_given_back(
    faulty: Any, batch: np.ndarray, tmp_path: Path
) -> None:
    study = study_of(faulty, batch, tmp_path, [])
    assert set(study.ranking[:2]) == {FAULT, READS_IT}
    assert not study.tried(()).holds(20.0)
    found = study.repaired(20.0, 10.0)
    assert found.holds(20.0)
    assert set(found.floats) == {FAULT, READS_IT}


class Paper:
    """A lane of which nothing is run: its units do harm by their place, and two of them ruin it."""

    kind, ends, left, ranges = "tflite", (), (), {}

    def __init__(self, count: int) -> None:
        from handlens_export.harm.lane import Unit

        self.units = tuple(Unit(f"u{index}", "Conv2D") for index in range(count))

    def model(self, floats: Collection[str]) -> bytes:
        return "\n".join(floats).encode()

    def answers(self, quantized: Collection[str], images: np.ndarray) -> dict[str, np.ndarray]:
        error = sum(1.0 + int(name[1:]) for name in quantized)
        return {"y": np.array([[0.0], [1.0], [2.0]]) + error * 1e-3}


@pytest.mark.parametrize(
    ("count", "culprits", "most"), [(40, {3, 30}, 24), (40, {0, 39}, 24), (5, {0, 1, 2, 3, 4}, 16)]
)
def test_culprits_that_the_ranking_does_not_tell_are_found_in_few_tries(
    tmp_path: Path, count: int, culprits: set[int], most: int
) -> None:
    from handlens_export.harm.study import Study

    measured = []

    def measure(model: bytes) -> Interval:
        measured.append(model)
        harm = 0.0 if {f"u{index}" for index in culprits} <= set(model.decode().split("\n")) else 9.0
        return Interval(harm, harm, harm)

    found = Study(Paper(count), np.zeros((3, 2)), {}, measure, tmp_path).repaired(1.0, 10.0)
    assert set(found.floats) == {f"u{index}" for index in culprits}
    assert len(measured) <= most


def test_a_search_that_runs_out_of_time_keeps_what_holds(tmp_path: Path) -> None:
    from handlens_export.harm.study import Study

    def measure(model: bytes) -> Interval:
        harm = 0.0 if "u0" in model.decode().split("\n") else 9.0
        return Interval(harm, harm, harm)

    found = Study(Paper(9), np.zeros((3, 2)), {}, measure, tmp_path).repaired(1.0, 0.0)
    assert found.holds(1.0) and len(found.floats) == 9


def test_a_study_goes_on_where_it_was(faulty: Any, batch: np.ndarray, tmp_path: Path) -> None:
    from handlens_export.harm.study import Study

    first = study_of(faulty, batch, tmp_path, [])
    known, tried = dict(first.errors), first.tried([FAULT])

    def never(model: bytes) -> Interval:
        raise AssertionError("measured again")

    again = Study(faulty, batch[:16], {}, never, tmp_path)
    assert (again.errors, again.tried([FAULT])) == (known, tried)
    next(tmp_path.glob("harm-*.json")).write_text("{broken")
    assert study_of(faulty, batch, tmp_path, []).tried([FAULT]) == tried


def test_a_network_that_int8_does_not_harm_keeps_no_float(lane: Any, batch: np.ndarray, tmp_path: Path) -> None:
    said: list[str] = []
    assert study_of(lane, batch, tmp_path, said).repaired(20.0, 10.0).floats == ()
    assert len(said) == 1


def test_where_no_file_holds_all_layers_end_in_float(lane: Any, batch: np.ndarray, tmp_path: Path) -> None:
    found = study_of(lane, batch, tmp_path, []).repaired(-1.0, 10.0)
    assert len(found.floats) == len(lane.units)


def test_a_file_that_engines_answer_wrongly_is_a_try_that_does_not_hold(
    lane: Any, batch: np.ndarray, tmp_path: Path
) -> None:
    from handlens.errors import EngineWrong
    from handlens_export.harm.study import Study

    def refuse(model: bytes) -> Interval:
        raise EngineWrong("cosine 0.1 with its simulation")

    tried = Study(lane, batch[:16], {}, refuse, tmp_path).tried(())
    assert not tried.holds(100.0)
    assert tried.refused == "cosine 0.1 with its simulation"


@pytest.fixture(scope="module")
def exported(
    make_source: Callable[..., Any], found: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, list[str]]:
    """The mixed artifact of the tiny run with a wrong table of ranges, and what was said."""
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    root = tmp_path_factory.mktemp("mixed")
    table = RangeTable(
        model="tiny-mixed", ranges=wrong(found), dataset="patterns", split="train", count=48, seed=0, images_sha256=""
    )
    said: list[str] = []
    outcome = door.export(
        make_source(),
        parse_recipes("mixed"),
        ("tflite",),
        root / "out",
        keep=root / "keep",
        max_drop=3.0,
        options=Options(ranges=table),
        say=said.append,
    )
    outcome.require()
    (written,) = outcome.written
    return written, said


def test_the_mixed_recipe_repairs_a_wrong_calibration_and_says_how(exported: tuple[Any, list[str]]) -> None:
    written, said = exported
    manifest, compression = written.artifact.manifest, written.artifact.manifest.compression
    assert written.verdict.drop.value <= 3.0
    assert (compression.recipe, compression.weights, manifest.input.dtype) == ("mixed", "mixed", "int8")
    record = json.loads(written.artifact.extras["mixed.json"])
    assert set(record["floats"]) == {FAULT, READS_IT}
    assert f"layers in float: {', '.join(record['floats'])}" in compression.notes
    assert any(line.startswith("0 of ") for line in said)
    assert float_kernels(written.artifact.model)


def test_output_error_is_a_share_of_the_spread() -> None:
    from handlens_export.harm.error import output_error
    from handlens_train.exportable import Match

    random = np.random.default_rng(0)
    wanted = {
        "a": random.normal(5, 2, (400, 3)),
        "score": np.full((400, 9, 1), -20.0),
        "box": random.normal(size=(400, 9, 4)),
    }
    shuffled = {**wanted, "a": random.permutation(wanted["a"])}
    assert output_error(wanted, wanted, {}) == 0.0
    assert output_error({"a": wanted["a"]}, {"a": shuffled["a"]}, {}) == pytest.approx(2**0.5, rel=0.1)
    # An embedding twice as long says the same; cells in which nothing is seen do not count.
    longer = {"a": 2 * wanted["a"]}
    assert output_error({"a": wanted["a"]}, longer, {"a": Match("cosine")}) == pytest.approx(0.0, abs=1e-9)
    wanted["score"][:, 0] = 20.0
    off = {**wanted, "box": wanted["box"] + np.where(np.arange(9)[:, None] == 0, 0.0, 3.0)}
    matching = {"score": Match("logit"), "box": Match("value", "score")}
    assert output_error(wanted, off, matching) < 0.01 < output_error(wanted, off, {})


def test_units_cover_every_call_once_in_order(network: Any) -> None:
    from handlens_export.harm.units import members, owners

    def places(names: Collection[str]) -> list[int]:
        order = [node.name for node in network.nodes]
        return [order.index(name) for name in names]

    grouped = members(network)
    assert sum(len(nodes) for nodes in grouped.values()) == len(owners(network))
    firsts = places([nodes[0].name for nodes in grouped.values()])
    assert firsts == sorted(firsts)
    assert [node.cls.__name__ for node in grouped[FAULT]][-2:] == ["DepthwiseConv2D", "ReLU"]


@pytest.mark.slow
def test_mixed_onnx_is_int8_where_that_holds_and_float_where_nothing_does(
    make_source: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    from handlens_export import door, onnx
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    said: list[str] = []

    def export(max_drop: float) -> Any:
        return door.export(
            make_source(),
            parse_recipes("mixed"),
            ("onnx",),
            tmp_path / "out",
            keep=tmp_path / "keep",
            max_drop=max_drop,
            options=Options(calibration_images=40, seed=5),
            say=said.append,
        )

    (written,) = export(50.0).written
    assert json.loads(written.artifact.extras["mixed.json"])["floats"] == []
    assert {array.dtype.kind for array in onnx.prunable_weights(written.artifact.model)} == {"i"}
    outcome = export(-100.0)
    assert not outcome.written and outcome.refused[0].drop.value == pytest.approx(0.0, abs=1e-9)
    assert any("layers in float" in line and not line.startswith("0 of") for line in said)
