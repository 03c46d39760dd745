"""The face verifier's training: it nears its teacher's space, resumes, and is evaluated through the runtime."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras")
from handlens.errors import DataError, OptionError, RunError  # noqa: E402
from handlens.image import load_image, prepare  # noqa: E402
from handlens.manifest import InputSpec  # noqa: E402
from handlens_data.calibration import pick  # noqa: E402
from handlens_train import dlib_resnet, face_views, verifier_training  # noqa: E402
from handlens_train.face_losses import CosFace, TeacherSpace  # noqa: E402
from handlens_train.recipe import choose, of_run  # noqa: E402
from handlens_train.run import Run  # noqa: E402
from handlens_train.tasks import face_verifier  # noqa: E402
from handlens_train.view_change import ViewChange  # noqa: E402

POINTS = np.array([[36.0, 40], [60, 40], [48, 54], [38, 66], [58, 66]])
STILL = ViewChange(flip=0, rotate=0, scale=0, shift=0, colour=0, blur=0, erase=0, blend=0)
SMALL = {"blocks": 2, "head": 16, "freeze": 0, "batch": 4, "epochs": 2, "size": 48, "people": 0.1}


def face(person: int, number: int) -> np.ndarray:
    """A drawn face, uint8 (96, 96, 3): colours by person, a little noise by photograph."""
    rng = np.random.default_rng(person)
    skin, eyes, mouth = (tuple(int(v) for v in rng.integers(40, 255, 3)) for _ in range(3))
    image = np.full((96, 96, 3), 90, np.uint8)
    cv2.ellipse(image, (48, 52), (28, 36), 0, 0, 360, skin, -1)
    for x, y in POINTS[:2].astype(int).tolist():
        cv2.circle(image, (x, y), 5, eyes, -1)
    cv2.rectangle(image, (38, 64), (58, 69), mouth, -1)
    noise = np.random.default_rng((person, number)).integers(-12, 12, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn people in LFW's layout: folds of two people each, and four who are in no pair."""
    root = tmp_path_factory.mktemp("faces")
    rows, people = ["8\t2"], []
    for fold in range(1, 9):
        one, two = f"A{fold}", f"B{fold}"
        rows += [f"{one}\t1\t2", f"{two}\t1\t2", f"{one}\t1\t{two}\t1", f"{one}\t2\t{two}\t2"]
        people += [one, two]
    for index, person in enumerate([*people, "C1", "C2", "C3", "C4"]):
        (root / "lfw" / person).mkdir(parents=True)
        for number in (1, 2):
            path = root / "lfw" / person / f"{person}_{number:04d}.jpg"
            cv2.imwrite(str(path), face(index, number)[:, :, ::-1])
    (root / "lfw" / "pairs.txt").write_text("\n".join(rows))
    return root


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher that is quick (the mean colours of a coarse grid), and points that are known."""
    monkeypatch.setattr(verifier_training, "locate", lambda photos, *_: {photo.name: POINTS for photo in photos})
    monkeypatch.setattr(verifier_training, "find_detector", lambda given: given)

    def grid(pixels: np.ndarray) -> np.ndarray:
        small = np.stack([cv2.resize(one, (6, 7), interpolation=cv2.INTER_AREA) for one in pixels])
        return (small.reshape(len(small), -1)[:, :126] / 255).astype(np.float32)

    monkeypatch.setattr(verifier_training, "teacher_of", lambda folder: grid)


def test_it_nears_the_teacher_and_a_killed_run_goes_on(faces: Path, taught: None, tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def train(out: Path, tick=lambda *_: None) -> str:
        return face_verifier.train("face-verifier", faces, out, teacher=faces, overrides=SMALL, tick=tick)

    def interrupt(epoch: int, scores: dict[str, float]) -> None:
        if epoch == 0:
            raise KeyboardInterrupt

    assert train(tmp_path / "whole", lambda _, scores: seen.append(scores)) == "complete"
    assert seen[-1]["embedding_loss"] < seen[0]["embedding_loss"]
    assert 0 <= seen[-1]["tar"] <= 1
    assert train(tmp_path / "broken", interrupt) == "interrupted"
    assert train(tmp_path / "broken") == "complete"
    first, second = (np.load(tmp_path / run / "checkpoint.npz") for run in ("whole", "broken"))
    for name in first.files:
        if name != "state":
            np.testing.assert_allclose(first[name], second[name], atol=1e-5, err_msg=name)
    info = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert info["data"]["train"]["people"] == 14 and info["config"]["teacher"] == dlib_resnet.SOURCE


def test_without_a_teacher_it_says_where_one_is(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="face-api"):
        face_verifier.train("face-verifier", faces, tmp_path)
    with pytest.raises(DataError, match="face_recognition_model.bin"):
        dlib_resnet.read_weights(tmp_path)


def test_a_recipe_or_run_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="face-pca"):
        choose(face_verifier.RECIPES, face_verifier.TASK, "arcface")
    run = Run(path=tmp_path, task="reid", recipe="x", config={}, seed=0, info={}, status="complete")
    with pytest.raises(RunError, match="'reid'"):
        face_verifier.load(run, None)
    run = replace(run, task="face-verifier", config={"views": {"spin": 1.0}})
    with pytest.raises(RunError, match="holds no face-verifier recipe"):
        of_run(run, face_verifier.Recipe, face_verifier.TASK)


def test_the_teacher_reads_its_file_as_it_was_written(tmp_path: Path) -> None:
    """A random teacher in the file's form, uint8 tensors among them: the same answers as the network it came from."""
    rng, entries, data, values = np.random.default_rng(0), [], [], {}
    for layer in dlib_resnet.build(keras).layers:
        if not layer.weights:
            continue
        key = layer.name.replace(".", "/")
        shape = tuple(layer.weights[0].shape)
        names = {"fc": shape} if key == "fc" else {f"{key}/conv/filters": shape}
        if key != "fc":
            parts = ("conv/bias", "scale/weights", "scale/biases")
            names |= {f"{key}/{part}": (shape[-1],) for part in parts}
        for name, size in names.items():
            coded = rng.integers(0, 256, size, dtype=np.uint8)
            scale = 1e-3
            values[name] = coded.astype(np.float32) * scale - 0.1
            entries.append(
                {"name": name, "shape": size, "quantization": {"dtype": "uint8", "scale": scale, "min": -0.1}}
            )
            data.append(coded.tobytes())
    (tmp_path / f"{dlib_resnet.STEM}.bin").write_bytes(b"".join(data))
    manifest = json.dumps([{"weights": entries}])
    (tmp_path / f"{dlib_resnet.STEM}-weights_manifest.json").write_text(manifest)
    model = dlib_resnet.load(keras, tmp_path)
    kernel, bias = model.get_layer("conv32_down").get_weights()
    gain = values["conv32_down/scale/weights"]
    np.testing.assert_allclose(kernel, values["conv32_down/conv/filters"] * gain, rtol=1e-5)
    expected = values["conv32_down/conv/bias"] * gain + values["conv32_down/scale/biases"]
    np.testing.assert_allclose(bias, expected, rtol=1e-5)
    (tmp_path / f"{dlib_resnet.STEM}.bin").write_bytes(b"".join(data)[:-1] + b"xy")
    with pytest.raises(DataError, match="describes"):
        dlib_resnet.load(keras, tmp_path)


def test_views_can_be_made_again_and_blends_belong_to_nobody() -> None:
    photos = [face(person, 1) for person in range(6)]
    matrices = np.stack([verifier_training.to_frame(POINTS, face_verifier.Recipe(size=48))] * 6)

    def views(how: ViewChange) -> face_views.Views:
        answer = lambda pixels: pixels.reshape(len(pixels), -1)[:, :4].astype(np.float32)  # noqa: E731
        return face_views.Views(photos, matrices, np.arange(6), answer, 48, 3, how, (0, 1))

    (first, _), (again, _) = views(ViewChange())[1], views(ViewChange())[1]
    assert np.array_equal(first, again) and first.shape == (3, 48, 48, 3) and np.abs(first).max() <= 1
    blended = views(ViewChange(blend=1.0))[0][1]["people"]
    assert (blended == -1).all() and (views(STILL)[0][1]["people"] >= 0).all()


def test_a_still_view_is_what_the_device_aligns() -> None:
    from handlens.image import prepare

    how, rng = face_verifier.Recipe(size=48), np.random.default_rng(0)
    photo = face(3, 1)
    here = face_views.view(photo, verifier_training.to_frame(POINTS, how), 48, STILL, rng)
    device = prepare(photo, how.input(), POINTS)
    assert np.abs(here.astype(int) - device).mean() < 2.5  # another interpolation of the same frame
    moved = prepare(photo, how.input(), POINTS + 2)
    assert np.abs(here.astype(int) - moved).mean() > 2 * np.abs(here.astype(int) - device).mean()


def test_losses_are_what_their_papers_say() -> None:
    teacher = np.eye(3, dtype=np.float32)
    assert float(TeacherSpace(0.5)(teacher, teacher)) == pytest.approx(0, abs=1e-6)
    shifted = TeacherSpace(0.5)(teacher, teacher + 1)  # every distance between rows is kept
    assert float(shifted) == pytest.approx(3 / 0.5, rel=1e-4)
    cosines = np.array([[0.9, 0.1], [0.5, 0.5]], np.float32)
    loss = np.asarray(CosFace(scale=2.0, margin=0.3).call(np.array([0, -1]), cosines))
    assert loss[0] == pytest.approx(np.log(1 + np.exp(2 * 0.1 - 2 * 0.6)), rel=1e-5) and loss[1] == 0


def test_calibration_draws_aligned_faces_of_the_training_people(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faceless(path: Path, spec: InputSpec) -> np.ndarray | None:
        return None if path.parent.name == "C1" else prepare(load_image(path), spec, POINTS)

    monkeypatch.setattr(face_verifier, "aligner", lambda detector: faceless)
    pool = face_verifier.pool(faces, detector=tmp_path / "any.tflite")
    people = {path.parent.name for path in pool.paths}
    assert people == {"C1", "C2", "C3", "C4", *(f"{who}{fold}" for who in "AB" for fold in range(1, 6))}
    assert {path.parent.name for path in pool.tested} == {f"{who}{fold}" for who in "AB" for fold in (6, 7, 8)}
    drawn = pick(pool, face_verifier.RECIPES["face-verifier"].input(), len(people) - 1, 0)
    assert drawn.images.shape[1:] == (112, 112, 3) and set(drawn.groups) == people - {"C1"}
