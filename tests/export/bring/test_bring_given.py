"""What the user gives beside the model: images, an evaluation, options; each mistake is one line that names the fix."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from handlens.artifact import Artifact
from handlens.errors import DataError, HandlensError, ManifestInvalid, OptionError, SplitLeak
from handlens_data.calibration import CalibrationSet
from handlens_export.bring import images as pictures
from handlens_export.bring.agreement import agreement
from handlens_export.bring.evaluation import judge
from handlens_export.bring.load import load
from handlens_export.commands.calib import app
from handlens_export.commands.export import export
from handlens_train.exportable import Match

MODEL = Path(__file__).parents[2] / "golden" / "models" / "tiny_float32.tflite"
EVALUATION = """
import numpy as np
from handlens_train.evaluation import right_or_wrong

PRIMARY = "accuracy"


def evaluate(path, data, split, engine):
    return right_or_wrong(str(data), split, np.ones(4), "none", primary=NAME)
"""


def refused(*arguments: object) -> HandlensError:
    command = Typer()
    command.command()(export)
    result = CliRunner().invoke(command, [str(each) for each in arguments])
    assert isinstance(result.exception, HandlensError), result.output
    assert result.exception.exit_code == 2
    return result.exception


def test_held_out_images_are_never_drawn(folder: Path, manifest: Callable[..., Path]) -> None:
    from handlens.manifest import Manifest

    spec = Manifest.from_json(manifest().read_text()).input
    given = pictures.gather(spec, folder, None, None, hold_out=True)
    held = {image.tobytes() for image in given.held()}
    assert len(held) == 16
    for seed in (0, 1):
        drawn, source = given.draw(1000, seed)
        assert len(drawn) == 48 and not held & {image.tobytes() for image in drawn} and source.name == folder.name
    assert len(pictures.gather(spec, folder, None, None, hold_out=False).draw(1000, 0)[0]) == 64


def test_images_that_do_not_do(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    described, dark, few = manifest(), tmp_path / "dark", tmp_path / "few"
    dark.mkdir()
    few.mkdir()
    (tmp_path / "void").mkdir()
    for index in range(40):
        cv2.imwrite(str(dark / f"{index}.png"), np.full((16, 8, 3), index % 2, np.uint8))
    shutil.copy(dark / "0.png", few / "0.png")
    source = load(MODEL, manifest=described, images=dark)
    with pytest.raises(DataError, match="as if they had been over 255 already"):
        source.training_images(20, 0)
    for path, words in (
        (few, "1 images; at least 32"),
        (tmp_path / "none", "not a folder"),
        (tmp_path / "void", "holds no image"),
    ):
        with pytest.raises(DataError, match=words):
            load(MODEL, manifest=described, images=path)
    with pytest.raises(OptionError, match="no images to measure ranges on"):
        load(MODEL, manifest=described)


def test_a_picked_set_is_split_and_checked(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    from handlens_export import door
    from handlens_export.recipes import parse_recipes

    source = load(MODEL, manifest=manifest(), images=folder)
    door.export(source, parse_recipes("float32"), ("tflite",), tmp_path, keep=tmp_path)
    file, out = tmp_path / "mine-float32.tflite", tmp_path / "set.npz"
    result = CliRunner().invoke(app, ["pick", str(file), "--images", str(folder), "--count", "40", "--out", str(out)])
    assert result.exit_code == 0, result.output
    picked = CalibrationSet.load(out)
    assert picked.images.shape == (40, 16, 8, 3) and picked.dataset == folder.name
    drawn, _ = load(file, calibration=out).training_images(1000, 0)
    assert len(drawn) == 30  # a quarter is held out to compare on
    result = CliRunner().invoke(app, ["lint", str(file), str(out)])
    assert "errors" in result.output
    small = CalibrationSet.load(out)
    object.__setattr__(small, "images", small.images[:, :8])
    small.save(out)
    with pytest.raises(DataError, match="calib pick FILE"):
        load(file, calibration=out)


def test_an_evaluation_of_ones_own_is_the_judge(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(EVALUATION.replace("NAME", "PRIMARY"))
    source = load(MODEL, manifest=manifest(), images=folder, evaluation=str(module), data=tmp_path)
    found = source.evaluate(tmp_path / "any.tflite", "val", None)
    assert source.primary == "accuracy" and found.dataset == str(tmp_path) and found.n == 4
    assert len(source.training_images(1000, 0)[0]) == 64  # nothing needs to be held out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "lacks PRIMARY"),
        ("PRIMARY = 'a'", "lacks evaluate"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
    ],
)
def test_an_evaluation_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(OptionError, match=words):
        judge(str(tmp_path / "mine.py"), None)


def test_an_evaluation_that_answers_wrongly(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EVALUATION.replace("NAME", "'other'"))
    with pytest.raises(OptionError, match="gave one of 'other'; expected an Evaluation of 'accuracy'"):
        judge(str(tmp_path / "mine.py"), None).evaluate(tmp_path / "a.tflite", "val", None)
    (tmp_path / "mine.py").write_text("PRIMARY = 'a'\ndef evaluate(*all):\n    return {}['x']")
    with pytest.raises(OptionError, match="fails on a.tflite: KeyError"):
        judge(str(tmp_path / "mine.py"), None).evaluate(tmp_path / "a.tflite", "val", None)
    with pytest.raises(OptionError, match="unknown task 'nobody'"):
        judge("nobody", None)


def test_an_image_that_is_tested_may_not_calibrate(folder: Path) -> None:
    tested = next(folder.rglob("*.png"))
    with pytest.raises(SplitLeak, match=tested.name):
        own = pictures.pool(folder, [tested])
        own.refuse_leaks(range(len(own.paths)))


def test_the_command_names_what_is_wrong(folder: Path, manifest: Callable[..., Path], tmp_path: Path) -> None:
    described = manifest()
    assert "--size is for a run folder" in str(refused(MODEL, "--manifest", described, "--size", "64"))
    assert "--images is for a model file" in str(refused(tmp_path, "--images", folder))
    assert "says nothing about itself" in str(refused(MODEL, "--images", folder))
    (tmp_path / "net.pth").write_bytes(b"PK")
    assert "of no kind that can be brought" in str(refused(tmp_path / "net.pth", "--manifest", described))
    wrong = manifest(
        outputs=[{"name": "x", "meaning": "x", "shape": [1, 8], "tolerance": {"absolute": 1, "relative": 0}}]
    )
    error = refused(MODEL, "--manifest", wrong, "--images", folder)
    assert isinstance(error, ManifestInvalid) and "'x'" in str(error) and "embedding" in str(error)
    quantized = MODEL.with_name("tiny_int8.tflite")
    assert "quantized already" in str(refused(quantized, "--manifest", described, "--images", folder))


def test_agreement_counts_what_somebody_reads() -> None:
    random = np.random.default_rng(0)
    boxes, score = random.normal(size=(6, 20, 4)), np.full((6, 20, 1), -9.0)
    score[:, :3] = 4.0
    wanted = {"box": boxes, "score": score}
    matched = {"box": Match("value", "score"), "score": Match("logit")}
    assert np.array_equal(agreement(wanted, wanted, matched), np.ones(6))
    empty = boxes.copy()
    empty[:, 3:] += 5.0  # of cells that hold nothing
    far = {"box": empty, "score": np.where(score < 0, -300.0, score)}
    assert np.allclose(agreement(far, wanted, matched), 1) and (agreement(far, wanted) < 0.9).all()
    turned = boxes.copy()
    turned[:, :3] *= -1
    assert (agreement({"box": turned, "score": score}, wanted, matched) <= 0.5).all()
    one = {"p": np.linspace(0, 1, 5)[:, None]}
    assert agreement({"p": one["p"] + one["p"].std()}, one).max() < 1e-6


def test_the_artifact_says_where_its_ranges_come_from(
    folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    command = Typer()
    command.command()(export)
    arguments = [MODEL, "--manifest", manifest(), "--images", folder, "--recipe", "int8", "--out", tmp_path]
    result = CliRunner().invoke(command, [*map(str, arguments), "--format", "tflite", "--max-drop", "5"])
    assert result.exit_code == 0, result.output
    made = Artifact.open(tmp_path / "mine-int8.tflite").manifest
    assert made.compression.calibration is not None and made.compression.calibration.dataset == folder.name
