"""The archive as an app's build sees it: its structure, and a Kotlin program compiled against its classes and run."""

import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from handlens.artifact import Artifact
from handlens_android import build_aar
from handlens_android.aar import JAR

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "android_bridge"
ZOO = ROOT / "zoo/handlens_zoo/artifacts"
ENGINE = BRIDGE / "engine-jna/target/engine-jna-0.1.0.jar"
NAMES = ("face-detector.tflite", "face-verifier.tflite", "person-mask-nano.tflite")
OPTIONAL = {"ai.onnxruntime", "org.tensorflow.lite", "com.google.ai.edge.litert"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the zoo's models, unpacked."""
    if not (BRIDGE / "handlens_android/jars" / JAR).is_file():
        pytest.skip("the Kotlin classes are not built: make android")
    folder = tmp_path_factory.mktemp("aar")
    built = build_aar([ZOO / name for name in NAMES], folder / "handlens.aar", accept_licence=True)
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(folder)
    return folder


def classes(folder: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(folder / "classes.jar") as archive:
        for name in archive.namelist():
            if name.endswith(".class"):
                yield name, archive.read(name)


def test_the_classes_are_this_library_s_own_and_old_enough_for_any_tool(unpacked: Path) -> None:
    seen = list(classes(unpacked))
    assert len(seen) > 200
    assert not [name for name, _ in seen if not name.startswith("io/handlens/")]
    assert {struct.unpack(">H", data[6:8])[0] for _, data in seen} == {55}  # Java 11
    names = {name for name, _ in seen}
    for needed in ("android/Assets", "door/Door", "engine/ort/OrtEngine", "engine/interpreter/InterpreterEngine"):
        assert f"io/handlens/{needed}.class" in names
    assert not [name for name in names if "/jna/" in name or "/testing/" in name or "Test" in name]


def test_every_other_library_that_the_classes_name_is_asked_for_or_optional(unpacked: Path) -> None:
    text = b"\n".join(data for _, data in classes(unpacked))
    foreign = {
        match.decode().rsplit("/", 1)[0].replace("/", ".") + "."
        for match in re.findall(rb"(?:kotlinx?|ai|org|com|android|androidx|net)(?:/[a-z]\w*)+/[A-Z]\w*", text)
    }
    pom = (BRIDGE / "handlens_android/handlens.pom").read_text(encoding="utf-8")
    rules = (unpacked / "proguard.txt").read_text(encoding="utf-8")
    # kotlin-stdlib brings the annotations.
    allowed = ("kotlin.", "kotlinx.coroutines.", "org.jetbrains.annotations.", "android.", *(f"{o}." for o in OPTIONAL))
    assert not {name for name in foreign if not name.startswith(allowed)}, "a library that no consumer knows of"
    assert "kotlin-stdlib" in pom and "kotlinx-coroutines-core" in pom
    assert all(f"-dontwarn {name}.**" in rules for name in OPTIONAL)


@pytest.mark.slow
def test_a_program_compiled_against_the_archive_answers_as_python_does(unpacked: Path, tmp_path: Path) -> None:
    litert = pytest.importorskip("ai_edge_litert")
    pytest.importorskip("skimage.data")
    if shutil.which("mvn") is None or not ENGINE.is_file():
        pytest.skip("this test wants Maven, and engine-jna built: make android-test")
    sys.path.insert(0, str(ROOT / "tests/serve"))
    try:
        import astronaut
    finally:
        sys.path.pop(0)
    images = [np.ascontiguousarray(astronaut.frame(moment)) for moment in range(3)]
    (tmp_path / "images").mkdir()
    for number, image in enumerate(images):
        header = f"{image.shape[0]} {image.shape[1]}".ljust(16).encode()
        (tmp_path / "images" / f"{number}.rgb").write_bytes(header + image.tobytes())
    words = {
        "classes.jar": unpacked / "classes.jar",
        "engine.jar": ENGINE,
        "assets": unpacked / "assets/handlens",
        "input": tmp_path / "images",
        "litert": Path(litert.__file__).parent / "libLiteRt.so",
        "target": tmp_path / "target",
        "rules": unpacked / "proguard.txt",
    }
    command = ["mvn", "-B", "-o", "-f", str(BRIDGE / "consumer/pom.xml"), "process-classes"]
    done = subprocess.run(
        [*command, *(f"-D{name}={value}" for name, value in words.items())],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"MAVEN_OPTS": "-Xmx512m"},
    )
    assert done.returncode == 0, done.stdout[-4000:]
    answers = expected(images, tmp_path / "python")
    as_it_is, shrunk = done.stdout.split("[shrunk]")
    for output in (as_it_is, shrunk):
        said = re.findall(r"\[java\] ((?:face|foreground|door|enrolled|verified|error) .*)$", output, re.MULTILINE)
        assert len(said) == len(answers)
        for own, python in zip(said, answers, strict=True):
            assert agree(own.split(), python.split()), (own, python)
    assert (tmp_path / "target/shrunk.jar").stat().st_size < (unpacked / "classes.jar").stat().st_size / 2
    assert_shared(tmp_path / "images/store", tmp_path / "python")


def assert_shared(kotlin: Path, python: Path) -> None:
    """The store that the program made opens in Python, and holds what Python's own does."""
    from handlens.store import Store
    from handlens.vault import Vault

    model = Artifact.open(ZOO / NAMES[1]).manifest.model_id
    made = []
    for folder in (kotlin, python):
        store = Store.open(folder, use_keyring=False)
        with store.lock():
            made.append(Vault(store, model, 128).read())
    assert list(made[0]) == list(made[1]) == ["Eileen"]
    assert np.abs(made[0]["Eileen"].templates - made[1]["Eileen"].templates).max() < 0.05


def agree(own: list[str], python: list[str]) -> bool:
    """Words are equal; of numbers, places and scores to float32's last digits, similarities to a step of int8.

    A place that differs in its seventh digit can move a pixel of the aligned face by one level, and that an int8 output
    by one step.
    """
    near = 5e-4 if own[0] == "verified" else 2e-6
    number = re.compile(r"-?\d+\.\d{5,}")
    return len(own) == len(python) and all(
        abs(float(a) - float(b)) <= near * max(1.0, abs(float(b)))
        if number.fullmatch(a) and number.fullmatch(b)
        else b in (a, "*")
        for a, b in zip(own, python, strict=True)
    )


def expected(images: list[np.ndarray], folder: Path) -> list[str]:
    """What the program has to print, by Python's own models and door; see `agree`."""
    from handlens.access import Door, DoorOptions
    from handlens.face import FaceDetector, FaceVerifier
    from handlens.segment import Segmenter
    from handlens.store import Store

    lines = []
    detector = FaceDetector.load(ZOO / NAMES[0])
    for face in detector.detect(images[0]):
        assert face.points is not None
        numbers = (face.score, *face.box, *np.ravel(face.points))
        lines.append(" ".join(["face", *(str(float(value)) for value in numbers)]))
    with Segmenter.load(ZOO / NAMES[2]) as segmenter:
        lines.append(f"foreground {int(segmenter.segment(images[0]).alpha.sum(dtype=np.int64))}")
    verifier = FaceVerifier.load(ZOO / NAMES[1])
    rate = max(limit.target_fmr for limit in verifier.manifest.thresholds)
    with Door(detector, verifier, Store.open(folder, use_keyring=False), DoorOptions(fmr=rate)) as door:
        verdicts = [
            f"{one.gate}: {'passed' if one.passed else 'refused'}, {one.measured}"
            for one in door.examine(images[0]).verdicts
        ]
        lines.append(f"door [{', '.join(verdicts)}]")
        lines.append(f"enrolled {door.enrol('Eileen', images[:2]).images}")
        decision = door.verify("Eileen", images[2])
        lines.append(f"verified {decision.outcome.upper().replace(' ', '_')} {decision.score} {decision.threshold}")
        unknown = door.verify("Ada", images[2])
        lines.append(f"verified NOT_ADMITTED * {unknown.threshold}")  # nobody's templates differ between the languages
    lines.append("error the artifact face-detector is for the task 'face-detector'; expected 'face-verifier'")
    return lines
