"""The Kotlin library against Python, on one machine: raw outputs to the byte, and a task's answer.

`make android-test` builds the command line that is asked here; without it these tests are skipped.
"""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine
from handlens.face import DetectorOptions, FaceDetector
from handlens.golden import generate

ROOT = Path(__file__).parents[2]
JAR = ROOT / "android_bridge" / "parity" / "target" / "parity.jar"
ZOO = ROOT / "zoo" / "handlens_zoo" / "artifacts"
TINY = ROOT / "tests" / "golden" / "artifacts"

pytestmark = pytest.mark.skipif(
    not JAR.is_file() or shutil.which("java") is None, reason="no Kotlin build here; make android-test makes it"
)


def ask(*arguments: str | Path, lines: list[str | Path] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the Kotlin command line on the LiteRT that Python has."""
    found = importlib.util.find_spec("ai_edge_litert")
    places = list(found.submodule_search_locations or []) if found else []
    return subprocess.run(
        ["java", "-jar", str(JAR), *map(str, arguments)],
        input="\n".join(map(str, lines or [])),
        env=os.environ | {"HANDLENS_LITERT": places[0] if places else ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(*arguments: str | Path, lines: list[str | Path] | None = None) -> list[Any]:
    """What it answers, a value for each line."""
    done = ask(*arguments, lines=lines)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def raw_tensors(engine: Engine, count: int) -> list[np.ndarray]:
    """Random values of the input's own dtype, over its whole range."""
    (info,) = engine.inputs
    random = np.random.default_rng(7)
    if info.dtype == "float32":
        return [random.uniform(-1, 1, info.shape).astype(np.float32) for _ in range(count)]
    return [random.integers(-128, 128, info.shape, np.int8) for _ in range(count)]


@pytest.mark.parametrize(
    "file",
    [
        ZOO / "face-detector.tflite",
        ZOO / "face-verifier.tflite",
        ZOO / "reid-small.tflite",
        ZOO / "person-mask.tflite",
        TINY / "tiny_float32.tflite",
        TINY / "tiny_int8.onnx",
    ],
    ids=lambda path: path.name,
)
def test_raw_outputs_are_the_same_bytes(file: Path, tmp_path: Path) -> None:
    artifact = Artifact.open(file)
    engine = open_engine(artifact)
    tensors = raw_tensors(engine, 3)
    paths = []
    for index, tensor in enumerate(tensors):
        paths.append(tmp_path / f"{index}.raw")
        paths[-1].write_bytes(tensor.tobytes())
    told = answers(engine.name, "tensors", file, lines=list(paths))
    assert len(told) == len(tensors)
    for tensor, outputs in zip(tensors, told, strict=True):
        expected = engine.run({engine.inputs[0].name: tensor})
        assert sorted(outputs) == sorted(expected)
        for info in engine.outputs:
            raw = np.frombuffer(base64.b64decode(outputs[info.name]), info.dtype).reshape(info.shape)
            values = raw.astype(np.float32)
            if info.quant_scale is not None:
                values = (values - np.float32(info.quant_zero_point)) * np.float32(info.quant_scale)
            np.testing.assert_array_equal(values, expected[info.name])
    engine.close()


def test_faces_of_a_picture_are_the_same(tmp_path: Path) -> None:
    image = generate("face", 6, 300, 333, 3)
    picture = tmp_path / "a picture.ppm"
    picture.write_bytes(b"P6\n333 300\n255\n" + image.tobytes())
    (told,) = answers("litert", "detect", ZOO / "face-detector.tflite", "0.3", lines=[picture])
    with FaceDetector.load(ZOO / "face-detector.tflite", options=DetectorOptions(score_threshold=0.3)) as detector:
        faces = detector.detect(image)
    assert len(faces) == len(told) > 0
    for face, other in zip(faces, told, strict=True):
        assert other["score"] == pytest.approx(face.score, abs=1e-6)
        np.testing.assert_allclose(other["box"], face.box, atol=1e-3)
        np.testing.assert_allclose(other["points"], face.points, atol=1e-3)
        assert face.gender is not None
        assert other["gender"][0] == face.gender.label


def test_a_wrong_question_ends_with_one_line() -> None:
    done = ask("litert", "sing", ZOO / "reid-small.tflite")
    assert done.returncode == 2
    assert "'sing' is unknown; valid: detect, " in done.stderr
    assert done.stderr.count("error:") == 1
