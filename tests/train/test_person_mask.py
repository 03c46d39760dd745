"""The person mask on drawn people: trained for a moment, taught by another, and its figures through the runtime."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handlens.errors import DataError, OptionError, RunError
from handlens_data.datasets import ccp
from handlens_train.run import Run
from handlens_train.tasks import person_mask as task

TINY: dict[str, Any] = {
    "height": 64,
    "width": 32,
    "expand": (1, 2, 2, 2, 2, 2),
    "context": 8,
    "decoder": (8, 8, 8, 8, 4),
    "start": None,
    "freeze": 0,
    "batch": 8,
    "epochs": 2,
    "evaluate_every": 1,
    "ema": 0.5,
    "learning_rate": 5e-3,
}
SIZE = (60, 40)  # height and width of a drawn photograph
COLOURS = {"skin": (60, 90, 250), "upper clothing": (250, 40, 40), "trousers and stockings": (40, 250, 40)}  # BGR


def person(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A head, a shirt and trousers on grey noise, BGR uint8 (60, 40, 3), with CCP's raw labels."""
    rng = np.random.default_rng(seed)
    grey = cv2.resize(rng.integers(60, 180, (12, 8), dtype=np.uint8), (40, 60), interpolation=cv2.INTER_NEAREST)
    image, mask = np.repeat(grey[..., None], 3, axis=2), np.zeros(SIZE, np.uint8)
    left, top = int(rng.integers(8, 18)), int(rng.integers(4, 12))
    parts = ((0, 8, 4, 10, "skin"), (8, 26, 0, 14, "upper clothing"), (26, 44, 2, 12, "trousers and stockings"))
    for y1, y2, x1, x2, name in parts:
        where = (slice(top + y1, top + y2), slice(left + x1, left + x2))
        image[where], mask[where] = COLOURS[name], ccp.LABELS.index(ccp.GROUPS[name][0])
    return image, mask


def write(base: Path, count: int) -> Path:
    (base / "photos").mkdir(parents=True)
    (base / "masks").mkdir()
    for index in range(1, count + 1):
        image, mask = person(index)
        cv2.imwrite(str(base / "photos" / f"{index:04}.png"), image)
        cv2.imwrite(str(base / "masks" / f"{index:04}.png"), mask)
    return base.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 photographs of one drawn person each, and six pictures without any under the name of a breed."""
    root = write(tmp_path_factory.mktemp("data") / "ccp", 60)
    for split, first, count in (("train", 0, 6), ("test", 50, 4)):
        (root / "pets" / split).mkdir(parents=True)
        for index in range(first, first + count):
            grey = np.full((50, 70, 3), 40 + 3 * index, np.uint8)
            cv2.imwrite(str(root / "pets" / split / f"pug_{index}.png"), grey)
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mask") / "run"
    assert task.train("person-mask", data, out, seed=1, overrides=TINY) == "complete"
    return out


def test_a_run_says_what_it_was_trained_on(run: Path, data: Path) -> None:
    opened = Run.open(run)
    held = [ccp.load(data, part) for part in ("val", "test")]
    train = ccp.unseen(ccp.load(data, "train"), *held)
    sources = opened.info["data"]["sources"]
    assert opened.info["data"]["images"] == len(train) and sources[0]["sha256"] == train.sha256()
    assert [source["name"] for source in sources] == ["ccp", "pets"]
    scores = (run / "log.csv").read_text().splitlines()[0]
    assert "iou" in scores and "class_iou" in scores and 0 <= opened.info["best"]["iou"] <= 1


def test_the_manifest_names_outputs_clothing_and_licences(run: Path, data: Path) -> None:
    source = task.load(Run.open(run), data)
    assert {output.name: output.shape for output in source.outputs} == {
        "mask": (1, 32, 16, 1),
        "classes": (1, 16, 8, 9),
    }
    assert source.labels == ccp.NAMES and source.decoding == {"kind": "mask", "labels_of": "classes"}
    assert "Apache-2.0" in source.provenance.weights_licence and "CC BY-SA" in source.provenance.weights_licence
    images, origin = source.training_images(10, 0)
    assert images.shape == (10, 64, 32, 3) and images.dtype == np.uint8 and origin.name == "ccp"
    with pytest.raises(DataError, match="HANDLENS_DATA"):
        task.load(Run.open(run)).training_images(1, 0)


def test_the_same_command_again_changes_nothing_and_another_seed_is_refused(run: Path, data: Path) -> None:
    before = (run / "best.weights.h5").read_bytes()
    assert task.train("person-mask", data, run, seed=1, overrides=TINY) == "complete"
    assert (run / "best.weights.h5").read_bytes() == before
    with pytest.raises(RunError, match="another seed"):
        task.train("person-mask", data, run, seed=2, overrides=TINY)


def test_a_student_of_another_size_learns_from_a_run_without_pets(run: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "ccp").symlink_to(data / "ccp")
    changes = TINY | {"height": 32, "width": 32, "epochs": 1, "classes": False}
    out = tmp_path / "nano"
    assert task.train("person-mask-nano", tmp_path, out, teacher=run, overrides=changes) == "complete"
    source = task.load(Run.open(out), tmp_path)
    assert [output.name for output in source.outputs] == ["mask"] and source.labels == ()
    assert source.decoding == {"kind": "mask"} and "--teacher RUN" in source.provenance.source
    assert "CC BY-SA" not in source.provenance.weights_licence
    with pytest.raises(RunError, match="another config"):
        task.train("person-mask-nano", tmp_path, out, overrides=changes)


def test_views_show_people_whole_cut_out_and_missing(data: Path) -> None:
    from handlens_train.person_mask_views import Material, Views, one_view

    shown = [person(index) for index in range(1, 9)]
    groups = [ccp.group(mask) for _, mask in shown]
    how = task.Recipe(**TINY | {"paste": 1.0})
    material = Material([image[..., ::-1] for image, _ in shown], groups, [np.full((50, 70, 3), 200, np.uint8)])
    views = [one_view(index % 8, material, how, (64, 32), np.random.default_rng(index)) for index in range(60)]
    empty = sum(not mask.any() for _, mask in views)
    assert 2 <= empty <= 20
    blue = [(image[..., 2] > image[..., 0].astype(int) + 60, mask) for image, mask in views]
    agree = [(found & (mask == 3)).sum() / max(1, found.sum()) for found, mask in blue if found.sum() > 60]
    assert np.mean(agree) > 0.85  # the blue of a drawn shirt is labelled as one wherever it was pasted
    batches = Views(material, how, (0, 0))
    x, y = batches[0]
    assert len(batches) == 1 and x.shape == (8, 64, 32, 3) and np.abs(x).max() <= 1
    assert y["mask"].shape == (8, 32, 16, 1) and y["classes"].shape == (8, 16, 8)
    np.testing.assert_array_equal(x, Views(material, how, (0, 0))[0][0])


def test_a_close_up_is_a_head_and_what_is_below_it() -> None:
    from handlens_train.person_mask_views import close_up

    image, mask = person(5)
    image, groups = np.kron(image, np.ones((4, 4, 1), np.uint8)), np.kron(ccp.group(mask), np.ones((4, 4), np.uint8))
    shares = []
    for seed in range(40):
        near, labels = close_up(image, groups, np.random.default_rng(seed))
        assert near.shape[:2] == labels.shape and min(labels.shape) >= 16
        assert (labels == ccp.NAMES.index("skin")).any() and not (labels == ccp.NAMES.index("footwear")).any()
        shares.append((labels != 0).mean())
        below = near[labels == ccp.NAMES.index("upper clothing")]
        assert (below[:, 0] > 200).all()  # the picture was cut as its labels were
    assert np.mean(shares) > 1.5 * (groups != 0).mean()
    nobody = np.zeros_like(groups)
    assert close_up(image, nobody, np.random.default_rng(0))[1] is nobody


def test_an_epoch_of_fewer_photographs_than_a_batch_is_one_batch() -> None:
    from handlens_train.person_mask_views import Material, Views

    image, mask = person(1)
    assert len(Views(Material([image], [ccp.group(mask)]), task.Recipe(**TINY), (0, 0))[0][0]) == 1


def test_a_recipe_that_is_not_there_and_a_set_without_validation_are_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="valid: person-mask, person-mask-start, person-mask-nano"):
        task.train("person-mask-huge", data, tmp_path / "a")
    few = write(tmp_path / "ccp", 10)
    for photo in ccp.load(few, "val").photos:
        photo.mask.unlink()
    with pytest.raises(DataError, match="0 for val"):
        task.train("person-mask", few, tmp_path / "b", overrides=TINY)


def colourful() -> bytes:
    """An ONNX model: a pixel with any colour is a person, and its clothing goes by which of the three is most."""
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 64, 32, 3])
    shapes = {"mask": [1, 64, 32, 1], "classes": [1, 64, 32, 9]}
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in shapes]
    groups = np.zeros((3, 9), np.float32)
    groups[0, 1], groups[2, 3], groups[1, 4] = 9, 9, 9
    constants = {"groups": groups, "steep": np.float32([9.0]), "least": np.float32([0.4])}
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["high"], axes=[3], keepdims=1),
        helper.make_node("ReduceMin", ["image"], ["low"], axes=[3], keepdims=1),
        helper.make_node("Sub", ["high", "low"], ["spread"]),
        helper.make_node("Sub", ["spread", "least"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["mask"]),
        helper.make_node("MatMul", ["image", "groups"], ["classes"]),
    ]
    graph = helper.make_graph(nodes, "colourful", [image], told, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture
def artifact(run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from handlens import Manifest, open_model, write_artifact
    from handlens.golden import record_goldens
    from handlens.manifest import Compression, OutputSpec

    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))
    source, model = task.load(Run.open(run), data), colourful()
    engine = open_model(model, "onnx")
    manifest = Manifest(
        task=source.task,
        name="colourful",
        version="1",
        input=source.input,
        outputs=tuple(
            OutputSpec(name=item.name, meaning=told.meaning, shape=item.shape, tolerance=told.tolerance)
            for item in engine.outputs
            for told in source.outputs
            if told.name == item.name
        ),
        labels=source.labels,
        decoding=source.decoding,
        compression=Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=3, sparsity=0.0
        ),
        provenance=source.provenance,
    )
    path = tmp_path / "colourful.onnx"
    write_artifact(path, model, "onnx", manifest, record_goldens(engine, manifest.input))
    engine.close()
    return path


def test_evaluating_measures_in_the_photographs_own_pixels(artifact: Path, data: Path, tmp_path: Path) -> None:
    test = ccp.load(data, "test")
    nobody = test.photos[0]  # somebody's picture becomes one of nobody, and nobody is found: that is right
    before = {path: path.read_bytes() for path in (nobody.path, nobody.mask)}
    cv2.imwrite(str(nobody.path), np.full((*SIZE, 3), 120, np.uint8))
    cv2.imwrite(str(nobody.mask), np.zeros(SIZE, np.uint8))
    try:
        found = task.evaluate(artifact, data, "test")
        assert [item.right for item in found.items] == found.outcomes.tolist(), "handlens diff pairs the items"
    finally:
        for path, content in before.items():
            path.write_bytes(content)
    assert (found.dataset, found.split, found.n, found.primary) == ("ccp", "test", len(test), "iou")
    assert found.outcomes[0] == 1.0 and found.outcomes.min() > 0.8 and found.metrics["boundary_f1"].value > 0.6
    assert found.metrics["class_iou"].value > 0.8  # over the groups that occur: six of nine never do
    rows = {row.label: row for table in found.breakdowns if table.name == "class" for row in table.rows}
    assert rows["bag"].n == 0 and rows["bag"].value is None
    (pictures,) = found.others
    assert (pictures.dataset, pictures.n, pictures.metrics["alarms"].value) == ("pets", 4, 0.0)
    assert task.evaluate(artifact, data, "val").others == ()
    with pytest.raises(OptionError, match="valid: train, val, test"):
        task.evaluate(artifact, data, "dev")


def test_pedestrians_of_another_set_follow_the_test(artifact: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "ccp").symlink_to(data / "ccp")
    for folder in ("images", "masks"):
        (tmp_path / "pennfudan" / folder).mkdir(parents=True)
    image, mask = person(3)
    cv2.imwrite(str(tmp_path / "pennfudan" / "images" / "FudanPed00001.png"), image)
    cv2.imwrite(str(tmp_path / "pennfudan" / "masks" / "FudanPed00001.png"), (mask > 0).astype(np.uint8) * 2)
    (others,) = task.evaluate(artifact, tmp_path, "test").others
    assert (others.dataset, others.n) == ("pennfudan", 1) and others.metrics["iou"].value > 0.8


def test_the_same_recipe_trains_under_jax(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    few = TINY | {"epochs": 1, "batch": 16, "expand": (1, 1, 1, 1, 1, 1), "decoder": (4, 4, 4, 4)}
    script = (
        "import sys, keras\nfrom pathlib import Path\nfrom handlens_train.tasks import person_mask\n"
        "assert keras.backend.backend() == 'jax'\n"
        f"print(person_mask.train('person-mask', Path(sys.argv[1]), Path(sys.argv[2]), overrides={few}))"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", script, str(data), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["backend"] == "jax" and info["best"]["iou"] is not None
