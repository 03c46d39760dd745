"""Makes ../artifacts: the tiny models of this folder as whole artifacts, each with a manifest and goldens.

Run `python tests/golden/models/make_artifacts.py` after `make_models.py` (needs the extra `export`). Every language opens
these files and replays their goldens on its own engines; recorded answers are those of LiteRT and ONNX Runtime in Python.
"""

import importlib.util
import sys
from pathlib import Path

from handlens.artifact import write_artifact
from handlens.engine import open_model
from handlens.golden import default_tolerance, record_goldens
from handlens.manifest import Compression, DataSource, InputSpec, Manifest, OutputSpec, Provenance

HERE = Path(__file__).parent
ARTIFACTS = HERE.parent / "artifacts"
REPOSITORY = HERE.parents[2]


def write(name: str) -> None:
    """Writes a tiny model as an artifact of the same name."""
    model, kind, precision = (HERE / name).read_bytes(), Path(name).suffix[1:], Path(name).stem.removeprefix("tiny_")
    engine = open_model(model, kind)
    (source,), (answer,) = engine.inputs, engine.outputs
    manifest = Manifest(
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
        outputs=(
            OutputSpec(
                name=answer.name,
                meaning="embedding, not normalised",
                shape=answer.shape,
                dtype=answer.dtype,
                quant_scale=answer.quant_scale,
                quant_zero_point=answer.quant_zero_point,
                tolerance=default_tolerance(answer.dtype, answer.quant_scale),
            ),
        ),
        compression=Compression(
            recipe=precision, format=kind, weights=precision, activations=precision, parameters=560, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="random numbers", licence="CC0-1.0", split="all", sha256=""),),
            weights_licence="CC0-1.0",
            seed=20,
            run="tiny",
            trained_seconds=0.0,
        ),
    )
    write_artifact(ARTIFACTS / name, model, kind, manifest, record_goldens(engine, manifest.input, count=12))


if __name__ == "__main__":
    ARTIFACTS.mkdir(exist_ok=True)
    for file in ("tiny_float32.tflite", "tiny_int8.tflite", "tiny_float32.onnx"):
        write(file)
    spec = importlib.util.spec_from_file_location("onnx_twin", REPOSITORY / "benchmarks" / "onnx_twin.py")
    assert spec is not None and spec.loader is not None
    onnx_twin = importlib.util.module_from_spec(spec)
    sys.modules["onnx_twin"] = onnx_twin
    spec.loader.exec_module(onnx_twin)
    onnx_twin.write_twin(ARTIFACTS / "tiny_int8.tflite", ARTIFACTS / "tiny_int8.onnx")
