"""The attributes task on drawn people: labels missing anywhere, a moment of training, figures through the runtime."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_attributes

from handlens.errors import DataError, OptionError, RunError
from handlens_data.datasets import market_attributes, peta
from handlens_data.datasets.attributes import COLOURS, HEADS, MISSING, AttributeSample, AttributeSplit
from handlens_train import attributes_balance
from handlens_train.attributes_figures import figures
from handlens_train.augment import Augment
from handlens_train.evaluation import Matrix
from handlens_train.recipe import of_run
from handlens_train.run import Run
from handlens_train.tasks import attributes

TINY = {
    "height": 32,
    "width": 16,
    "blocks": 2,
    "head": 8,
    "stripes": 2,
    "start": None,
    "freeze": 0,
    "epochs": 2,
    "batch": 16,
    "ema": 0.5,
    "dropout": 0.1,
}
BGR = {"red": (30, 30, 210), "green": (30, 200, 30), "blue": (210, 40, 30)}


def person(torso: str, legs: str, seed: int) -> np.ndarray:
    """Two blocks of colour on noise, 32x16 BGR."""
    image = np.random.default_rng(seed).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    image[6:16, 4:12], image[16:28, 4:12] = BGR[torso], BGR[legs]
    return image


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 people of one image each as PETA's VIPeR: colours of torso and legs, and gender where the number is even."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "peta" / "VIPeR"
    folder.mkdir(parents=True)
    lines, colours = [], list(BGR)
    for i in range(150):
        torso, legs = colours[i % 3], colours[(i // 3) % 3]
        gender = ("personalMale", "personalFemale")[torso == "red"] if i % 2 == 0 else ""
        lines.append(f"{i:03} upperBody{torso.title()} lowerBody{legs.title()} {gender}")
        cv2.imwrite(str(folder / f"{i:03}_0.png"), person(torso, legs, i))
    (folder / "Label.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("attributes") / "run"
    assert attributes.train("attributes", data, out, seed=1, overrides=TINY) == "complete"
    return out


def test_a_run_notes_classes_and_what_each_head_needs(run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    classes = info["data"]["train"]["classes"]
    assert set(classes) == set(HEADS) and classes["torso_colour"]["red"] > 20
    assert classes["luggage"]["missing"] == info["data"]["train"]["images"]
    for head, labels in HEADS.items():
        noted = info["heads"][head]
        assert len(noted["shift"]) == len(labels) and noted["temperature"] > 0
    assert info["heads"]["luggage"] == {"strength": 0.0, "shift": [0.0] * 4, "temperature": 1.0}
    assert 0 <= info["best"]["mean_accuracy"] <= 1


def test_loading_folds_shift_and_temperature_in(run: Path, data: Path, tmp_path: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    shift = [0.5 * i for i in range(11)]
    info["heads"]["torso_colour"] = {"strength": 1.0, "shift": shift, "temperature": 2.0}
    images = np.random.default_rng(0).uniform(-1, 1, (3, 32, 16, 3)).astype(np.float32)
    logits = {}
    for name, heads in (("folded", info["heads"]), ("plain", {})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "best.weights.h5").write_bytes((run / "best.weights.h5").read_bytes())
        (tmp_path / name / "run.json").write_text(json.dumps(info | {"heads": heads}))
        model = attributes.load(Run.open(tmp_path / name), data).model
        logits[name] = model.predict(images, verbose=0)["torso_colour"]
    np.testing.assert_allclose(logits["folded"], (logits["plain"] - np.array(shift)) / 2, rtol=1e-4, atol=1e-5)


def test_the_manifest_names_heads_labels_and_licence(run: Path, data: Path) -> None:
    source = attributes.load(Run.open(run), data)
    assert [(out.name, out.shape) for out in source.outputs] == [(h, (1, len(c))) for h, c in HEADS.items()]
    labels = {head: list(classes) for head, classes in HEADS.items()}
    assert source.decoding == {"kind": "heads", "labels": labels, "mirror": True}
    assert "research" in source.provenance.weights_licence
    images, origin = source.training_images(10, 0)
    assert images.shape == (10, 32, 16, 3) and images.dtype == np.uint8 and origin.split == "train"


def test_the_same_command_changes_nothing_and_another_seed_is_refused(run: Path, data: Path) -> None:
    before = (run / "best.weights.h5").read_bytes()
    assert attributes.train("attributes", data, run, seed=1, overrides=TINY) == "complete"
    assert (run / "best.weights.h5").read_bytes() == before
    with pytest.raises(RunError, match="another seed"):
        attributes.train("attributes", data, run, seed=2, overrides=TINY)


def test_the_early_network_has_its_size_and_trains(data: Path, tmp_path: Path) -> None:
    from handlens_train.recipe import choose

    how = choose(attributes.RECIPES, "attributes", "vgg-attributes")
    assert 8.2e6 < how.network().count_params() < 8.4e6 and (how.height, how.width) == (100, 60)
    small = {"height": 16, "width": 16, "channels": (4, 4), "hidden": 4, "epochs": 1, "batch": 32}
    assert attributes.train("vgg-attributes", data, tmp_path / "run", overrides=small) == "complete"
    assert of_run(Run.open(tmp_path / "run"), attributes.Recipe, "attributes").channels == (4, 4)
    assert set(attributes.load(Run.open(tmp_path / "run")).model.output) == set(HEADS)


def test_a_soup_takes_in_what_helps_and_is_the_same_again(run: Path, data: Path, tmp_path: Path) -> None:
    from handlens_train import attributes_soup

    out, other = shutil.copytree(run, tmp_path / "mine"), shutil.copytree(run, tmp_path / "other")
    model = attributes.load(Run.open(out), data).model
    Run.open(out).fill(model)
    model.set_weights([1.5 * np.array(value) + 0.1 for value in model.get_weights()])
    model.save_weights(other / "best.weights.h5")
    own = Run.open(out).weights.read_bytes()
    # The scores of: its own weights, with the run, with the run again.
    for answers, taken in (((0.5, 0.6, 0.55), 1), ((0.5, 0.4, 0.3), 0)):
        said = [{"mean_accuracy": answer} for answer in reversed(answers)]
        attributes_soup.average(model, out, [other, other], lambda _, said=said: said.pop(), "mean_accuracy")
        info = json.loads((out / "run.json").read_text())
        assert [item["run"] for item in info["soup"]] == ["other"] * taken
        assert info["best"]["mean_accuracy"] == max(answers)
        assert (out / attributes_soup.OWN).read_bytes() == own
        weights = {}
        for key, path in (("soup", out), ("other", other), ("own", None)):
            if path is None:
                model.load_weights(out / attributes_soup.OWN)
            else:
                Run.open(path).fill(model)
            weights[key] = [np.array(value) for value in model.get_weights()]
        for mixed, mine, its in zip(weights["soup"], weights["own"], weights["other"], strict=True):
            np.testing.assert_allclose(mixed, (mine + its) / 2 if taken else mine, rtol=1e-5, atol=1e-6)
    assert attributes.train("attributes", data, out, seed=1, overrides=TINY, soup=[other]) == "complete"
    source = attributes.load(Run.open(out), data).provenance.source
    assert ("--soup other" in source) == bool(json.loads((out / "run.json").read_text())["soup"])
    with pytest.raises(RunError, match="not a run folder"):
        attributes.train("attributes", data, out, seed=1, overrides=TINY, soup=[tmp_path])


def test_no_recipe_changes_colour_or_proportion() -> None:
    for how in attributes.RECIPES.values():
        assert how.augment.colour == 0 and isinstance(how.augment, Augment)


def test_a_missing_label_gives_no_loss_and_no_gradient() -> None:
    import keras

    from handlens_train.attributes_losses import MaskedCrossEntropy

    logits = np.array([[2.0, -1.0, 0.0], [50.0, -50.0, 0.0], [0.0, 0.0, 1e4]], np.float32)
    loss = MaskedCrossEntropy(0.1)
    rows = keras.ops.convert_to_numpy(loss.call(np.array([[0], [-1], [-1]]), logits))
    assert rows[0] > 0 and rows[1:].tolist() == [0.0, 0.0]
    nothing = keras.ops.convert_to_numpy(loss(np.full((3, 1), MISSING), logits))
    assert nothing == 0.0
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(1.0), loss=MaskedCrossEntropy(0.1))
    before = [np.array(weight) for weight in model.get_weights()]
    assert model.train_on_batch(logits / 1e4, np.full((3, 1), MISSING)) == 0.0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_loss_is_cross_entropy_over_what_is_there() -> None:
    import keras

    from handlens_train.attributes_losses import MaskedCrossEntropy

    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(8, 4)).astype(np.float32), np.arange(8) % 4
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None)
    one_hot = np.eye(4, dtype=np.float32)[labels]
    there = keras.ops.convert_to_numpy(MaskedCrossEntropy(0.2).call(labels[:, None], logits))
    np.testing.assert_allclose(there, keras.ops.convert_to_numpy(expected(one_hot, logits)), rtol=1e-5)


def test_a_rare_class_is_shifted_up_only_as_far_as_validation_gains() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.1).astype(int)  # female is rare, and a cautious model hardly ever says so
    logits = np.stack([np.full(4000, 2.2), np.where(truth == 1, 1.6, -1.0) + rng.normal(0, 0.5, 4000)], axis=1)
    labels = {head: np.full(4000, MISSING) for head in HEADS} | {"gender": truth}
    many = {head: np.zeros((4000, len(classes))) for head, classes in HEADS.items()} | {"gender": logits}
    noted = attributes_balance.balance(many, labels, labels)["gender"]
    assert noted["strength"] > 0 and noted["shift"][0] > noted["shift"][1]
    balanced = (logits - np.array(noted["shift"])).argmax(axis=1)
    assert (balanced == truth).mean() > (logits.argmax(axis=1) == truth).mean() + 0.02


def test_scores_leave_out_heads_without_labels() -> None:
    labels = {head: np.full(4, MISSING) for head in HEADS}
    logits = {head: np.zeros((4, len(classes))) for head, classes in HEADS.items()}
    assert attributes_balance.scores(logits, labels) == {"mean_accuracy": 0.0}
    labels["gender"] = np.array([0, 1, MISSING, MISSING])
    assert attributes_balance.scores(logits, labels) == {"mean_accuracy": 0.5, "val_gender": 0.5}


def split_of(rows: list[tuple[str, dict[str, int]]]) -> AttributeSplit:
    samples = [
        AttributeSample(Path(f"{i}.png"), group, tuple(labels.get(head, MISSING) for head in HEADS))
        for i, (group, labels) in enumerate(rows)
    ]
    return AttributeSplit("test", tuple(samples))


def test_figures_count_labels_that_are_there_and_say_what_is_left_out() -> None:
    people = split_of(
        [(f"VIPeR/{i}", {"gender": i % 2, "luggage": i % 2}) for i in range(40)] + [(f"MIT/{i}", {}) for i in range(10)]
    )
    given = {head: np.zeros(50, np.int64) for head in HEADS}
    given["luggage"] = np.where(np.arange(50) % 2, 1, 0)
    found = figures("peta", people, given, "by hand")
    assert found.metrics["mean_accuracy"].value == pytest.approx(0.75)
    assert found.metrics["macro_f1"].value == pytest.approx((1 / 3 + 1) / 2)
    assert "no labels, so left out of the means: torso_type, torso_colour" in found.protocol
    assert "luggage bag/case" in found.protocol
    tables = {table.metric: {row.label: row for row in table.rows} for table in found.breakdowns}
    assert tables["accuracy"]["gender"].value == 0.5 and tables["accuracy"]["gender"].n == 40
    assert tables["mean_recall"]["gender"].value == 0.5 and list(tables["macro_f1"]) == ["gender", "luggage"]
    assert tables["mean_accuracy"]["VIPeR"].value == pytest.approx(0.75)
    assert tables["mean_accuracy"]["MIT"].value is None
    assert found.matrices[0] == Matrix("gender", ("male", "female"), ((20, 0), (20, 0)))
    assert found.statistic is not None and found.statistic(np.ones(50)) == pytest.approx(0.75)
    assert found.to_dict()["matrices"][0]["counts"] == [[20, 0], [20, 0]]
    with pytest.raises(DataError, match="no crop of peta/test has a label"):
        figures("peta", split_of([("a/b", {})]), {head: np.zeros(1, np.int64) for head in HEADS}, "by hand")


def colour_model() -> bytes:
    """An artifact's model whose colours are those of the whole crop's mean; what the other heads say is no matter."""
    weights = {head: np.eye(3, len(classes), dtype=np.float32) for head, classes in HEADS.items()}
    for head in ("torso_colour", "leg_colour"):
        weights[head][:] = 4 / 3  # Every other colour is the mean of the channels, which one of them exceeds.
        for channel, colour in enumerate(("red", "green", "blue")):
            weights[head][:, COLOURS.index(colour)] = 4 * np.eye(3)[channel]
    return tiny_attributes.onnx_model(32, 16, weights)


def test_evaluating_reads_splits_and_answers_from_the_artifact(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))
    path = tiny_attributes.write(tmp_path / "c.onnx", colour_model(), tiny_attributes.describe(HEADS, 32, 16)).path
    found = attributes.evaluate(path, data, "test")
    assert [item.name for item in found.items] == [path.name for path in peta.load(data).test.paths]
    people = peta.load(data).test
    assert found.n == len(people) and found.engine.startswith("onnxruntime ") and not found.others
    matrix = {item.name: np.array(item.counts) for item in found.matrices}["leg_colour"]
    assert matrix.sum() == len(people) and np.trace(matrix) > 0.7 * len(people)
    assert attributes.evaluate(path, data, "val").n == len(peta.unseen(peta.load(data)).val)
    beside = AttributeSplit("test", people.samples[:5])
    monkeypatch.setattr(market_attributes, "found", lambda root: True)
    monkeypatch.setattr(market_attributes, "load", lambda root: beside)
    (other,) = attributes.evaluate(path, data, "test").others
    assert other.dataset == "market1501-attributes" and other.n == 5
    assert attributes.evaluate(path, data, "val").others == ()
    with pytest.raises(OptionError, match="valid: train, val, test"):
        attributes.evaluate(path, data, "dev")
    foreign = tiny_attributes.write(tmp_path / "f.onnx").path
    with pytest.raises(OptionError, match="heads and labels"):
        attributes.evaluate(foreign, data, "test")


def test_the_same_recipe_trains_under_jax(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    script = (
        "import sys, keras\nfrom pathlib import Path\nfrom handlens_train.tasks import attributes\n"
        f"print(attributes.train('attributes', Path(sys.argv[1]), Path(sys.argv[2]), overrides={TINY | {'epochs': 1}}))"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", script, str(data), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout.strip().endswith("complete"), done.stderr[-2000:]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["backend"] == "jax" and np.isfinite(info["best"]["mean_accuracy"])
