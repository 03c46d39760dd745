"""`handlens export` refuses bad input by name, with exit code 2, before anything heavy is loaded."""

from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from handlens.errors import HandlensError, OptionError, RunError
from handlens_export.commands.export import export


def run(*arguments: str) -> HandlensError:
    app = Typer()
    app.command()(export)
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, HandlensError), result.output
    assert result.exception.exit_code == 2
    return result.exception


def test_an_unknown_recipe(tmp_path: Path) -> None:
    error = run(str(tmp_path), "--recipe", "int3")
    assert isinstance(error, OptionError) and "'int3'" in str(error) and "qat- before int8" in str(error)


def test_an_unknown_format(tmp_path: Path) -> None:
    assert "valid: tflite, onnx" in str(run(str(tmp_path), "--format", "mlmodel"))


def test_a_folder_that_is_no_run_and_a_run_half_written(tmp_path: Path) -> None:
    assert isinstance(run(str(tmp_path)), RunError)
    (tmp_path / "run.json").write_text(
        '{"task": "reid", "recipe": "x", "config": {}, "seed": 0, "status": "interrupted"}'
    )
    error = run(str(tmp_path))
    assert isinstance(error, RunError) and "half-written" in str(error)


def test_a_calibration_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"task": "reid", "recipe": "x", "config": {}, "seed": 0, "status": "complete"}')
    (tmp_path / "best.weights.h5").write_bytes(b"")
    (tmp_path / "picked.npz").write_bytes(b"no archive")
    error = run(str(tmp_path), "--calibration", str(tmp_path / "picked.npz"))
    assert "no calibration set" in str(error) and "handlens calib pick" in str(error)


def test_a_size_that_the_task_does_not_take(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"task": "reid", "recipe": "x", "config": {}, "seed": 0, "status": "complete"}')
    (tmp_path / "best.weights.h5").write_bytes(b"")
    error = run(str(tmp_path), "--size", "192")
    assert isinstance(error, OptionError) and "tasks that take a size: face-detector" in str(error)
    assert "192x256" in str(run(str(tmp_path), "--size", "big"))


def test_a_side_that_the_detector_does_not_take(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(
        '{"task": "face-detector", "recipe": "x", "config": {}, "seed": 0, "status": "complete"}'
    )
    (tmp_path / "best.weights.h5").write_bytes(b"")
    error = run(str(tmp_path), "--size", "192x200")
    assert "--size is 192x200; valid sides for face-detector: 128, 160, 192" in str(error)
