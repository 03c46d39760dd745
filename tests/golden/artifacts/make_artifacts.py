"""Makes the tiny artifacts beside this file from ../models: the float net for both engines, and the int8 one.

`python tests/golden/artifacts/make_artifacts.py`; needs LiteRT and ONNX Runtime, which give the goldens' answers.
"""

from pathlib import Path

from handlens import golden
from handlens._model import Kind
from handlens.artifact import write_artifact
from handlens.engine import open_model
from handlens.manifest import Compression, DataSource, InputSpec, Manifest, OutputSpec, Provenance, Threshold

HERE = Path(__file__).parent
FILES: dict[str, Kind] = {"tiny_float32.tflite": "tflite", "tiny_int8.tflite": "tflite", "tiny_float32.onnx": "onnx"}

if __name__ == "__main__":
    for name, kind in FILES.items():
        model = (HERE.parent / "models" / name).read_bytes()
        engine = open_model(model, kind)
        (source,) = engine.inputs
        manifest = Manifest(
            task="reid",
            name=f"tiny {name}",
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
            decoding={"kind": "embedding", "mirror": True, "strides": [8, 16.5, None]},
            labels=("häkchen", "\N{GRINNING FACE}"),
            thresholds=(Threshold(target_fmr=0.01, value=0.5, comparisons=1000, low=0.004, high=0.02),),
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
        goldens = golden.record_goldens(engine, manifest.input)
        engine.close()
        write_artifact(HERE / name, model, kind, manifest, goldens, {"cmc.json": b"[0.5, 1.0]"})
