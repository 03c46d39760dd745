"""detect, match, annotate and import, on tiny models: what they print, write and exit with."""

import importlib.metadata
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny_faces
from tiny_faces import FEMALE, MALE, scene

from handlens import FaceDetector, _defaults, cli
from handlens.artifact import Artifact
from handlens.errors import MissingExtra, OptionError
from handlens.golden import generate
from handlens.image import load_image


def call(command: str, *arguments: object) -> int:
    """Runs a command in this process; its exit code."""
    module = {"import": "import_model:import_model"}.get(command, f"{command}:{command}")
    entry = importlib.metadata.EntryPoint(command, f"handlens.commands.{module}", cli.GROUP)
    with pytest.raises(SystemExit) as stopped:
        cli.run(entry, [str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("models")
    made = {name: tiny_faces.write(folder, f"tiny_{name}").path for name in ("detector", "verifier")}
    return SimpleNamespace(**made)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[:, :, ::-1])
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save(folder / "a.png", scene([(1, 2, FEMALE)]))
    save(folder / "b.png", scene([(1, 1, FEMALE), (3, 3, MALE)]))
    save(folder / "deep" / "c.png", scene([]))
    return folder


def test_detect_says_where_faces_are(models: SimpleNamespace, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("detect", photos / "a.png", photos / "deep/c.png", "--model", models.detector) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{photos / 'a.png'}: 1 face" and shown[2] == f"{photos / 'deep/c.png'}: no faces"
    assert "box 27 11 53 37" in shown[1] and "female 1.00" in shown[1]


def test_detect_json_is_the_detectors_answer(
    models: SimpleNamespace, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("detect", photos / "b.png", "--json", "--model", models.detector) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["image"], row["width"], row["height"]) == (str(photos / "b.png"), 64, 64)
    faces = FaceDetector.load(models.detector).detect(photos / "b.png")
    assert row["faces"] == [face.to_dict() for face in faces] and len(faces) == 2
    assert call("detect", photos / "b.png", "--json", "--model", models.detector, "--min-score", 1) == 0
    assert json.loads(capsys.readouterr().out)[0]["faces"] == []


def test_detect_draws_into_copies(models: SimpleNamespace, photos: Path, tmp_path: Path) -> None:
    big = save(tmp_path / "big.png", scene([(1, 2, FEMALE)], scale=6))
    out = tmp_path / "drawn.png"
    assert call("detect", big, "--draw", out, "--model", models.detector) == 0
    drawn, plain = load_image(out), load_image(big)
    assert drawn.shape == plain.shape
    (face,) = FaceDetector.load(models.detector).detect(plain)
    changed = (drawn != plain).any(axis=2)
    x, y = (round(value) for value in face.points[2])
    assert changed[y, x] and changed[round(face.box[1]) + 40, round(face.box[0])] and not changed[:20, :20].any()
    assert (
        call("detect", photos / "a.png", photos / "deep/c.png", "--draw", tmp_path / "all", "--model", models.detector)
        == 0
    )
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a.png", "c.png"]
    assert np.array_equal(load_image(tmp_path / "all/c.png"), load_image(photos / "deep/c.png"))


def test_detect_refuses_to_draw_over_anything(
    models: SimpleNamespace, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = photos / "a.png"
    before = image.read_bytes()
    assert call("detect", image, "--draw", image, "--model", models.detector) == 2
    assert call("detect", image, "--draw", photos, "--model", models.detector) == 2
    assert image.read_bytes() == before and "would overwrite the image" in capsys.readouterr().err
    twin = save(tmp_path / "other/a.png", scene([]))
    assert call("detect", image, twin, "--draw", tmp_path / "all", "--model", models.detector) == 2
    assert "to one file" in capsys.readouterr().err
    assert call("detect", image, "--draw", tmp_path / "drawn.tiff", "--model", models.detector) == 2
    assert ".webp" in capsys.readouterr().err


def test_detect_goes_on_after_an_unreadable_image_and_says_so(
    models: SimpleNamespace, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    assert call("detect", photos / "bad.jpg", photos / "a.png", "--json", "--model", models.detector) == 2
    shown = capsys.readouterr()
    assert [row["image"] for row in json.loads(shown.out)] == [str(photos / "a.png")]
    assert "skipped: " in shown.err and "error: 1 of 2 images could not be read" in shown.err
    assert call("detect", photos / "bad.jpg", "--model", models.detector) == 2
    assert capsys.readouterr().err.count("\n") == 1


def portrait(seed: int, at: tuple[int, int]) -> np.ndarray:
    """A scene with one face whose pattern the tiny verifier tells from others."""
    image = scene([(*at, FEMALE)], scale=4)
    y, x = at[0] * 64, at[1] * 64
    image[y : y + 64, x : x + 64, [0, 2]] = generate("blobs", seed, 64, 64, 3)[:, :, [0, 2]]
    return image


def test_match_decides_by_the_threshold_of_the_rate(
    models: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = save(tmp_path / "one.png", portrait(1, (1, 1)))
    same = save(tmp_path / "same.png", portrait(1, (2, 2)))
    other = save(tmp_path / "other.png", portrait(5, (1, 1)))
    given = ("--verifier", models.verifier, "--detector", models.detector)
    assert call("match", one, same, *given) == 0
    assert capsys.readouterr().out.startswith("match: similarity 1.000, threshold 0.990 for a false match rate of 0.01")
    assert call("match", one, other, *given, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["match"] is False and report["similarity"] < report["threshold"] == 0.99
    assert call("match", one, other, *given, "--fmr", 0.1) in (0, 1)
    assert "threshold 0.900" in capsys.readouterr().out
    assert call("match", one, same, *given, "--fmr", 1e-4) == 2
    assert "no threshold for a false match rate of 0.0001" in capsys.readouterr().err


def test_match_wants_one_face_in_each(
    models: SimpleNamespace, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--verifier", models.verifier, "--detector", models.detector)
    assert call("match", photos / "a.png", photos / "deep/c.png", *given) == 4
    assert "c.png: no face" in capsys.readouterr().err
    assert call("match", photos / "a.png", photos / "b.png", *given) == 4
    assert "b.png: 2 faces" in capsys.readouterr().err
    assert call("match", photos / "a.png", photos / "b.png", *given, "--largest") in (0, 1)


def test_annotate_writes_coco_and_reads_back(models: SimpleNamespace, photos: Path, tmp_path: Path) -> None:
    from handlens_data.datasets import coco

    out = tmp_path / "faces.json"
    assert call("annotate", photos, "--model", models.detector, "--out", out) == 0
    content = json.loads(out.read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png", "deep/c.png"]
    assert content["categories"][0]["name"] == "face" and content["info"]["model"] == "tiny_detector"
    assert len({note["id"] for note in content["annotations"]}) == 3
    note = content["annotations"][0]
    x, y, width, height = note["bbox"]
    (face,) = FaceDetector.load(models.detector).detect(photos / "a.png")
    assert (x, y, x + width, y + height) == pytest.approx(face.box, abs=0.02)
    assert note["keypoints"][6:9] == [round(face.points[2][0], 2), round(face.points[2][1], 2), 2]
    assert note["attributes"]["gender"] == "female" and note["score"] == pytest.approx(face.score, abs=1e-4)
    read = coco.read(out)
    assert list(read) == ["a.png", "b.png", "deep/c.png"] and len(read["b.png"].boxes) == 2


def test_annotate_goes_on_where_it_stopped(
    models: SimpleNamespace,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, seen, detect = tmp_path / "faces.json", [], FaceDetector.detect

    def interrupted(self: FaceDetector, image: np.ndarray) -> object:
        seen.append(1)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # what Ctrl-C does
        return detect(self, image)

    monkeypatch.setattr(FaceDetector, "detect", interrupted)
    # A test run started in the background of a shell has SIGINT switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert call("annotate", photos, "--model", models.detector, "--out", out) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "the same command goes on" in capsys.readouterr().err
    assert [image["file_name"] for image in json.loads(out.read_text())["images"]] == ["a.png", "b.png"]
    seen[:] = [1] * 9
    assert call("annotate", photos, "--model", models.detector, "--out", out) == 0
    assert len(seen) == 10 and "has 2 of 3 images already" in capsys.readouterr().err
    whole = json.loads(out.read_text())
    assert call("annotate", photos, "--model", models.detector, "--out", tmp_path / "again.json") == 0
    assert json.loads((tmp_path / "again.json").read_text()) == whole


def test_annotate_skips_what_cannot_be_read_and_reports_it(
    models: SimpleNamespace, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.jpg").write_bytes(b"no image")
    out = tmp_path / "faces.json"
    assert call("annotate", photos, "--model", models.detector, "--out", out) == 2
    assert "1 of 4 images could not be read" in capsys.readouterr().err
    assert len(json.loads(out.read_text())["images"]) == 3


def test_annotate_does_not_mix_models_or_eat_other_files(
    models: SimpleNamespace, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "faces.json"
    assert call("annotate", photos, "--model", models.detector, "--out", out) == 0
    before = out.read_bytes()
    assert call("annotate", photos, "--model", models.detector, "--out", out, "--min-score", 0.9) == 2
    assert "name another --out" in capsys.readouterr().err and out.read_bytes() == before
    for content in ("[]", "{}", "no JSON", '{"images": [{}], "annotations": []}'):
        out.write_text(content)
        assert call("annotate", photos, "--model", models.detector, "--out", out) == 2
        assert out.read_text() == content
    (tmp_path / "empty").mkdir()
    assert call("annotate", tmp_path / "empty", "--model", models.detector, "--out", out) == 2


def plain(folder: Path) -> tuple[Path, Path]:
    """The tiny detector as somebody else would have it: a bare model, and a manifest written by hand."""
    made = tiny_faces.write(folder / "ours")
    document = json.loads(made.manifest.to_json())
    document["model_id"] = ""
    (folder / "bare.tflite").write_bytes(made.model)
    (folder / "manifest.json").write_text(json.dumps(document))
    return folder / "bare.tflite", folder / "manifest.json"


def test_an_imported_model_detects_like_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare, manifest = plain(tmp_path)
    out = tmp_path / "mine.tflite"
    assert call("import", bare, "--manifest", manifest, "--out", out) == 0
    made = Artifact.open(out)
    assert made.manifest.model_id in capsys.readouterr().out and made.model == bare.read_bytes()
    assert call("check", out) == 0
    assert len(FaceDetector.load(out).detect(scene([(1, 2, FEMALE)]))) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "weather"}, "tasks to import for: face-detector"),
        ({"task": "face-verifier"}, "has geometry align"),
        ({"decoding": {"kind": "cells", "strides": [8]}}, "needs (1, 64, 1)"),
        ({"decoding": {"kind": "yunet", "strides": [16]}}, "'cls_16'"),
        ({"outputs": 1}, "manifest.outputs"),
        ({"input": {"scale": [0.0] * 3}}, "hardly varies"),
        ({"input": {"height": 128}}, "in the model it is float32 (1, 64, 64, 3)"),
    ],
)
def test_a_manifest_that_does_not_fit_the_model_is_refused(
    tmp_path: Path, change: dict, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, manifest = plain(tmp_path)
    document = json.loads(manifest.read_text())
    for key, value in change.items():
        document[key] = {**document[key], **value} if key == "input" else value
    manifest.write_text(json.dumps(document))
    assert call("import", bare, "--manifest", manifest, "--out", tmp_path / "mine.tflite") == 2
    shown = capsys.readouterr().err
    assert says in shown, shown
    assert not (tmp_path / "mine.tflite").exists()


def test_import_says_what_to_look_at_when_a_model_always_answers_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, manifest = plain(tmp_path)
    document = json.loads(manifest.read_text())
    document["input"]["scale"] = [0.0] * 3
    manifest.write_text(json.dumps(document))
    assert call("import", bare, "--manifest", manifest, "--out", tmp_path / "mine.tflite") == 2
    assert "input.scale, input.offset, colour and layout" in capsys.readouterr().err


def test_import_keeps_its_source(tmp_path: Path) -> None:
    bare, manifest = plain(tmp_path)
    before = bare.read_bytes()
    assert call("import", bare, "--manifest", manifest, "--out", bare) == 2
    assert bare.read_bytes() == before
    (tmp_path / "broken.tflite").write_bytes(before[:500])
    assert call("import", tmp_path / "broken.tflite", "--manifest", manifest, "--out", tmp_path / "x.tflite") == 2


def test_without_a_model_the_zoos_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def path(name: str) -> Path:
        if name != "face-detector":
            raise LookupError(name)
        return tmp_path / name

    zoo = SimpleNamespace(path=path, names=lambda: ("face-detector",), __version__="9")
    monkeypatch.setitem(sys.modules, "handlens_zoo", zoo)
    assert _defaults.model_for("face-detector") == tmp_path / "face-detector"
    assert _defaults.model_for("face-detector", Path("mine")) == Path("mine")
    with pytest.raises(OptionError, match=r"holds no 'face-verifier' \(it has face-detector\).*--verifier FILE"):
        _defaults.model_for("face-verifier", None, "--verifier")
    monkeypatch.setitem(sys.modules, "handlens_zoo", None)
    with pytest.raises(MissingExtra, match=r"--model FILE.*pip install 'handlens\[zoo\]'"):
        _defaults.model_for("face-detector")
