"""The gender task on drawn crops: trained for a moment, read back, and its figures through the runtime."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.errors import DataError, OptionError, RunError
from handlens_data.datasets import utkface
from handlens_train.gender_figures import LEAST, evaluation
from handlens_train.recipe import choose
from handlens_train.run import Run
from handlens_train.tasks import gender
from handlens_train.temperature import fit_temperature

OVERRIDES = {"size": 32, "blocks": 2, "head": 8, "start": None, "freeze": 0, "epochs": 3, "batch": 8, "ema": 0.5}


def crop(female: int, seed: int) -> np.ndarray:
    """A disc on noise, 32x32 BGR: reddish for 1, bluish for 0."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (32, 32), interpolation=cv2.INTER_NEAREST)
    colour = (30, 40, 220) if female else (220, 40, 30)
    return np.asarray(cv2.circle(image, (16, 16), 13, colour, -1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 crops: 24 test, 16 val, 80 to train on, under UTKFace's names."""
    folder = tmp_path_factory.mktemp("data") / "utkface"
    folder.mkdir()
    for i in range(120):
        cv2.imwrite(str(folder / f"{5 * (i % 16)}_{i % 2}_{i % 3}_{i}.png"), crop(i % 2, i))
    return folder.parent


@pytest.fixture(scope="module", autouse=True)
def small_splits() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utkface, "TEST", 24)
        patch.setattr(utkface, "VAL", 16)
        yield


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gender") / "run"
    assert gender.train("gender", data, out, seed=1, overrides=OVERRIDES) == "complete"
    return out


def logits(model: object, faces: utkface.FaceSplit, source: gender.Exportable) -> np.ndarray:
    from handlens_train.images import load_prepared, scaled

    batch = scaled(load_prepared(faces.paths, source.input), source.input)
    return model.predict(batch, verbose=0)["gender"][:, 0]  # type: ignore[attr-defined]


def test_a_run_says_what_it_was_trained_on(run: Path, data: Path) -> None:
    opened, found = Run.open(run), utkface.unseen(utkface.load(data))
    assert (opened.task, opened.recipe, opened.status, opened.seed) == ("gender", "gender", "complete", 1)
    assert opened.info["data"]["train"] == {"images": len(found.train), "sha256": found.train.sha256()}
    assert opened.config["size"] == 32 and opened.info["data"]["name"] == "utkface"


def test_loading_folds_the_temperature_in(run: Path, data: Path, tmp_path: Path) -> None:
    faces = utkface.load(data).val
    sharp = logits(gender.load(Run.open(run), data).model, faces, gender.load(Run.open(run), data))
    info = json.loads((run / "run.json").read_text())
    (tmp_path / "best.weights.h5").write_bytes((run / "best.weights.h5").read_bytes())
    (tmp_path / "run.json").write_text(json.dumps({key: info[key] for key in info if key != "temperature"}))
    plain_source = gender.load(Run.open(tmp_path), data)
    plain = logits(plain_source.model, faces, plain_source)
    np.testing.assert_allclose(sharp * info["temperature"], plain, rtol=1e-4, atol=1e-5)
    assert info["temperature"] == pytest.approx(fit_temperature(plain, faces.genders == 1), rel=1e-3)


def test_the_manifest_names_licence_labels_and_output(run: Path, data: Path) -> None:
    source = gender.load(Run.open(run), data)
    assert source.labels == ("male", "female") and source.outputs[0].shape == (1, 1)
    assert "research" in source.provenance.weights_licence and source.provenance.data[0].name == "utkface"
    images, origin = source.training_images(10, 0)
    assert images.shape == (10, 32, 32, 3) and images.dtype == np.uint8 and origin.split == "train"
    np.testing.assert_array_equal(source.training_images(10, 0)[0], images)


def test_the_same_command_again_changes_nothing_and_another_seed_is_refused(run: Path, data: Path) -> None:
    before = (run / "best.weights.h5").read_bytes()
    assert gender.train("gender", data, run, seed=1, overrides=OVERRIDES) == "complete"
    assert (run / "best.weights.h5").read_bytes() == before
    with pytest.raises(RunError, match="another seed"):
        gender.train("gender", data, run, seed=2, overrides=OVERRIDES)


def test_a_run_that_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    (tmp_path / "best.weights.h5").write_bytes((run / "best.weights.h5").read_bytes())
    changes = (
        ({"task": "reid"}, "not 'gender'"),
        ({"config": {"augment": {"spin": 1}}}, "no gender recipe"),
        ({"config": info["config"] | {"head": 24}}, "does not fit this version's network"),
    )
    for change, words in changes:
        (tmp_path / "run.json").write_text(json.dumps(info | change))
        with pytest.raises(RunError, match=words):
            gender.load(Run.open(tmp_path))


def test_an_unknown_recipe_and_missing_data_are_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="valid: gender"):
        choose(gender.RECIPES, gender.TASK, "huge")
    with pytest.raises(DataError, match="HANDLENS_DATA"):
        gender.load(Run.open(run)).training_images(1, 0)


def redness_model() -> bytes:
    """An ONNX model whose logit of female is 4 times (mean red - mean blue)."""
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 32, 32, 3])
    logit = helper.make_tensor_value_info("gender", TensorProto.FLOAT, [1, 1])
    weights = numpy_helper.from_array(np.array([[4.0], [0.0], [-4.0]], np.float32), "weights")
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["gender"]),
    ]
    graph = helper.make_graph(nodes, "redness", [image], [logit], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture
def artifact(run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A known classifier (red: female) as an artifact of the task."""
    from handlens import Manifest, open_model, write_artifact
    from handlens.golden import record_goldens
    from handlens.manifest import Compression

    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))
    source, model = gender.load(Run.open(run), data), redness_model()
    manifest = Manifest(
        task=source.task,
        name="redness",
        version="1",
        input=source.input,
        outputs=source.outputs,
        labels=source.labels,
        compression=Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=3, sparsity=0.0
        ),
        provenance=source.provenance,
    )
    engine = open_model(model, "onnx")
    path = tmp_path / "redness.onnx"
    write_artifact(path, model, "onnx", manifest, record_goldens(engine, source.input))
    engine.close()
    return path


def test_evaluating_reads_labels_from_names_and_answers_from_the_artifact(artifact: Path, data: Path) -> None:
    found = gender.evaluate(artifact, data, "test")
    assert [item.right for item in found.items] == found.outcomes.tolist(), "handlens diff pairs the items"
    faces = utkface.load(data).test
    assert found.n == 24 and found.engine.startswith("onnxruntime ") and found.metrics["accuracy"].value == 1.0
    for path in faces.paths[:3]:  # a blue disc under a female's name is a mistake
        cv2.imwrite(str(path), cv2.imread(str(path))[..., ::-1])
    try:
        assert gender.evaluate(artifact, data, "test").outcomes.tolist() == [0.0] * 3 + [1.0] * 21
    finally:
        for path in faces.paths[:3]:
            cv2.imwrite(str(path), cv2.imread(str(path))[..., ::-1])
    assert gender.evaluate(artifact, data, "val").n == len(utkface.unseen(utkface.load(data)).val)
    with pytest.raises(OptionError, match="valid: train, val, test"):
        gender.evaluate(artifact, data, "dev")


def faces_of(ages: list[int], genders: list[int]) -> utkface.FaceSplit:
    faces = [
        utkface.Face(Path(f"{i}.jpg"), age, sex, 0) for i, (age, sex) in enumerate(zip(ages, genders, strict=True))
    ]
    return utkface.FaceSplit("test", tuple(faces))


def test_a_group_of_few_faces_gets_no_figure() -> None:
    ages, genders = [25] * 100 + [2] * (LEAST - 1), [1, 0] * 50 + [1] * (LEAST - 1)
    female = np.where(np.array(genders) == 1, 0.9, 0.1)
    female[:10] = 0.3  # five women and five men: the women are missed, and the men are right with 0.7
    found = evaluation(faces_of(ages, genders), female, "test", "by hand")
    tables = {table.name: {row.label: row for row in table.rows} for table in found.breakdowns}
    assert tables["age"]["20-39"].value == pytest.approx(0.95) and tables["age"]["0-3"].value is None
    assert tables["age"]["0-3"].n == LEAST - 1 and tables["age"]["60+"].n == 0
    assert tables["gender"]["male"].value == 1.0 and tables["gender"]["female"].n == 99
    assert tables["race and gender"]["White male"].n == 50 and tables["race"]["Asian"].value is None
    assert found.metrics["accuracy"].value == pytest.approx(144 / 149)


def test_confidence_is_held_against_accuracy() -> None:
    genders = [1, 0] * 100
    boast = np.where(np.arange(200) % 4 < 2, 0.99, 0.01)  # right half of the time, sure all the time
    found = evaluation(faces_of([30] * 200, genders), boast, "test", "by hand")
    assert found.metrics["calibration_error"].value == pytest.approx(0.49)
    assert found.curves["reliability"] == ((pytest.approx(0.99), 0.5),)
    table = next(item for item in found.breakdowns if item.name == "confidence")
    assert [row.n for row in table.rows] == [0, 0, 0, 0, 200]


def test_a_temperature_brings_boasts_down_and_leaves_honest_logits() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 4000)
    positive = rng.random(4000) < 1 / (1 + np.exp(-honest))
    assert fit_temperature(honest, positive) == pytest.approx(1, abs=0.1)
    assert fit_temperature(honest * 3, positive) == pytest.approx(3 * fit_temperature(honest, positive), rel=1e-3)
    assert fit_temperature(np.array([2.0, -2.0]), np.array([1, 0])) == pytest.approx(
        0.05, rel=0.01
    )  # all right: the limit
