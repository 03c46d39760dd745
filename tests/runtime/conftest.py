"""Tiny models and artifacts for the runtime's tests; nothing here needs Keras or TensorFlow."""

import dataclasses
import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from handlens import _zip, artifact, golden
from handlens.artifact import Artifact, Kind, write_artifact
from handlens.engine import ENGINES, Engine, default_engine, open_model
from handlens.manifest import Compression, DataSource, InputSpec, Manifest, OutputSpec, Provenance

MODELS = Path(__file__).parents[1] / "golden" / "models"
FILES = ("tiny_float32.tflite", "tiny_int8.tflite", "tiny_float32.onnx")
PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "onnxruntime": "onnxruntime"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HANDLENS_CACHE", str(folder))
    return folder


def kind_of(name: str) -> Kind:
    return "onnx" if name.endswith(".onnx") else "tflite"


def describe(engine: Engine, kind: Kind) -> Manifest:
    """A manifest that is true of a tiny model opened on an engine."""
    (source,) = engine.inputs
    return Manifest(
        task="reid",
        name="tiny",
        version="1",
        input=InputSpec(
            name=source.name,
            height=16,
            width=8,
            channels=3,
            dtype=source.dtype,
            scale=(1 / 127.5,) * 3,
            offset=(-1.0,) * 3,
            quant_scale=source.quant_scale,
            quant_zero_point=source.quant_zero_point,
        ),
        outputs=tuple(
            OutputSpec(
                name=info.name,
                meaning="embedding, not normalised",
                shape=info.shape,
                dtype=info.dtype,
                quant_scale=info.quant_scale,
                quant_zero_point=info.quant_zero_point,
                tolerance=golden.default_tolerance(info.dtype, info.quant_scale),
            )
            for info in engine.outputs
        ),
        compression=Compression(
            recipe="float32", format=kind, weights="float32", activations="float32", parameters=560, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="random numbers", licence="CC0-1.0", split="all", sha256=""),),
            weights_licence="CC0-1.0",
            seed=20,
            run="tiny",
            versions={"numpy": "2"},
            trained_seconds=0.0,
        ),
    )


@pytest.fixture(scope="session")
def parts() -> Callable[[str], tuple[bytes, Manifest, tuple[golden.Golden, ...]]]:
    """By file name: a tiny model's bytes, a manifest of it and goldens recorded on its default engine."""
    made: dict[str, tuple[bytes, Manifest, tuple[golden.Golden, ...]]] = {}

    def get(name: str) -> tuple[bytes, Manifest, tuple[golden.Golden, ...]]:
        if name not in made:
            kind = kind_of(name)
            if importlib.util.find_spec(PACKAGES[default_engine(kind)]) is None:
                pytest.skip(f"no engine for .{kind} is installed")
            model = (MODELS / name).read_bytes()
            engine = open_model(model, kind)
            manifest = describe(engine, kind)
            made[name] = model, manifest, golden.record_goldens(engine, manifest.input)
            engine.close()
        return made[name]

    return get


@pytest.fixture(params=FILES)
def any_file(request: pytest.FixtureRequest) -> str:
    """The name of each tiny model in turn."""
    name: str = request.param
    return name


@pytest.fixture
def write(
    tmp_path: Path, parts: Callable[[str], tuple[bytes, Manifest, tuple[golden.Golden, ...]]]
) -> Callable[..., Artifact]:
    """Writes a tiny model as an artifact into the test's folder; fields of its manifest can be replaced."""

    def make(
        name: str = "tiny_float32.tflite", extras: Mapping[str, bytes] | None = None, **changes: object
    ) -> Artifact:
        model, manifest, goldens = parts(name)
        manifest = dataclasses.replace(manifest, **changes)
        return write_artifact(tmp_path / name, model, kind_of(name), manifest, goldens, extras)

    return make


@pytest.fixture
def forge() -> Callable[..., bytes]:
    """Builds a file with any ZIP content and a right hash: what somebody who can compute SHA-256 could write."""

    def make(
        head: bytes, content: Mapping[str, bytes], change: Callable[[bytes], bytes] = lambda packed: packed
    ) -> bytes:
        length = len(artifact._MARK) + 64
        body = head + change(_zip.pack(content, len(head), length))
        return body + artifact._MARK + hashlib.sha256(body).hexdigest().encode("ascii")

    return make


@pytest.fixture(params=list(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    """The name of each engine that is installed (and can run) here."""
    import numpy as np

    name: str = request.param
    if importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{name} is not installed here")
    if name == "tflite-runtime" and np.__version__.split(".")[0] != "1":
        pytest.skip("tflite-runtime needs numpy < 2")
    return name
