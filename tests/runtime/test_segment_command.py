"""`handlens segment`: what it prints, draws, cuts out and exits with; and a foreign segmenter through `import`."""

import importlib.metadata
import json
from pathlib import Path

import cv2
import fake_segmenter
import numpy as np
import pytest
import tiny_faces
from fake_segmenter import CLASSES, bright_segmenter, fixed_segmenter

from handlens import cli
from handlens.image import load_image
from handlens.segment import Segmenter


def call(command: str, *arguments: object) -> int:
    """Runs a command in this process; its exit code."""
    module = {"import": "import_model:import_model"}.get(command, f"{command}:{command}")
    entry = importlib.metadata.EntryPoint(command, f"handlens.commands.{module}", cli.GROUP)
    with pytest.raises(SystemExit) as stopped:
        cli.run(entry, [str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[:, :, ::-1])
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.png shows something warm above something cool, empty.png nothing."""
    image = np.full((300, 400, 3), 20, np.uint8)
    image[100:200, 150:250], image[200:280, 150:250] = (255, 200, 0), (255, 0, 200)
    save(tmp_path / "photos/a.png", image)
    save(tmp_path / "photos/empty.png", np.full((60, 40, 3), 20, np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for an artifact: loading it gives the segmenter without weights."""
    monkeypatch.setattr(Segmenter, "load", lambda path, engine, threads: bright_segmenter())
    return tmp_path / "fake.tflite"


def test_it_says_how_much_is_foreground_and_of_what(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("segment", photos / "a.png", photos / "empty.png", "--model", model) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"{photos / 'a.png'}: foreground 15.") and "box 1" in shown[0]
    assert [line.split()[0] for line in shown[1:3]] == ["upper", "lower"]
    assert shown[3:] == [f"{photos / 'empty.png'}: no foreground"]


def test_json_is_the_segmenters_answer(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("segment", photos / "a.png", "--json", "--model", model) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"image": str(photos / "a.png"), **bright_segmenter().segment(photos / "a.png").to_dict()}
    assert (row["width"], row["height"]) == (400, 300) and set(row["areas"]) == {"upper", "lower"}


def test_a_class_of_the_image_is_named(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = fake_segmenter.manifest(
        {"mask": (1, 4, 4, 1), "class": (1, 2)},
        size=(4, 4),
        decoding={"kind": "mask", "labels_of": "class"},
        labels=("beagle", "pug"),
        task="pets",
    )
    answer = {"mask": np.full((1, 4, 4, 1), -9.0), "class": [[3.0, 0.0]]}
    monkeypatch.setattr(Segmenter, "load", lambda path, engine, threads: fixed_segmenter(answer, made))
    out = tmp_path / "drawn.png"
    assert call("segment", photos / "a.png", "--model", "pets.tflite", "--draw", out) == 0
    assert capsys.readouterr().out.splitlines() == [f"{photos / 'a.png'}: no foreground", "  beagle 0.95"]
    drawn, plain = load_image(out), load_image(photos / "a.png")
    assert np.array_equal(drawn[:300, :400], plain) and drawn.shape[0] > 300, "the legend is below"


def test_it_draws_classes_an_outline_and_a_legend_into_copies(model: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.png"
    assert call("segment", photos / "a.png", "--draw", out, "--model", model) == 0
    drawn, plain = load_image(out), load_image(photos / "a.png")
    assert drawn.shape[0] > 300 and drawn.shape[1] == 400 and drawn[300:].max() > 200, "the legend is below"
    changed = (drawn[:300] != plain).any(axis=2)
    assert changed[105:195, 155:245].all() and changed[210:270, 155:245].all()
    assert not (drawn[150, 200] == drawn[240, 200]).all(), "classes have colours of their own"
    assert not changed[:80].any() and not changed[:, 280:].any()
    edge = drawn[95:105, 200].astype(int).min(axis=1)
    assert edge.max() == 255, "a light line along the edge"
    assert call("segment", photos / "a.png", photos / "empty.png", "--draw", tmp_path / "all", "--model", model) == 0
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a.png", "empty.png"]
    assert np.array_equal(load_image(tmp_path / "all/empty.png"), load_image(photos / "empty.png"))


def test_alpha_writes_the_image_with_its_background_transparent(model: Path, photos: Path, tmp_path: Path) -> None:
    photo = photos / "a.jpg"
    save(photo, load_image(photos / "a.png"))
    assert call("segment", photo, photos / "empty.png", "--alpha", tmp_path / "cut", "--model", model) == 0
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["a.png", "empty.png"]
    written = cv2.imread(str(tmp_path / "cut/a.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(written[:, :, 2::-1], load_image(photo)), "colours under the transparency stay"
    assert np.array_equal(written[:, :, 3], bright_segmenter().segment(photo).alpha)
    assert call("segment", photo, "--alpha", tmp_path / "cut.jpg", "--model", model) == 2


def test_it_writes_over_nothing(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = photos / "a.png"
    before = image.read_bytes()
    for option in ("--draw", "--alpha"):
        assert call("segment", image, option, image, "--model", model) == 2
        assert f"{option} would overwrite the image" in capsys.readouterr().err
        twin = save(tmp_path / "other/a.png", np.zeros((9, 9, 3), np.uint8))
        assert call("segment", image, twin, option, tmp_path / "all", "--model", model) == 2
        assert "to one file" in capsys.readouterr().err
    assert image.read_bytes() == before and not (tmp_path / "all").exists()


def test_it_goes_on_after_an_unreadable_image_and_says_so(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    assert call("segment", photos / "bad.jpg", photos / "a.png", "--json", "--model", model) == 2
    shown = capsys.readouterr()
    assert [row["image"] for row in json.loads(shown.out)] == [str(photos / "a.png")]
    assert "skipped: " in shown.err and "error: 1 of 2 images could not be read" in shown.err


def test_an_artifact_without_masks_is_refused_by_name(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = tiny_faces.write(tmp_path).path
    assert call("segment", photos / "a.png", "--model", detector) == 2
    assert f"{detector} is for the task 'face-detector' and says nothing of masks" in capsys.readouterr().err


def test_a_foreign_model_comes_in_and_segments(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.array([1 / 8, 0, 0], np.float32).reshape(1, 3, 1, 1), "w")
    bias = numpy_helper.from_array(np.array([-127.5 / 8], np.float32), "b")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["matte"])],
        "reddish",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 48, 64))],
        [helper.make_tensor_value_info("matte", TensorProto.FLOAT, (1, 1, 48, 64))],
        [weight, bias],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(proto)
    bare, described, out = (tmp_path / name for name in ("bare.onnx", "bare.json", "mine.onnx"))
    bare.write_bytes(proto.SerializeToString())
    decoding = {"kind": "mask", "activation": "none", "outputs": {"mask": "matte"}}
    made = fake_segmenter.manifest({"matte": (1, 1, 48, 64)}, decoding=decoding, task="matting")
    text = json.loads(made.to_json())
    text["input"]["layout"], text["compression"]["format"] = "NCHW", "onnx"
    described.write_text(json.dumps(text))
    assert call("import", bare, "--manifest", described, "--out", out) == 0
    assert call("segment", photos / "a.png", "--model", out, "--json") == 0
    printed = capsys.readouterr().out
    (row,) = json.loads(printed[printed.index("[") :])
    assert row["areas"] == {"foreground": pytest.approx(0.15, abs=0.01)} and CLASSES[1] not in printed
