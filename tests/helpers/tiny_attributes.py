"""A tiny attribute model whose answers can be foretold: two heads that read the mean colour of the crop."""

from pathlib import Path

import numpy as np

from handlens import Artifact, Manifest, open_model, write_artifact
from handlens.golden import record_goldens
from handlens.manifest import Compression, DataSource, InputSpec, OutputSpec, Provenance, Tolerance

# Head to its labels; the logits of "torso_colour" are 8 times the mean red, green, blue; of "gender" 4 times blue, red.
HEADS = {"torso_colour": ("red", "green", "blue"), "gender": ("male", "female")}
_WEIGHTS = {
    "torso_colour": 8 * np.eye(3, dtype=np.float32),
    "gender": np.array([[0, 4], [0, 0], [4, 0]], np.float32),
}


def onnx_model(height: int = 16, width: int = 8, weights: dict[str, np.ndarray] | None = None) -> bytes:
    """The model's bytes: "image" (1, height, width, 3) to a logit a label of each head."""
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, height, width, 3])
    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0)]
    outputs, constants = [], []
    for head, matrix in (weights or _WEIGHTS).items():
        constants.append(numpy_helper.from_array(matrix, f"{head}_weights"))
        nodes.append(helper.make_node("MatMul", ["mean", f"{head}_weights"], [head]))
        outputs.append(helper.make_tensor_value_info(head, TensorProto.FLOAT, [1, matrix.shape[1]]))
    graph = helper.make_graph(nodes, "attributes", [image], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def describe(labels: dict[str, tuple[str, ...]] | None = None, height: int = 16, width: int = 8) -> Manifest:
    """A manifest that is true of it."""
    labels = labels or HEADS
    return Manifest(
        task="attributes",
        name="tiny-attributes",
        version="1",
        input=InputSpec(name="image", height=height, width=width, channels=3, scale=(1 / 128,) * 3, offset=(-1.0,) * 3),
        outputs=tuple(
            OutputSpec(
                name=head, meaning="logits", shape=(1, len(names)), tolerance=Tolerance(absolute=1e-4, relative=1e-3)
            )
            for head, names in labels.items()
        ),
        decoding={"kind": "heads", "labels": {head: list(names) for head, names in labels.items()}},
        compression=Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=15, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="made up", licence="CC0-1.0", split="all", sha256=""),),
            weights_licence="CC0-1.0",
            seed=0,
            run="tiny",
            versions={"numpy": "2"},
            trained_seconds=0.0,
        ),
    )


def write(path: Path, model: bytes | None = None, manifest: Manifest | None = None) -> Artifact:
    """Writes it as an artifact."""
    content, said = model or onnx_model(), manifest or describe()
    engine = open_model(content, "onnx")
    goldens = record_goldens(engine, said.input)
    engine.close()
    return write_artifact(path, content, "onnx", said, goldens)
