"""`handlens calib`: sets drawn for an artifact, the classic mistakes found, tables compared and used again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from handlens.artifact import Artifact, write_artifact
from handlens.errors import DataError, GateFailed, OptionError, SplitLeak
from handlens.golden import GENERATORS, generate
from handlens.image import to_tensor
from handlens_data.calibration import CalibrationSet, Pool, activations
from handlens_data.calibration.lint import look_at_activations, look_at_images, look_at_tensors
from handlens_data.calibration.table import RangeTable
from handlens_export.commands.calib import app
from handlens_train import tasks

COUNT = 120


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def artifact(make_artifact: Callable[[Path], Artifact], tmp_path: Path) -> Artifact:
    return make_artifact(tmp_path / "net.tflite")


@pytest.fixture
def pictures(artifact: Artifact, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> np.ndarray:
    """(COUNT, H, W, C) drawn images, which are the pool of every task."""
    spec = artifact.manifest.input
    shape = spec.height, spec.width, spec.channels
    drawn = np.stack([generate(GENERATORS[i % len(GENERATORS)], i, *shape) for i in range(COUNT)])
    paths = []
    for index in range(COUNT):
        paths.append(tmp_path / f"{index:03}.raw")
        paths[-1].write_bytes(drawn[index].tobytes())
    pool = Pool(
        dataset="drawn",
        split="train",
        licence="Apache-2.0",
        sha256=lambda: "1" * 64,
        paths=tuple(paths),
        prepare=lambda path, spec: np.frombuffer(path.read_bytes(), np.uint8).reshape(shape),
    )
    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace(pool=lambda data: pool))
    monkeypatch.setenv("HANDLENS_DATA", str(tmp_path))
    return drawn


@pytest.mark.parametrize("by", ["random", "diversity"])
def test_a_set_is_drawn_for_an_artifact_and_passes_the_lint(
    artifact: Artifact, pictures: np.ndarray, tmp_path: Path, by: str
) -> None:
    out = tmp_path / "picked.npz"
    found = run("pick", artifact.path, "--out", out, "--count", 100, "--by", by)
    assert found.exit_code == 0 and f"100 images of drawn/train, by {by}" in found.output
    assert CalibrationSet.load(out).images.shape[0] == 100
    looked = run("lint", artifact.path, out)
    assert looked.exit_code == 0 and "0 errors" in looked.output


def test_another_way_to_draw_and_a_task_without_files_are_refused(
    artifact: Artifact, pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = run("pick", artifact.path, "--out", tmp_path / "x.npz", "--by", "taste").exception
    assert isinstance(error, OptionError) and "random, diversity" in str(error)
    monkeypatch.setattr(tasks, "get", lambda name: SimpleNamespace())
    assert "no files to pick from" in str(run("pick", artifact.path, "--out", tmp_path / "x.npz").exception)


def test_an_image_that_another_task_tests_is_refused(
    artifact: Artifact, pictures: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tasks.get("reid").pool(tmp_path)
    copy = tmp_path / "elsewhere.raw"
    copy.write_bytes(mine.paths[7].read_bytes())
    other = replace(mine, tested=(copy,))

    def task(name: str) -> SimpleNamespace:
        def pool(data: Path) -> Pool:
            if name == "pets":
                raise DataError("its data is not here")
            return mine if name == artifact.manifest.task else other

        return SimpleNamespace(pool=pool)

    monkeypatch.setattr(tasks, "get", task)
    error = run("pick", artifact.path, "--out", tmp_path / "x.npz", "--count", COUNT).exception
    assert isinstance(error, SplitLeak) and "elsewhere.raw" in str(error)


def test_a_model_of_numbers_has_nothing_to_calibrate(
    make_artifact: Callable[..., Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlens_train.tasks.recommender import input_spec

    made = make_artifact(tmp_path / "net.tflite")
    vector = replace(made.manifest, input=input_spec())
    monkeypatch.setattr(Artifact, "open", lambda path: replace(made, manifest=vector))
    error = run("pick", made.path, "--out", tmp_path / "x.npz").exception
    assert isinstance(error, OptionError) and "takes numbers" in str(error)


def test_a_detector_is_for_faces_alone(artifact: Artifact, pictures: np.ndarray, tmp_path: Path) -> None:
    error = run("pick", artifact.path, "--out", tmp_path / "x.npz", "--detector", tmp_path / "d.tflite").exception
    assert isinstance(error, OptionError) and "--detector is not for task" in str(error)


@pytest.mark.parametrize(
    ("low", "high", "seen", "said"),
    [
        (-1.0, 1.0, (0.0, 255.0), "never scaled"),
        (-1.0, 1.0, (0.0, 1.0), "over 255"),
        (0.0, 255.0, (0.0, 1.0), "over 255"),
        (0.0, 1.0, (-2.1, 2.6), "mean and a standard deviation"),
        (-1.0, 1.0, (-1.01, -0.98), "scaled twice"),
        (0.0, 1.0, (0.0, 1.0), ""),
        (-1.0, 1.0, (-1.0, 1.0), ""),
        (0.0, 255.0, (0.0, 255.0), ""),
    ],
)
def test_each_classic_of_a_wrong_range_has_its_name(
    artifact: Artifact, low: float, high: float, seen: tuple[float, float], said: str
) -> None:
    spec = replace(artifact.manifest.input, scale=((high - low) / 255,) * 3, offset=(low,) * 3)
    shape = (4, spec.height, spec.width, 3)
    tensors = np.linspace(*seen, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    found = [finding.fix for finding in look_at_tensors(tensors, spec)]
    assert (len(found) == 1 and said in found[0]) if said else not found


def test_pixels_that_were_never_scaled_are_found(artifact: Artifact, pictures: np.ndarray, tmp_path: Path) -> None:
    raw = tmp_path / "raw.npy"
    np.save(raw, pictures.astype(np.float32))
    found = run("lint", artifact.path, raw)
    assert isinstance(found.exception, GateFailed) and found.exception.exit_code == 3
    assert "error: values: the values span 0 to 255" in found.output and "never scaled" in found.output
    np.save(raw, np.concatenate([to_tensor(image, artifact.manifest.input) for image in pictures]))
    assert run("lint", artifact.path, raw).exit_code == 0, "the device's own tensors are right"


@pytest.mark.parametrize(
    ("change", "about"),
    [
        (lambda x: x * 0.1, "values"),
        (lambda x: x.astype(np.float64)[:, :8], "shape"),
        (lambda x: (x * 100).astype(np.int64), "dtype"),
        (lambda x: np.where(x > 0.9, np.nan, x), "values"),
    ],
)
def test_other_mistakes_in_tensors_are_named(artifact: Artifact, pictures: np.ndarray, change: Any, about: str) -> None:
    tensors = np.concatenate([to_tensor(image, artifact.manifest.input) for image in pictures])
    assert about in {finding.about for finding in look_at_tensors(change(tensors), artifact.manifest.input)}


def test_few_dark_copied_and_lopsided_images_are_named(pictures: np.ndarray) -> None:
    assert look_at_images(pictures[:20])[0].severity == "error"
    assert "brightness" in {finding.about for finding in look_at_images(pictures // 20)}
    assert "copies" in {finding.about for finding in look_at_images(np.concatenate([pictures, pictures[:40]]))}
    groups = ["ann"] * 90 + [str(index) for index in range(30)]
    assert "balance" in {finding.about for finding in look_at_images(pictures, groups)}
    assert "balance" not in {finding.about for finding in look_at_images(pictures, ["ann", "bob"] * 60)}


def activation(**changes: Any) -> activations.Activation:
    parts: dict[str, Any] = {
        "name": "conv",
        "low": np.zeros(40, np.float32),
        "high": np.full(40, 6.0, np.float32),
        "channel_low": np.zeros(8, np.float32),
        "channel_high": np.full(8, 6.0, np.float32),
        "ceiling": 0.1,
        "tail": (0.0, 5.0),
    }
    return activations.Activation(**parts | changes)


def test_a_healthy_layer_is_not_complained_about() -> None:
    assert look_at_activations([activation()]) == []


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"channel_high": np.array([6, 6, 0, 0, 6, 6, 6, 6], np.float32)}, "dead channels"),
        ({"high": np.where(np.arange(40) == 31, 6.0, 3.0).astype(np.float32)}, "ranges move"),
        ({"tail": (0.0, 0.5)}, "outliers"),
        ({"ceiling": 0.8}, "saturated"),
    ],
)
def test_a_sick_layer_is_named_with_what_ails_it(changes: dict[str, Any], about: str) -> None:
    (finding,) = look_at_activations([activation(**changes)])
    assert finding.about == about and "conv" in finding.what


def test_activations_are_those_of_the_model(artifact: Artifact, pictures: np.ndarray) -> None:
    found = activations.measure(artifact, pictures[:6])
    from handlens.engine import open_engine

    engine = open_engine(artifact)
    spec = artifact.manifest.input
    (name,) = (output.name for output in artifact.manifest.outputs)
    answers = np.stack([engine.run({spec.name: to_tensor(image, spec)})[name] for image in pictures[:6]])
    engine.close()
    last = found[-1]
    np.testing.assert_allclose(last.high, answers.reshape(6, -1).max(axis=1), rtol=1e-4)
    np.testing.assert_allclose(last.channel_low, answers.reshape(6, -1).min(axis=0), rtol=1e-3, atol=1e-5)


def test_an_int8_model_has_no_float_activations(artifact: Artifact, tmp_path: Path) -> None:
    compression = replace(artifact.manifest.compression, recipe="int8")
    manifest = replace(artifact.manifest, compression=compression)
    other = write_artifact(tmp_path / "int8.tflite", artifact.model, artifact.kind, manifest, artifact.goldens)
    with pytest.raises(OptionError, match="float32 .tflite"):
        activations.measure(other, np.zeros((1, 1, 1, 3), np.uint8))


def test_picked_images_of_another_size_are_refused_before_any_work(
    artifact: Artifact, pictures: np.ndarray, tmp_path: Path
) -> None:
    from handlens_export.prepare import Options, Workshop
    from handlens_export.store import Store

    out = tmp_path / "picked.npz"
    run("pick", artifact.path, "--out", out, "--count", 40)
    spec = replace(artifact.manifest.input, height=artifact.manifest.input.height * 2)
    source: Any = SimpleNamespace(input=spec, name="net")
    with pytest.raises(DataError, match="the picked images are .* each; net takes"):
        Workshop(source, Store(tmp_path), Options(calibration=CalibrationSet.load(out)), print)


def test_two_tables_side_by_side(tmp_path: Path) -> None:
    facts = {"model": "net", "dataset": "drawn", "split": "train", "count": 40, "seed": 5, "images_sha256": "0" * 64}
    RangeTable(**facts, ranges={"stem": (0.0, 6.0), "head": (-1.0, 1.0)}).save(tmp_path / "a.json")
    RangeTable(**facts, ranges={"stem": (0.0, 6.0), "head": (-1.0, 2.0)}).save(tmp_path / "b.json")
    output = run("compare", tmp_path / "a.json", tmp_path / "b.json").output
    assert "1 of 2 ranges moved by more than 10%" in output and output.index("head") < output.index("stem")


def test_what_is_no_array_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(b"no array")
    assert isinstance(run("lint", artifact.path, tmp_path / "x.npy").exception, DataError)
