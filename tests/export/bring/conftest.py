"""A tiny float model of somebody's own, as a file with a manifest beside it, and a folder of drawn pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from handlens.golden import GENERATORS, generate

COUNT = 64


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COUNT drawn pictures in two folders of a folder."""
    root = tmp_path_factory.mktemp("pictures")
    for index in range(COUNT):
        image = generate(GENERATORS[index % len(GENERATORS)], index, 24, 12, 3)
        path = root / ("a" if index % 2 else "b") / f"{index:02}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), image)
    return root


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., Path]:
    """Writes a manifest of the tiny model; what is given replaces what it says."""

    def write(kind: str = "tflite", **changes: Any) -> Path:
        described = {
            "schema": 1,
            "task": "my-task",
            "name": "mine",
            "version": "1",
            "input": {
                "name": "image",
                "height": 16,
                "width": 8,
                "channels": 3,
                "scale": [1 / 127.5] * 3,
                "offset": [-1, -1, -1],
            },
            "outputs": [
                {
                    "name": "embedding",
                    "meaning": "embedding, not normalised",
                    "shape": [1, 8],
                    "tolerance": {"absolute": 1e-5, "relative": 0.002},
                }
            ],
            "compression": {
                "recipe": "imported",
                "format": kind,
                "weights": "float32",
                "activations": "float32",
                "parameters": 560,
                "sparsity": 0,
            },
            "provenance": {
                "data": [{"name": "drawn", "licence": "CC0-1.0", "split": "train", "sha256": ""}],
                "weights_licence": "CC0-1.0",
                "seed": 0,
                "run": "imported",
                "trained_seconds": 0,
            },
        }
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps(described | changes))
        return path

    return write
