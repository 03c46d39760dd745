"""Models trained elsewhere, brought to be compressed: `.keras`, a SavedModel, a float `.tflite`, an `.onnx`."""

from pathlib import Path


def is_model(path: Path) -> bool:
    """Whether a path is a model to be brought rather than a run folder."""
    return path.is_file() or (path / "saved_model.pb").is_file()
