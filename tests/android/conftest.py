"""A jar that stands in for the Kotlin library's, and tiny artifacts under several licences."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_faces

from handlens.artifact import Artifact
from handlens.manifest import Provenance


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "classes.jar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("artifact/Artifact", "engine/Session", "task/FaceDetector"):
            archive.writestr(f"io/handlens/{name}.class", b"\xca\xfe\xba\xbe" + name.encode())
        archive.writestr("META-INF/core.kotlin_module", b"")
    return path


@pytest.fixture
def artifact(tmp_path: Path) -> Callable[..., Artifact]:
    """Writes `tiny_detector` or `tiny_verifier` under a name and a licence of its weights."""

    def make(name: str = "eye.tflite", licence: str = "Apache-2.0", model: str = "tiny_detector") -> Artifact:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        terms = Provenance(data=(), weights_licence=licence, seed=0, run="none", trained_seconds=0.0)
        tiny_faces.write(tmp_path / "made", model, provenance=terms).path.rename(path)
        return Artifact.open(path)

    return make
