"""The archive: its shape, what must not go in, and that nothing half written is left."""

import hashlib
import io
import os
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from handlens import errors
from handlens.artifact import Artifact
from handlens_android import build_aar, is_open

Make = Callable[..., Artifact]
ANDROID = "{http://schemas.android.com/apk/res/android}"


def test_the_archive_has_what_androids_tools_ask_for(tmp_path: Path, jar: Path, artifact: Make) -> None:
    built = build_aar([artifact("a.tflite").path, artifact("b.tflite").path], tmp_path / "x.aar", jar=jar)
    with zipfile.ZipFile(built.path) as archive:
        names = archive.namelist()
        manifest = ElementTree.fromstring(archive.read("AndroidManifest.xml"))
        assert archive.testzip() is None
        assert archive.read("R.txt") == b""
        assert archive.read("classes.jar") == jar.read_bytes()
        assert b"-dontwarn" in archive.read("proguard.txt")
        assert b"minCompileSdk=24" in archive.read("META-INF/com/android/build/gradle/aar-metadata.properties")
        assert b"a.tflite (face-detector" in archive.read("assets/handlens/LICENCES.txt")
    assert {"assets/handlens/a.tflite", "assets/handlens/b.tflite"} <= set(names) and len(names) == len(set(names))
    assert manifest.get("package") == "io.handlens"
    assert manifest.find("uses-sdk").get(f"{ANDROID}minSdkVersion") == "24"
    assert (built.size, built.sha256) == (
        built.path.stat().st_size,
        hashlib.sha256(built.path.read_bytes()).hexdigest(),
    )
    assert built.classes == 3 and not built.limited


def test_an_asset_is_the_artifact_itself_and_lies_there_uncompressed(tmp_path: Path, jar: Path, artifact: Make) -> None:
    source = artifact("eye.tflite")
    built = build_aar([source.path], tmp_path / "x.aar", jar=jar)
    data = built.path.read_bytes()
    assert source.path.read_bytes() in data  # so it is stored, in one piece
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(item.compress_type == zipfile.ZIP_STORED for item in archive.infolist())
        (tmp_path / "again.tflite").write_bytes(archive.read("assets/handlens/eye.tflite"))
    assert Artifact.open(tmp_path / "again.tflite").sha256 == source.sha256


def test_equal_input_gives_equal_bytes(tmp_path: Path, jar: Path, artifact: Make) -> None:
    source = artifact().path
    first = build_aar([source], tmp_path / "1.aar", jar=jar).sha256
    os.utime(source, (0, 0))
    assert build_aar([source], tmp_path / "2.aar", jar=jar).sha256 == first


@pytest.mark.parametrize(
    "licence",
    ["research use only: trained on LFW", "CC BY-NC 4.0", "none named", "Apache-2.0; data for research only", ""],
)
def test_limited_weights_go_in_only_when_their_terms_are_accepted(
    tmp_path: Path, jar: Path, artifact: Make, licence: str
) -> None:
    limited, free = artifact("limited.tflite", licence).path, artifact("free.tflite").path
    with pytest.raises(errors.OptionError, match=r"^1 of 2 .*limited\.tflite.*--accept-licence"):
        build_aar([limited, free], tmp_path / "x.aar", jar=jar)
    assert not (tmp_path / "x.aar").exists()
    built = build_aar([limited, free], tmp_path / "x.aar", jar=jar, accept_licence=True)
    assert len(built.limited) == 1 and licence in built.limited[0]


@pytest.mark.parametrize(
    ("licence", "is_free"),
    [
        ("Apache-2.0", True),
        ("MIT", True),
        ("CC BY-SA 4.0: trained on Oxford-IIIT Pet", True),
        ("CC0-1.0", True),
        ("CC BY-NC-SA 4.0", False),
        ("MITRE licence", False),
        ("research use only", False),
        ("see the Apache-2.0 file", False),
    ],
)
def test_which_licences_are_open(licence: str, is_free: bool) -> None:
    assert is_open(licence) is is_free


def test_the_zoo_s_face_models_are_for_research_and_its_masks_are_not() -> None:
    zoo = Path(__file__).parents[2] / "zoo/handlens_zoo/artifacts"
    free = {
        file.name for file in zoo.glob("*.tflite") if is_open(Artifact.open(file).manifest.provenance.weights_licence)
    }
    assert free == {"person-mask.tflite", "person-mask-nano.tflite", "pets-mobile.tflite"}


def test_a_damaged_artifact_stops_the_build(tmp_path: Path, jar: Path, artifact: Make) -> None:
    path = artifact().path
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    (tmp_path / "x.aar").write_bytes(b"the old one")
    with pytest.raises(errors.ArtifactTampered):
        build_aar([path], tmp_path / "x.aar", jar=jar)
    assert (tmp_path / "x.aar").read_bytes() == b"the old one"


def test_names_that_cannot_be_assets_are_refused(tmp_path: Path, jar: Path, artifact: Make) -> None:
    one, other = artifact("a.tflite").path, artifact("folder/A.tflite").path
    with pytest.raises(errors.OptionError, match="two artifacts are called A.tflite"):
        build_aar([one, other], tmp_path / "x.aar", jar=jar)
    with pytest.raises(errors.OptionError, match="cannot be an asset's name"):
        build_aar([artifact("my face.tflite").path], tmp_path / "x.aar", jar=jar)
    with pytest.raises(errors.OptionError, match="no artifact is named"):
        build_aar([], tmp_path / "x.aar", jar=jar)
    with pytest.raises(errors.OptionError, match=r"ends in \.aar"):
        build_aar([one], tmp_path / "x.zip", jar=jar)


def test_missing_or_foreign_classes_are_named_with_the_next_step(tmp_path: Path, artifact: Make) -> None:
    path = artifact().path
    with pytest.raises(errors.InputError, match=r"not built; run `make android`"):
        build_aar([path], tmp_path / "x.aar", jar=tmp_path / "nothing.jar")
    other = tmp_path / "other.jar"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("org/Other.class", b"")
    with pytest.raises(errors.InputError, match="lacks io/handlens/artifact/Artifact.class"):
        build_aar([path], tmp_path / "x.aar", jar=other)
    other.write_bytes(b"PK no jar")
    with pytest.raises(errors.InputError, match="is no jar"):
        build_aar([path], tmp_path / "x.aar", jar=other)


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, jar: Path, artifact: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = artifact().path, tmp_path / "out"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.aar")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        build_aar([path], folder / "x.aar", jar=jar)
    assert list(folder.iterdir()) == []
