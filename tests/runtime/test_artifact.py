"""The artifact: one file that other tools read too, and that is refused when a single byte of it differs."""

import dataclasses
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlens import _onnx
from handlens.artifact import Artifact, update_manifest, write_artifact
from handlens.errors import (
    ArtifactError,
    ArtifactTampered,
    ArtifactTooLarge,
    ArtifactTruncated,
    GoldenInvalid,
    InputError,
    ManifestInvalid,
    NotAnArtifact,
    OptionError,
    SchemaTooNew,
)
from handlens.golden import Golden
from handlens.manifest import Manifest, Metric

Parts = Callable[[str], tuple[bytes, Manifest, tuple[Golden, ...]]]
Write = Callable[..., Artifact]
Forge = Callable[..., bytes]

shared = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(
    extras=st.dictionaries(
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), st.binary(max_size=300), max_size=4
    ),
    labels=st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc"))), max_size=3),
    decoding=st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.booleans(), max_size=3),
)
def test_round_trip(
    any_file: str, write: Write, parts: Parts, extras: dict[str, bytes], labels: list[str], decoding: dict[str, object]
) -> None:
    written = write(any_file, extras, labels=tuple(labels), decoding=decoding)
    read = Artifact.open(written.path)
    model, manifest, goldens = parts(any_file)
    assert read == written
    assert (read.model, read.goldens, read.extras) == (model, goldens, extras)
    expected = dataclasses.replace(manifest, labels=labels, decoding=decoding, model_id=read.manifest.model_id)
    assert read.manifest == expected
    assert read.size == written.path.stat().st_size
    assert read.model_size == len(model)


def test_equal_arguments_give_equal_bytes(any_file: str, write: Write) -> None:
    first = write(any_file, {"b": b"1", "a": b"2"}).path.read_bytes()
    assert write(any_file, {"a": b"2", "b": b"1"}).path.read_bytes() == first


def test_zip_tools_list_and_unpack_it(any_file: str, write: Write) -> None:
    made = write(any_file, {"cmc.json": b"[0.5, 1.0]"})
    with zipfile.ZipFile(made.path) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["manifest.json", "goldens.json", "goldens.bin", "extras/cmc.json"]
        assert Manifest.from_json(packed.read("manifest.json").decode()) == made.manifest
        assert packed.comment == b"handlens sha256=" + made.sha256.encode()


def test_a_plain_litert_interpreter_opens_the_whole_file(write: Write) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    for name in ("tiny_float32.tflite", "tiny_int8.tflite"):
        runner = interpreter.Interpreter(str(write(name).path)).get_signature_runner("serving_default")
        assert list(runner.get_output_details()) == ["embedding"]


def test_the_onnx_checker_and_onnx_runtime_accept_the_whole_file(write: Write) -> None:
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    made = write("tiny_float32.onnx")
    onnx.checker.check_model(str(made.path), full_check=True)
    session = ort.InferenceSession(str(made.path), providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == ["embedding"]


def test_every_changed_byte_is_refused(any_file: str, write: Write) -> None:
    made = write(any_file, {"cmc.json": b"[0.5, 1.0]"})
    whole = made.path.read_bytes()
    start = made.model_size
    # All of what rides along (headers, directory, end record, comment), and a sample of the model.
    places = [*range(0, start, 41), 4, 5, 6, 7, *range(start, len(whole))]
    for place in places:
        for change in (1, 0x80):
            data = bytearray(whole)
            data[place] ^= change
            made.path.write_bytes(data)
            with pytest.raises(ArtifactTampered):
                Artifact.open(made.path)


@shared
@given(data=st.data())
def test_any_edit_is_refused(write: Write, data: st.DataObject) -> None:
    made = write("tiny_int8.tflite")
    whole = made.path.read_bytes()
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, min(first + 40, len(whole))))
    edited = whole[:first] + data.draw(st.binary(max_size=40)) + whole[last:]
    made.path.write_bytes(edited)
    if edited != whole:
        with pytest.raises(ArtifactError):
            Artifact.open(made.path)


def test_a_file_cut_short_is_called_that(any_file: str, write: Write) -> None:
    made = write(any_file)
    whole, start = made.path.read_bytes(), made.model_size
    cuts = [0, start // 4, start // 2, start + 60, (start + len(whole)) // 2, len(whole) - 81, len(whole) - 1]
    for cut in cuts:
        made.path.write_bytes(whole[:cut])
        with pytest.raises(ArtifactTruncated, match=f"{cut} bytes"):
            Artifact.open(made.path)


def test_no_cut_of_a_file_is_accepted(any_file: str, write: Write) -> None:
    made = write(any_file)
    whole = made.path.read_bytes()
    for cut in range(0, len(whole), 29):
        made.path.write_bytes(whole[:cut])
        with pytest.raises(ArtifactError):
            Artifact.open(made.path)


def test_bytes_behind_the_end_are_refused(any_file: str, write: Write) -> None:
    made = write(any_file)
    made.path.write_bytes(made.path.read_bytes() + b"\n")
    with pytest.raises(ArtifactTampered, match="1 bytes behind its end"):
        Artifact.open(made.path)


def test_a_newer_schema_is_refused_by_that_name(write: Write, forge: Forge) -> None:
    made = write()
    content = unpacked(made)
    document = json.loads(content["manifest.json"]) | {"schema": 2, "signature": "ed25519"}
    content["manifest.json"] = json.dumps(document).encode()
    made.path.write_bytes(forge(made.model, content))
    with pytest.raises(SchemaTooNew, match="schema 2"):
        Artifact.open(made.path)


def test_a_manifest_of_another_model_is_refused(write: Write, forge: Forge) -> None:
    made = write("tiny_float32.tflite")
    stranger = write("tiny_int8.tflite")
    stranger.path.write_bytes(forge(stranger.model, unpacked(made)))
    with pytest.raises(ManifestInvalid, match="is for model"):
        Artifact.open(stranger.path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"readme.txt": b"x"}, "readme.txt"),
        ({"extras/../../etc/passwd": b"x"}, "do not belong"),
        ({"extras/": b""}, "do not belong"),
        ({"models/x": b""}, "unknown there"),
        ({"extras/big": bytes(2**20 + 1)}, "unpacks to 1048577 bytes; at most 1048576"),
        ({f"extras/{number}": b"" for number in range(17)}, "do not belong"),
        ({f"extras/{number}": b"" for number in range(40)}, "directory of 43 entries"),
        ({"goldens.json": b"[" * 5000}, "goldens"),
        ({"manifest.json": b"\xff"}, "utf-8"),
    ],
)
def test_parts_that_do_not_belong_are_refused(write: Write, forge: Forge, change: dict[str, bytes], says: str) -> None:
    made = write()
    made.path.write_bytes(forge(made.model, unpacked(made) | change))
    with pytest.raises((ArtifactTampered, GoldenInvalid), match=says):
        Artifact.open(made.path)


def test_a_bomb_with_a_lying_size_is_stopped(write: Write, forge: Forge) -> None:
    made = write()
    true, lie = (2**20).to_bytes(4, "little"), (100).to_bytes(4, "little")
    bomb = forge(made.model, unpacked(made) | {"extras/bomb": bytes(2**20)}, lambda packed: packed.replace(true, lie))
    made.path.write_bytes(bomb)
    with pytest.raises(ArtifactTampered, match="extras/bomb does not unpack to the 100 bytes"):
        Artifact.open(made.path)


def test_a_name_given_twice_is_refused(write: Write, forge: Forge) -> None:
    made = write()
    content = unpacked(made) | {"extras/aa": b"1", "extras/bb": b"2"}
    made.path.write_bytes(forge(made.model, content, lambda packed: packed.replace(b"extras/bb", b"extras/aa")))
    with pytest.raises(ArtifactTampered, match="duplicate"):
        Artifact.open(made.path)


@pytest.mark.parametrize("name", ["shuffled", "missing"])
def test_the_three_parts_must_be_there_in_order(write: Write, forge: Forge, name: str) -> None:
    made = write()
    content = unpacked(made)
    if name == "shuffled":
        content = dict(reversed(content.items()))
    else:
        del content["goldens.bin"]
    made.path.write_bytes(forge(made.model, content))
    with pytest.raises(ArtifactTampered, match="expected a manifest and goldens"):
        Artifact.open(made.path)


def test_a_zip_from_another_tool_is_refused(write: Write) -> None:
    made = write()
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as packed:
        packed.writestr("manifest.json", "{}")
    made.path.write_bytes(made.model + other.getvalue())
    with pytest.raises(ArtifactError):
        Artifact.open(made.path)


def test_a_file_larger_than_allowed_is_not_read(write: Write) -> None:
    made = write()
    assert Artifact.open(made.path, max_bytes=made.size) == made
    with pytest.raises(ArtifactTooLarge, match=f"{made.size} bytes; at most {made.size - 1}"):
        Artifact.open(made.path, max_bytes=made.size - 1)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n" + bytes(50), bytes(4000), b"\x08\x01" * 40])
def test_another_kind_of_file_is_no_artifact(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(NotAnArtifact):
        Artifact.open(path)


def test_what_is_no_file_is_no_artifact(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "pipe"):
        with pytest.raises(NotAnArtifact):
            Artifact.open(path)


def test_a_plain_model_needs_a_manifest_brought_along(
    any_file: str, tmp_path: Path, parts: Parts, write: Write
) -> None:
    model, manifest, _ = parts(any_file)
    path = tmp_path / "plain"
    path.write_bytes(model)
    with pytest.raises(NotAnArtifact, match="plain .* model without a handlens manifest"):
        Artifact.open(path)
    opened = Artifact.open(path, manifest=manifest)
    assert (opened.model, opened.goldens) == (model, ())
    with pytest.raises(InputError, match="manifest of its own"):
        Artifact.open(write(any_file).path, manifest=manifest)


def test_metrics_are_added_without_touching_the_rest(any_file: str, write: Write) -> None:
    made = write(any_file, {"cmc.json": b"[]"})
    metric = Metric(dataset="market1501", split="val", name="rank1", n=45, value=0.8, low=0.7, high=0.9)
    updated = update_manifest(made.path, dataclasses.replace(made.manifest, metrics=(metric,)))
    assert updated.manifest.metrics == (metric,)
    assert (updated.model, updated.goldens, updated.extras) == (made.model, made.goldens, made.extras)
    assert updated.sha256 != made.sha256
    assert Artifact.open(made.path) == updated


def test_a_refused_write_leaves_the_old_file(write: Write, parts: Parts) -> None:
    made = write()
    before = made.path.read_bytes()
    model, manifest, goldens = parts("tiny_float32.tflite")
    with pytest.raises(NotAnArtifact, match="no complete .tflite"):
        write_artifact(made.path, model[: len(model) // 2], "tflite", manifest, goldens)
    with pytest.raises(ManifestInvalid):
        wrong = dataclasses.replace(manifest.compression, format="onnx")
        write_artifact(made.path, model, "tflite", dataclasses.replace(manifest, compression=wrong), goldens)
    with pytest.raises(OptionError, match="valid: tflite, onnx"):
        write_artifact(made.path, model, "keras", manifest, goldens)
    with pytest.raises(OptionError, match="lower-case"):
        write_artifact(made.path, model, "tflite", manifest, goldens, {"../x": b""})
    assert made.path.read_bytes() == before
    assert [path.name for path in made.path.parent.iterdir() if path.is_file()] == [made.path.name]


def test_goldens_that_do_not_fit_or_hardly_vary_are_not_written(tmp_path: Path, parts: Parts) -> None:
    model, manifest, goldens = parts("tiny_float32.tflite")
    path = tmp_path / "x.tflite"
    with pytest.raises(GoldenInvalid, match="expected 2 to"):
        write_artifact(path, model, "tflite", manifest, goldens[:1])
    with pytest.raises(GoldenInvalid, match="embedding hardly varies"):
        write_artifact(path, model, "tflite", manifest, [goldens[0], goldens[0]])
    wide = dataclasses.replace(manifest.outputs[0].tolerance, absolute=100.0)
    lax = dataclasses.replace(manifest, outputs=(dataclasses.replace(manifest.outputs[0], tolerance=wide),))
    with pytest.raises(GoldenInvalid, match="tolerance"):
        write_artifact(path, model, "tflite", lax, goldens)
    renamed = [dataclasses.replace(golden, outputs={"other": golden.outputs["embedding"]}) for golden in goldens]
    with pytest.raises(GoldenInvalid, match="'other'"):
        write_artifact(path, model, "tflite", manifest, renamed)
    assert not path.exists()


def test_an_onnx_model_with_weights_in_another_file_is_refused(tmp_path: Path, parts: Parts) -> None:
    onnx = pytest.importorskip("onnx")
    model, manifest, goldens = parts("tiny_float32.onnx")
    proto = onnx.load_from_string(model)
    entry = proto.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    proto.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with pytest.raises(NotAnArtifact, match="another file"):
        write_artifact(tmp_path / "x.onnx", proto.SerializeToString(), "onnx", manifest, goldens)


def test_the_onnx_carrier_is_a_field_that_onnx_does_not_know(write: Write) -> None:
    onnx = pytest.importorskip("onnx")
    made = write("tiny_float32.onnx")
    known = {field.number for field in onnx.ModelProto.DESCRIPTOR.fields}
    assert _onnx.CARRIER not in known
    whole = onnx.load_from_string(made.path.read_bytes())
    assert whole.graph == onnx.load_from_string(made.model).graph


def test_reading_an_artifact_loads_no_engine_and_no_framework(write: Write) -> None:
    made = write()
    code = (
        "import sys; from handlens import Artifact; Artifact.open(sys.argv[1]); "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(made.path)], capture_output=True, text=True, check=True)
    unwanted = {"keras", "tensorflow", "onnx", "onnxruntime", "ai_edge_litert", "tflite_runtime", "cv2"}
    assert not set(done.stdout.split()) & unwanted


def unpacked(made: Artifact) -> dict[str, bytes]:
    with zipfile.ZipFile(made.path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}
