"""A recommender of three clusters over four genres and eight titles, small enough to be checked by hand."""

import dataclasses
from pathlib import Path

import numpy as np

from handlens._titles import EXTRA, TitleTable
from handlens.artifact import Artifact, write_artifact
from handlens.engine import open_model
from handlens.golden import record_goldens
from handlens.manifest import Compression, DataSource, InputSpec, Manifest, OutputSpec, Provenance, Tolerance

GENRES = ("Action", "Comedy", "Drama", "Horror")
# Clusters around friends of action, of comedy, and of nothing much; spheres, so a person can follow.
MEANS = np.array([[4.5, 3.0, 3.0, 3.5], [3.0, 4.5, 3.5, 2.0], [2.0, 2.0, 2.0, 2.0]])
SPREAD = 0.5
WEIGHTS = np.array([0.5, 0.3, 0.2])

SPEC = InputSpec(
    name="profile",
    height=1,
    width=4,
    channels=1,
    colour="GREY",
    scale=(4.5 / 255,),
    offset=(0.5,),
    geometry="vector",
)


def titles() -> TitleTable:
    """Ids 10, 20, ... 80; title 80 has no genre, and nobody likes title 70."""
    member = [[1, 0, 0, 0], [1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0] * 4]
    liked = [[9, 7, 1, 0, 2, 0, 0, 1], [1, 0, 8, 6, 0, 0, 0, 1], [0, 0, 0, 0, 0, 3, 0, 0]]
    return TitleTable(
        genres=GENRES,
        movies=np.arange(10, 90, 10),
        titles=tuple(f"Title {number} (19{number})" for number in range(10, 90, 10)),
        member=np.array(member) == 1,
        users=np.array([10, 8, 4]),
        liked=np.array(liked),
    )


def log_responsibilities(profile: np.ndarray) -> np.ndarray:
    """(3,) of a profile (4,), by the formula."""
    joint = np.log(WEIGHTS) - 0.5 * ((np.asarray(profile) - MEANS) ** 2).sum(axis=1) / SPREAD**2
    return joint - np.logaddexp.reduce(joint)


def answer(feeds: dict) -> dict:
    """What an engine answers."""
    return {"log_responsibilities": log_responsibilities(feeds["profile"].reshape(-1))[None]}


def manifest(**changes: object) -> Manifest:
    """The manifest, parts of it changed."""
    made = Manifest(
        task="recommender",
        name="tiny-recommender",
        version="1",
        input=SPEC,
        outputs=(
            OutputSpec(
                name="log_responsibilities",
                meaning="log of each cluster's probability",
                shape=(1, 3),
                tolerance=Tolerance(absolute=1e-3, relative=1e-4),
            ),
        ),
        labels=("action", "comedy", "nothing"),
        decoding={"kind": "clusters", "smoothing": 0.0, "favourites": 0.0, "prior": 20.0},
        compression=Compression(
            recipe="float32", format="onnx", weights="float32", activations="float32", parameters=15, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="drawn", licence="none", split="train", sha256=""),),
            weights_licence="none",
            seed=0,
            run="tiny",
            trained_seconds=0.0,
        ),
    )
    return dataclasses.replace(made, **changes)


def model() -> bytes:
    """The mixture as ONNX, from standard operators."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.tile(np.eye(4), (1, 3)) / SPREAD
    constants = {
        "kernel": kernel,
        "bias": -(MEANS / SPREAD).reshape(1, -1),
        "total": np.repeat(-0.5 * np.eye(3), 4, axis=0),
        "weight": np.log(WEIGHTS)[None],
    }
    stored = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    stored.append(numpy_helper.from_array(np.array([1, 4], np.int64), "flat"))
    nodes = [
        helper.make_node("Reshape", ["profile", "flat"], ["x"]),
        helper.make_node("MatMul", ["x", "kernel"], ["turned"]),
        helper.make_node("Add", ["turned", "bias"], ["steps"]),
        helper.make_node("Mul", ["steps", "steps"], ["squares"]),
        helper.make_node("MatMul", ["squares", "total"], ["sums"]),
        helper.make_node("Add", ["sums", "weight"], ["joint"]),
        helper.make_node("LogSoftmax", ["joint"], ["log_responsibilities"], axis=1),
    ]
    profile = helper.make_tensor_value_info("profile", TensorProto.FLOAT, [1, 1, 4, 1])
    output = helper.make_tensor_value_info("log_responsibilities", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "mixture", [profile], [output], initializer=stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def write(path: Path, extras: dict[str, bytes] | None = None, **changes: object) -> Artifact:
    """An artifact of it."""
    content, made = model(), manifest(**changes)
    engine = open_model(content, "onnx")
    try:
        goldens = record_goldens(engine, made.input)
    finally:
        engine.close()
    extras = {EXTRA: titles().to_json()} if extras is None else extras
    return write_artifact(path, content, "onnx", made, goldens, extras)
