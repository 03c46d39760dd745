"""Makes the ONNX twin of a `.tflite` artifact: the same network, weights, scales and manifest, for ONNX Runtime.

    python benchmarks/onnx_twin.py zoo/handlens_zoo/artifacts/reid-small.tflite reid-small.onnx

The int8 graph becomes QDQ (tf2onnx reads the FlatBuffer). The two engines round inside a layer in their own ways, so
the twin's answers are near the original's, not equal: it gets goldens of its own, and no figures. It keeps the
thresholds, which were measured for the original. It is for comparing languages on one engine (`kotlin_parity.py`), not
for shipping: `handlens export --format onnx` does that. `tests/golden/artifacts/tiny_int8.onnx` is one. Needs the extra
`export`.
"""

import contextlib
import dataclasses
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from handlens.artifact import Artifact, write_artifact
from handlens.engine import open_model
from handlens.golden import default_tolerance, record_goldens

OPSET = 17


def twin_of(model: bytes) -> bytes:
    """Converts a `.tflite` with a signature; inputs and outputs keep the signature's names.

    Returns:
        The bytes of a `.onnx`.
    """
    import onnx

    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        import tf2onnx

        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.tflite")
            path.write_bytes(_distinct(model))
            proto, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    for node in proto.graph.node:
        _plain_nearest(node)
    proto.producer_name, proto.producer_version = "handlens", ""
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())


def write_twin(source: Path, target: Path) -> Artifact:
    """Writes the twin of the artifact at `source`, with goldens recorded on ONNX Runtime."""
    artifact = Artifact.open(source)
    manifest, model = artifact.manifest, twin_of(artifact.model)
    outputs = tuple(
        dataclasses.replace(spec, tolerance=default_tolerance(spec.dtype, spec.quant_scale))
        for spec in manifest.outputs
    )
    compression = dataclasses.replace(manifest.compression, format="onnx", notes="the ONNX twin of a .tflite")
    twin = dataclasses.replace(manifest, outputs=outputs, compression=compression, metrics=(), parity=None)
    engine = open_model(model, "onnx")
    # An engine reports no scales of ONNX's integer tensors: they are the manifest's.
    engine.inputs = tuple(
        dataclasses.replace(
            info, quant_scale=manifest.input.quant_scale, quant_zero_point=manifest.input.quant_zero_point
        )
        for info in engine.inputs
    )
    scales = {spec.name: (spec.quant_scale, spec.quant_zero_point) for spec in manifest.outputs}
    engine.outputs = tuple(
        dataclasses.replace(info, quant_scale=scales[info.name][0], quant_zero_point=scales[info.name][1])
        for info in engine.outputs
    )
    goldens = record_goldens(engine, manifest.input)
    engine.close()
    return write_artifact(target, model, "onnx", twin, goldens, artifact.extras)


def _distinct(model: bytes) -> bytes:
    """The model with a name of its own for each tensor: tf2onnx takes equal names for one tensor."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    signature = tree.signatureDefs[0]
    named = {entry.tensorIndex: entry.name for entry in [*signature.inputs, *signature.outputs]}
    for index, tensor in enumerate(tree.subgraphs[0].tensors):
        tensor.name = named.get(index, f"tensor{index}".encode())
    builder = flatbuffers.Builder(len(model) + 65536)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _plain_nearest(node: Any) -> None:
    """Replaces a deprecated way to count pixels in nearest upsampling; by whole factors, this one gives the same."""
    modes = {attribute.name: attribute for attribute in node.attribute}
    counted = modes.get("coordinate_transformation_mode")
    if node.op_type == "Resize" and counted is not None and counted.s == b"tf_half_pixel_for_nn":
        counted.s, modes["nearest_mode"].s = b"asymmetric", b"floor"


if __name__ == "__main__":
    made = write_twin(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{made.path}: {made.manifest.name}, {made.size} bytes")
