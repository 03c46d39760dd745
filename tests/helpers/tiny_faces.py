"""Artifacts of the tiny face models (tests/golden/models/make_face_models.py), and pictures that they understand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from handlens.artifact import Artifact, write_artifact
from handlens.engine import open_model
from handlens.golden import default_tolerance, record_goldens
from handlens.manifest import Compression, InputSpec, Manifest, OutputSpec, Provenance, Threshold

MODELS = Path(__file__).parents[1] / "golden" / "models"
SIDE, CELL = 64, 16
FEMALE, MALE, DIM = (230, 240, 20), (20, 240, 230), (40, 30, 40)
TEMPLATE = (9.6, 12.9, 18.4, 12.9, 14.0, 17.9, 10.4, 23.1, 17.7, 23.1)
RATES = (0.1, 0.01)


def scene(faces: Sequence[tuple[int, int, tuple[int, int, int]]], scale: int = 1) -> np.ndarray:
    """A picture (64 s, 64 s, 3) with a face in each cell (row, column) of 4 x 4, in a colour."""
    image = np.full((SIDE, SIDE, 3), DIM, np.uint8)
    for row, column, colour in faces:
        image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = colour
    return np.kron(image, np.ones((scale, scale, 1), np.uint8))


def describe(name: str, found: Sequence, **changes: object) -> Manifest:
    """A manifest that is true of a tiny face model."""
    detects = name == "tiny_detector"
    side, scale, offset = (SIDE, 1 / 255, 0.0) if detects else (28, 1 / 127.5, -1.0)
    source = InputSpec(
        name="image",
        height=side,
        width=side,
        channels=3,
        scale=(scale,) * 3,
        offset=(offset,) * 3,
        geometry="letterbox" if detects else "align",
        template=() if detects else TEMPLATE,
    )
    fields: Mapping[str, object] = {
        "task": "face-detector" if detects else "face-verifier",
        "name": name,
        "version": "1",
        "input": source,
        "outputs": tuple(
            OutputSpec(name=info.name, meaning=info.name, shape=info.shape, tolerance=default_tolerance("float32"))
            for info in found
        ),
        "decoding": {"kind": "cells", "strides": [CELL]} if detects else {},
        "thresholds": ()
        if detects
        else tuple(
            Threshold(target_fmr=rate, value=1 - rate, comparisons=1000, low=0.0, high=2 * rate) for rate in RATES
        ),
        "compression": Compression(
            recipe="float32", format="tflite", weights="float32", activations="float32", parameters=60, sparsity=0.0
        ),
        "provenance": Provenance(data=(), weights_licence="CC0-1.0", seed=0, run="none", trained_seconds=0.0),
    }
    return Manifest(**{**fields, **changes})


def write(folder: Path, name: str = "tiny_detector", **changes: object) -> Artifact:
    """Writes a tiny face model, "tiny_detector" or "tiny_verifier", as an artifact; fields can be replaced."""
    model = (MODELS / f"{name}.tflite").read_bytes()
    engine = open_model(model, "tflite")
    manifest = describe(name, engine.outputs, **changes)
    goldens = record_goldens(engine, manifest.input)
    engine.close()
    return write_artifact(folder / f"{name}.tflite", model, "tflite", manifest, goldens)
