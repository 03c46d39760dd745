"""The pets task on drawn animals: trained for a moment, frozen first, and its figures through the runtime."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handlens.errors import DataError, ManifestInvalid, OptionError, RunError
from handlens_data.datasets import pets
from handlens_train.pets_figures import breeds, settled
from handlens_train.pets_neighbours import nearest_breeds
from handlens_train.run import Run
from handlens_train.tasks import pets as task

BREEDS = ("Bengal", "pug", "Sphynx")
TINY = {"size": 32, "batch": 8, "masked": 2, "epochs": 2, "ema": 0.5, "learning_rate": 5e-3, "warmup_epochs": 0.0}
MOBILE = TINY | {"blocks": 3, "frozen_epochs": 1, "unfreeze": 2, "start": "efficientnet-lite0"}


def animal(breed: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc of its breed's colour on grey noise, BGR uint8 (36, 44, 3), and its trimap."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(90, 160, (9, 11, 1), dtype=np.uint8), (44, 36), interpolation=cv2.INTER_NEAREST)
    image = np.repeat(image[..., None], 3, axis=2)
    centre = (int(rng.integers(18, 27)), int(rng.integers(15, 22)))
    cv2.circle(image, centre, 12, ((220, 40, 40), (40, 220, 40), (40, 40, 220))[breed], -1)
    trimap = cv2.circle(np.full((36, 44), 2, np.uint8), centre, 13, 3, -1)
    return image, cv2.circle(trimap, centre, 11, 1, -1)


def write(folder: Path, count: int, first: int, *, masks: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        image, trimap = animal(index % 3, index)
        stem = folder / f"{BREEDS[index % 3]}_{index}"
        cv2.imwrite(f"{stem}.jpg", image)
        if masks:
            cv2.imwrite(f"{stem}.png", trimap)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images to train on or validate, 20 to test, 40 with masks. Three of the 37 breeds."""
    base = tmp_path_factory.mktemp("data") / "pets"
    write(base / "train", 60, 0)
    write(base / "test", 20, 100)
    write(base / "masked_dev", 40, 200, masks=True)
    return base.parent


@pytest.fixture(autouse=True)
def no_downloaded_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """ImageNet's weights are a package of their own, and would not fit three blocks' top."""
    from handlens_train import pretrained

    monkeypatch.setattr(pretrained, "load_efficientnet_lite0", lambda model: 0)


@pytest.fixture(scope="module")
def mobile(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from handlens_train import pretrained

    out = tmp_path_factory.mktemp("mobile") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "load_efficientnet_lite0", lambda model: 0)
        assert task.train("pets-mobile", data, out, seed=1, overrides=MOBILE) == "complete"
    return out


def weights(run: Path, name: str) -> list[np.ndarray]:
    """A layer's, of the best model in a folder."""
    from handlens_train.pets_nets import network
    from handlens_train.recipe import of_run

    opened = Run.open(run)
    model = network(of_run(opened, task.Recipe, task.TASK))
    opened.fill(model)
    return list(model.get_layer(name).get_weights())


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_what_is_frozen_stays_and_what_is_not_moves(mobile: Path) -> None:
    first, second = mobile / "frozen", mobile
    for fixed in ("stem_conv", "stem_bn", "block1_expand_conv", "block1_expand_bn"):
        assert same(weights(first, fixed), weights(second, fixed)), fixed
    for moved in ("block2_expand_conv", "top_conv", "class", "mask"):
        assert not same(weights(first, moved), weights(second, moved)), moved
    info = json.loads((mobile / "run.json").read_text())
    assert info["seconds"] > info["frozen_seconds"] > 0 and info["status"] == "complete"


def test_a_run_says_what_it_was_trained_on(mobile: Path, data: Path) -> None:
    found, opened = pets.unseen(pets.load(data)), Run.open(mobile)
    train = found.split("train")
    assert opened.info["data"]["train"] == {
        "images": len(train),
        "masks": len(train.masked),
        "sha256": train.sha256(),
    }
    assert set(opened.info["data"]) == {"name", "licence", "train", "val", "masked-val"}


def test_the_same_command_again_changes_nothing_and_another_seed_is_refused(mobile: Path, data: Path) -> None:
    before = (mobile / "best.weights.h5").read_bytes(), json.loads((mobile / "run.json").read_text())["seconds"]
    assert task.train("pets-mobile", data, mobile, seed=1, overrides=MOBILE) == "complete"
    assert (mobile / "best.weights.h5").read_bytes() == before[0]
    assert json.loads((mobile / "run.json").read_text())["seconds"] == pytest.approx(before[1], abs=0.2)
    with pytest.raises(RunError, match="another seed"):
        task.train("pets-mobile", data, mobile, seed=2, overrides=MOBILE)


def test_the_manifest_names_breeds_outputs_and_the_licence(mobile: Path, data: Path) -> None:
    source = task.load(Run.open(mobile), data)
    assert {output.name: output.shape for output in source.outputs} == {"class": (1, 37), "mask": (1, 8, 8, 1)}
    assert source.labels == pets.BREEDS and source.decoding == {"kind": "mask", "labels_of": "class"}
    assert "CC BY-SA 4.0" in source.provenance.weights_licence
    assert [item.name for item in source.provenance.data][0] == "pets" and len(source.provenance.data) == 2
    images, origin = source.training_images(10, 0)
    assert images.shape == (10, 32, 32, 3) and images.dtype == np.uint8 and origin.split == "train"


def model_bytes(outputs: tuple[str, ...]) -> bytes:
    """An ONNX model that answers by colour: breed by the mean one, pet where a pixel has any."""
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 32, 32, 3])
    shapes = {"class": [1, 37], "mask": [1, 32, 32, 1], "embedding": [1, 3]}
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
    logits = np.zeros((3, 37), np.float32)
    logits[[2, 1, 0], [pets.BREEDS.index(breed) for breed in BREEDS]] = 40.0  # the input is RGB, the drawing BGR
    weights = [numpy_helper.from_array(logits, "logits"), numpy_helper.from_array(np.float32([9.0]), "steep")]
    weights.append(numpy_helper.from_array(np.float32([0.4]), "colourful"))
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["embedding"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["embedding", "logits"], ["class"]),
        helper.make_node("ReduceMax", ["image"], ["most"], axes=[3], keepdims=1),
        helper.make_node("ReduceMin", ["image"], ["least"], axes=[3], keepdims=1),
        helper.make_node("Sub", ["most", "least"], ["spread"]),
        helper.make_node("Sub", ["spread", "colourful"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["mask"]),
    ]
    graph = helper.make_graph(nodes, "colours", [image], told, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def write_artifact(run: Path, data: Path, path: Path, **changes: Any) -> Path:
    """The known model above as an artifact, described as a run of the task describes its own."""
    from handlens import Manifest, open_model
    from handlens import write_artifact as write
    from handlens.golden import record_goldens
    from handlens.manifest import Compression, OutputSpec

    source = task.load(Run.open(run), data)
    model = model_bytes(tuple(output.name for output in source.outputs))
    engine = open_model(model, "onnx")
    parts: dict[str, Any] = {
        "task": source.task,
        "name": "colours",
        "version": "1",
        "input": task.Recipe(size=32).input(),
        "outputs": tuple(
            OutputSpec(name=item.name, meaning=told.meaning, shape=item.shape, tolerance=told.tolerance)
            for item in engine.outputs
            for told in source.outputs
            if told.name == item.name
        ),
        "labels": source.labels,
        "decoding": source.decoding,
        "compression": Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=3, sparsity=0.0
        ),
        "provenance": source.provenance,
    }
    manifest = Manifest(**parts | changes)
    write(path, model, "onnx", manifest, record_goldens(engine, manifest.input))
    engine.close()
    return path


@pytest.fixture
def by_colour(mobile: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))
    return write_artifact(mobile, data, tmp_path / "colours.onnx")


def test_evaluating_tells_breeds_and_masks_through_the_runtime(by_colour: Path, data: Path) -> None:
    found = task.evaluate(by_colour, data, "test")
    assert [item.right for item in found.items] == found.outcomes.tolist(), "handlens diff pairs the items"
    assert (found.dataset, found.split, found.n, found.primary) == ("pets", "test", 20, "top1")
    assert {name: figure.value for name, figure in found.metrics.items()} == {
        "top1": 1.0,
        "weighted_f1": pytest.approx(1.0),
        "macro_f1": pytest.approx(1.0),
    }
    counts = np.array(found.matrices[0].counts)
    assert found.matrices[0].labels == pets.BREEDS and counts.trace() == counts.sum() == 20
    masked = found.others[0]
    assert (masked.dataset, masked.split) == ("pets-masked", "test")
    assert masked.n == len(pets.load(data).split("masked-test"))
    assert masked.metrics["f1"].value > 0.97 > masked.metrics["f1_with_border"].value > 0.8
    assert masked.metrics["boundary_f1"].value > 0.4 and masked.metrics["f1_pooled"].value > 0.97
    assert task.evaluate(by_colour, data, "val").others[0].n == len(pets.load(data).split("masked-val"))


def test_a_set_without_masks_gives_breeds_alone(by_colour: Path, tmp_path: Path) -> None:
    write(tmp_path / "pets" / "train", 12, 0)
    write(tmp_path / "pets" / "test", 3, 100)
    found = task.evaluate(by_colour, tmp_path, "test")
    assert found.n == 3 and found.others == ()
    with pytest.raises(OptionError, match="valid: train, val, test"):
        task.evaluate(by_colour, tmp_path, "dev")


def test_an_artifact_of_other_labels_is_refused(mobile: Path, data: Path, tmp_path: Path) -> None:
    changes = {"labels": ("cat", "dog"), "decoding": {"kind": "mask"}}
    path = write_artifact(mobile, data, tmp_path / "other.onnx", **changes)
    with pytest.raises(ManifestInvalid, match="2 labels"):
        task.evaluate(path, data, "test")


def test_a_breed_that_no_image_shows_has_no_figure_and_spoils_none() -> None:
    bengal, pug = pets.BREEDS.index("Bengal"), pets.BREEDS.index("pug")
    shown = tuple(pets.Pet(Path(f"{i}.jpg"), bengal if i < 6 else pug) for i in range(12))
    told = np.array([bengal] * 5 + [pug] * 6 + [0])  # one Bengal for a pug, one pug for an Abyssinian, which none is
    found = breeds(pets.PetSplit("val", shown), told, "by hand", "asked")
    assert found.metrics["top1"].value == pytest.approx(10 / 12)
    f1 = {"Bengal": 10 / 11, "pug": 10 / 12}
    assert found.metrics["macro_f1"].value == pytest.approx(sum(f1.values()) / 2)
    assert found.metrics["weighted_f1"].value == pytest.approx(sum(f1.values()) / 2)
    rows = {row.label: row for row in found.breakdowns[1].rows}
    assert rows["pug"].value == pytest.approx(f1["pug"]) and rows["Abyssinian"][:3] == ("Abyssinian", 0, None)
    assert {row.label: row.n for row in found.breakdowns[0].rows} == {"cat": 6, "dog": 6}


def test_the_border_is_given_to_the_nearer_side() -> None:
    trimap = np.full((9, 12), pets.IGNORED, np.uint8)
    trimap[:, :2], trimap[:, 8:] = pets.FOREGROUND, pets.BACKGROUND
    assert settled(trimap).sum(axis=1).tolist() == [5] * 9
    assert settled(np.full((4, 4), pets.IGNORED, np.uint8)).sum() == 0
    assert settled(np.full((4, 4), pets.FOREGROUND, np.uint8)).all()


def test_neighbours_vote_and_the_nearer_breaks_a_tie() -> None:
    gallery = np.array([[1, 0.0], [1, 0.1], [0, 1], [0.1, 1], [-1, -2.2]])
    breeds_of = np.array([4, 9, 9, 4, 0])
    assert nearest_breeds(gallery, breeds_of, np.array([[1, -0.1], [0, 1.2]]), 1).tolist() == [4, 9]
    assert nearest_breeds(gallery, breeds_of, np.array([[1, -0.1]]), 2).tolist() == [4]
    assert nearest_breeds(gallery, np.array([1, 1, 2, 2, 2]), np.array([[1, 0.0]]), 99).tolist() == [2]


def test_an_autoencoder_is_judged_by_its_neighbours(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert task.train("pets-autoencoder", data, run, overrides=TINY | {"epochs": 1}) == "complete"
    source = task.load(Run.open(run), data)
    assert [(output.name, output.shape) for output in source.outputs] == [("embedding", (1, 64))]
    assert set(source.model.output) == {"embedding"}
    found = task.evaluate(write_artifact(run, data, tmp_path / "near.onnx"), data, "test")
    assert found.metrics["top1"].value == 1.0 and "5 nearest" in found.protocol and found.others == ()


def test_training_goes_on_without_masks_and_stops_without_validation(tmp_path: Path) -> None:
    write(tmp_path / "pets" / "train", 30, 0)
    (tmp_path / "pets" / "test").mkdir()
    few = TINY | {"epochs": 1}
    assert task.train("pets-scratch", tmp_path, tmp_path / "run", overrides=few) == "complete"
    assert "f1" not in (tmp_path / "run" / "log.csv").read_text().splitlines()[0]
    for path in pets.load(tmp_path).split("val").paths:
        path.unlink()
    with pytest.raises(DataError, match="validation"):
        task.train("pets-scratch", tmp_path, tmp_path / "other", overrides=few)


def test_an_unknown_recipe_and_missing_data_are_said(mobile: Path) -> None:
    with pytest.raises(OptionError, match="valid: pets-mobile, pets-scratch, pets-autoencoder"):
        task.train("pets-huge", Path(), Path())
    with pytest.raises(DataError, match="HANDLENS_DATA"):
        task.load(Run.open(mobile)).training_images(1, 0)


def test_few_masks_are_seen_often_and_their_breeds_no_more_than_others() -> None:
    from handlens_train.pets_data import Material, Views, drawn

    drawings = [animal(index % 3, index) for index in range(20)]
    trimaps = [np.where(trimap == 1, 1, np.where(trimap == 2, 0, 255)).astype(np.uint8) for _, trimap in drawings]
    material = Material([image for image, _ in drawings], trimaps, np.arange(20) % 3, np.array([4, 7]))
    how = task.Recipe(size=32, batch=6, masked=3)
    batches = drawn(material, how, 0, 0)
    counted = [index for batch in batches for index, counts in batch if counts]
    assert len(batches) == 3 and len(counted) == len(set(counted)) == 18
    assert {index for batch in batches for index, counts in batch if not counts} <= {4, 7}
    assert all(len(batch) == 9 for batch in batches) and drawn(material, how, 0, 1) != batches
    x, y = Views(material, how, 4, 0, 0)[0]
    assert x.shape == (9, 32, 32, 3) and abs(x).max() <= 1.0 and y["mask"].shape == (9, 8, 8, 1)
    assert y["class"][:, 0].tolist() == [index % 3 if counts else -1 for index, counts in batches[0]]
    again = Views(material, how, 4, 0, 0)[0]
    assert np.array_equal(x, again[0]) and np.array_equal(y["mask"], again[1]["mask"])


def test_what_a_network_is_sure_of_becomes_the_mask_of_images_without_one() -> None:
    from handlens_train.pets_data import Material, taught

    unknown = np.full((8, 10), pets.IGNORED, np.uint8)
    own = np.ones((8, 10), np.uint8)
    material = Material(
        [np.zeros((8, 10, 3), np.uint8)] * 4, [own, unknown, unknown, unknown], np.zeros(4, int), np.array([0])
    )
    logits = np.full((4, 4, 5), 9.0)
    logits[:, :, :3] = -9.0
    logits[2] = 0.5  # a guess
    logits[3] = 9.0  # sure, but of one side alone: nothing is all animal
    masks = taught(material, logits, 0.9).masks
    assert np.array_equal(masks[0], own) and (masks[2] == masks[3]).all() and (masks[2] == pets.IGNORED).all()
    assert (masks[1][:, :5] == pets.BACKGROUND).all() and (masks[1][:, 7:] == pets.FOREGROUND).all()
    assert (material.masks[1] == pets.IGNORED).all()


def test_the_same_recipe_trains_under_jax(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    script = (
        "import sys, keras\nfrom pathlib import Path\nfrom handlens_train.tasks import pets\n"
        "assert keras.backend.backend() == 'jax'\n"
        f"print(pets.train('pets-scratch', Path(sys.argv[1]), Path(sys.argv[2]), overrides={TINY | {'epochs': 1}}))"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", script, str(data), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout.strip().endswith("complete"), done.stderr[-2000:]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["backend"] == "jax" and 0 <= info["best"]["select"] <= 1


def test_the_evidence_of_a_run_shows_masks_and_a_map(mobile: Path, data: Path) -> None:
    from handlens_train.evidence import write_evidence

    page = write_evidence(mobile, data)
    text = page.read_text()
    assert ">Masks</h2>" in text and "breeds, drawn with seed" in text and "people" not in text
    for name in ("masks.png", "tsne.png"):
        assert cv2.imread(str(page.parent / name)).std() > 5
