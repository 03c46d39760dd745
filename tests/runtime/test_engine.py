"""Engines: named tensors, float in and out, refused unless they answer the goldens, and asked only once."""

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens import selfcheck
from handlens._chatter import without_news
from handlens.artifact import Artifact, write_artifact
from handlens.engine import ENGINES, default_engine, open_engine, open_model
from handlens.errors import EngineError, EngineUnavailable, EngineWrong, InputError, ManifestInvalid, OptionError
from handlens.golden import Golden
from handlens.manifest import Manifest

Parts = Callable[[str], tuple[bytes, Manifest, tuple[Golden, ...]]]
Write = Callable[..., Artifact]


def file_for(engine: str) -> str:
    return f"tiny_float32.{ENGINES[engine]}"


def reference(image: np.ndarray) -> np.ndarray:
    """The tiny net in plain NumPy, with the weights of tests/golden/models/make_models.py."""
    rng = np.random.default_rng(20)
    kernel, bias = rng.normal(0, 0.6, (3, 3, 3, 6)), rng.normal(0, 0.3, 6)
    matrix, offset = rng.normal(0, 0.4, (48, 8)), rng.normal(0, 0.3, 8)
    padded = np.pad(image[0], ((0, 1), (0, 1), (0, 0)))
    windows = [[padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] for x in range(4)] for y in range(8)]
    x = np.clip(np.einsum("yxijc,ijcf->yxf", np.array(windows), kernel) + bias, 0, 6)
    return x.reshape(4, 2, 2, 2, 6).mean(axis=(1, 3)).reshape(1, 48) @ matrix + offset


def test_every_engine_computes_the_net(engine_name: str, write: Write) -> None:
    engine = open_engine(write(file_for(engine_name)), engine_name)
    assert (engine.name, engine.version) == (engine_name, engine.version)
    assert [(info.name, info.shape) for info in engine.inputs] == [("image", (1, 16, 8, 3))]
    assert [(info.name, info.shape) for info in engine.outputs] == [("embedding", (1, 8))]
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 8, 3)).astype(np.float32)
    answer = engine.run({"image": image})["embedding"]
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, reference(image), atol=1e-4)


def test_an_int8_file_takes_and_gives_floats(engine_name: str, write: Write) -> None:
    if ENGINES[engine_name] != "tflite":
        pytest.skip("the tiny int8 model is a .tflite")
    made = write("tiny_int8.tflite")
    engine = open_engine(made, engine_name)
    image = np.random.default_rng(1).uniform(-1, 1, (1, 16, 8, 3)).astype(np.float32)
    answer = engine.run({"image": image})["embedding"]
    scale = made.manifest.outputs[0].quant_scale
    assert scale is not None
    np.testing.assert_allclose(answer, reference(image), atol=4 * scale)
    spec = made.manifest.input
    assert spec.quant_scale is not None and spec.quant_zero_point is not None
    steps = np.clip(np.rint(image / spec.quant_scale) + spec.quant_zero_point, -128, 127).astype(np.int8)
    np.testing.assert_array_equal(engine.run({"image": steps})["embedding"], answer)


def test_outputs_are_copies_and_stay(engine_name: str, write: Write) -> None:
    engine = open_engine(write(file_for(engine_name)), engine_name)
    first = engine.run({"image": np.zeros((1, 16, 8, 3), np.float32)})["embedding"]
    kept = first.copy()
    second = engine.run({"image": np.ones((1, 16, 8, 3), np.float32)})["embedding"]
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_threads_give_the_same_answers(engine_name: str, write: Write) -> None:
    made = write(file_for(engine_name))
    one, two = open_engine(made, engine_name), open_engine(made, engine_name, threads=2)
    feeds = [{"image": np.full((1, 16, 8, 3), value, np.float32)} for value in np.linspace(-1, 1, 20)]
    expected = [one.run(feed)["embedding"] for feed in feeds]
    answers: dict[int, np.ndarray] = {}

    def work(first: int) -> None:
        for index in range(first, len(feeds), 2):
            answers[index] = two.run(feeds[index])["embedding"]

    workers = [threading.Thread(target=work, args=(first,)) for first in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for index, answer in enumerate(expected):
        np.testing.assert_allclose(answers[index], answer, atol=1e-5)


@pytest.mark.parametrize(
    ("feeds", "says"),
    [
        ({}, r"was fed \[\]; the model's inputs are \['image'\]"),
        ({"x": np.zeros((1, 16, 8, 3), np.float32)}, "inputs are"),
        ({"image": np.zeros((16, 8, 3), np.float32)}, r"expected float32 .*\(1, 16, 8, 3\)"),
        ({"image": np.zeros((2, 16, 8, 3), np.float32)}, r"\(2, 16, 8, 3\)"),
        ({"image": np.zeros((1, 16, 8, 3), np.float64)}, "float64"),
    ],
)
def test_a_wrong_feed_is_refused(engine_name: str, write: Write, feeds: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_engine(write(file_for(engine_name)), engine_name).run(feeds)


def test_a_closed_engine_says_so(engine_name: str, write: Write) -> None:
    engine = open_engine(write(file_for(engine_name)), engine_name)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run({"image": np.zeros((1, 16, 8, 3), np.float32)})


def test_an_engine_that_does_not_read_the_file_is_refused(any_file: str, write: Write) -> None:
    made = write(any_file)
    wrong = "onnxruntime" if made.kind == "tflite" else "litert"
    for name in (wrong, "tensorrt"):
        with pytest.raises(OptionError, match=f"{name}.*does not read .{made.kind} models; valid: "):
            open_engine(made, name)
    with pytest.raises(OptionError, match="threads is 0"):
        open_engine(made, threads=0)


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, any_file: str, write: Write) -> None:
    made = write(any_file)
    package = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "onnxruntime": "onnxruntime"}
    name = default_engine(made.kind)
    monkeypatch.setitem(sys.modules, package[name], None)
    monkeypatch.setitem(sys.modules, f"{package[name]}.interpreter", None)
    with pytest.raises(EngineUnavailable, match="pip install"):
        open_model(made.model, made.kind, name)


def test_a_model_the_engine_cannot_read_is_refused_with_its_reason(engine_name: str, parts: Parts) -> None:
    model, _, _ = parts(file_for(engine_name))
    with pytest.raises(EngineUnavailable, match="cannot read this model: ."):
        open_model(model[:200], ENGINES[engine_name], engine_name)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "images"}, r"names the inputs \['images'\]; the model has \['image'\]"),
        ({"height": 8, "width": 16}, r"\(1, 8, 16, 3\); in the model it is float32 \(1, 16, 8, 3\)"),
        ({"dtype": "int8", "quant_scale": 0.1, "quant_zero_point": 0}, "in the model it is float32"),
    ],
)
def test_a_manifest_that_is_not_true_of_the_input_is_refused(
    engine_name: str, write: Write, parts: Parts, change: dict[str, Any], says: str
) -> None:
    _, manifest, _ = parts(file_for(engine_name))
    made = write(file_for(engine_name), input=dataclasses.replace(manifest.input, **change))
    with pytest.raises(ManifestInvalid, match=says):
        open_engine(made, engine_name)


def test_a_manifest_with_another_scale_is_refused(write: Write, parts: Parts) -> None:
    _, manifest, _ = parts("tiny_int8.tflite")
    scale = manifest.input.quant_scale
    assert scale is not None
    made = write("tiny_int8.tflite", input=dataclasses.replace(manifest.input, quant_scale=scale * 1.01))
    with pytest.raises(ManifestInvalid, match="input image has scale"):
        open_engine(made)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each replay that is really run."""
    ran: list[str] = []
    real = selfcheck.replay

    def noted(engine: Any, manifest: Manifest, goldens: Any) -> Any:
        ran.append(engine.name)
        return real(engine, manifest, goldens)

    monkeypatch.setattr(selfcheck, "replay", noted)
    return ran


def test_goldens_are_replayed_once_per_file_engine_and_machine(
    any_file: str, write: Write, replays: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write(any_file)
    for _ in range(3):
        open_engine(Artifact.open(made.path))
    assert len(replays) == 1
    open_engine(write(any_file, {"other.txt": b"another file"}))
    assert len(replays) == 2
    monkeypatch.setattr(selfcheck, "machine", lambda: {"processor": "another"})
    open_engine(made)
    assert len(replays) == 3
    open_engine(made, check=False)
    assert len(replays) == 3


def test_another_version_of_the_engine_is_asked_anew(write: Write, replays: list[str]) -> None:
    made = write()
    engine = open_engine(made)
    engine.version = "0.0.1"
    selfcheck.require(made, engine)
    selfcheck.require(made, engine)
    assert len(replays) == 2


def test_an_engine_that_answers_wrongly_is_refused_each_time(
    any_file: str, tmp_path: Path, parts: Parts, replays: list[str]
) -> None:
    model, manifest, goldens = parts(any_file)
    turned = [
        dataclasses.replace(golden, outputs={name: value[:, ::-1].copy() for name, value in golden.outputs.items()})
        for golden in goldens
    ]
    made = write_artifact(tmp_path / any_file, model, manifest.compression.format, manifest, turned)
    for _ in range(2):
        with pytest.raises(EngineWrong, match=r"4 of 4 golden outputs; worst is embedding for .* off by .* is allowed"):
            open_engine(made)
    assert len(replays) == 1
    open_engine(made, check=False).close()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"schema": 1, "rows": []}', b'{"schema": 1, "rows": [1]}', b"\xff\xfe"]
)
def test_a_damaged_verdict_is_made_anew(write: Write, replays: list[str], cache: Path, content: bytes) -> None:
    made = write()
    open_engine(made)
    (verdict,) = (cache / "verdicts").iterdir()
    verdict.write_bytes(content)
    open_engine(made)
    open_engine(made)
    assert len(replays) == 2


def test_a_cache_that_cannot_be_written_only_costs_time(write: Write, replays: list[str], cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    made = write()
    open_engine(made)
    open_engine(made)
    assert len(replays) == 2


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "own"))
    assert selfcheck.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("HANDLENS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert selfcheck.cache_folder() == tmp_path / "xdg" / "handlens"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert selfcheck.cache_folder() == tmp_path / ".cache" / "handlens"


def test_an_engines_news_stay_off_the_terminal_but_its_warnings_do_not(capfd: pytest.CaptureFixture[str]) -> None:
    with without_news():
        os.write(2, b"INFO: Created a delegate.\nWARNING: out of paper\nno newline at the end")
    assert capfd.readouterr().err == "WARNING: out of paper\nno newline at the end"


def test_running_a_model_loads_no_training_framework(any_file: str, write: Write) -> None:
    made = write(any_file)
    code = (
        "import sys, handlens; handlens.open_engine(handlens.Artifact.open(sys.argv[1])).close(); "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(made.path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not set(done.stdout.split()) & {"keras", "tensorflow", "torch", "jax", "onnx", "matplotlib", "sklearn"}
