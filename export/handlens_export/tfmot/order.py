"""What the two processes of a tfmot recipe tell each other: an order in a folder, and what came of it.

Plain JSON and NumPy files, so that neither side needs the other's Keras.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handlens_export.graph import Graph, Value, Weights

ORDER, RESULT, REFUSED = "order.json", "result.json", "refused.json"
ARRAYS, PARENT, IMAGES = "weights.npz", "parent.npz", "images-{}.npy"
MODEL, SIMULATED = "model.tflite", "simulated.npz"
_TENSOR = "tensor"  # the key of a tensor's number where a call's arguments are written down


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One fine-tuning of an order: batches, peak learning rate of Adam, and equal parts to look at it in between."""

    steps: int
    rate: float
    rounds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that the worker needs beside arrays.

    Attributes:
        name: of the recipe, for progress lines.
        inputs: (name, shape without the batch) of the network's inputs, by tensor number in `calls`.
        calls: the network's layer calls in order; see `written`.
        outputs: tensor numbers by output name.
        spec: of the input: height, width, channels, scale, offset, as `InputSpec` has them.
        matching: kind and weight by output.
        ranges: int8 ranges to start from, by the name of the call or input that makes the tensor.
        pinned: those of `ranges` that stay as they are.
        sparsity: fraction of prunable weights to zero, 0..1.
        clusters: values a kernel may take; 0 leaves weights alone.
        pruning, clustering, quantizing: the three fine-tunings; the first two only where asked for.
        batch, seed, max_minutes: of each of them.
    """

    name: str
    inputs: dict[str, tuple[str, tuple[int, ...]]]
    calls: list[dict[str, Any]]
    outputs: dict[str, int]
    spec: dict[str, Any]
    matching: dict[str, dict[str, Any]]
    ranges: dict[str, tuple[float, float]]
    pinned: list[str]
    sparsity: float
    clusters: int
    pruning: Stage
    clustering: Stage
    quantizing: Stage
    batch: int
    seed: int
    max_minutes: float

    def save(self, folder: Path, weights: Mapping[str, np.ndarray], images: Mapping[str, np.ndarray]) -> None:
        """Writes the order, the weights (by CALL/INDEX) and the images (uint8, by what they are for)."""
        (folder / ORDER).write_text(json.dumps(asdict(self)), encoding="utf-8")
        np.savez(folder / ARRAYS, **weights)
        for use, pictures in images.items():
            np.save(folder / IMAGES.format(use), pictures)

    @classmethod
    def load(cls, folder: Path) -> "Order":
        """Reads an order."""
        facts = json.loads((folder / ORDER).read_text(encoding="utf-8"))
        for name in ("pruning", "clustering", "quantizing"):
            facts[name] = Stage(**facts[name])
        return cls(**facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the worker made beside the model.

    Attributes:
        ranges: int8 ranges of the finished network by the name of the call or input.
        note: a sentence for the manifest.
        seconds: of each stage.
    """

    ranges: dict[str, tuple[float, float]]
    note: str
    seconds: dict[str, float] = field(default_factory=dict)


def images(folder: Path, use: str) -> np.ndarray:
    """Images of an order, read as they are needed."""
    return np.load(folder / IMAGES.format(use), mmap_mode="r")


def written(graph: Graph) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A network as the `inputs`, `calls` and `outputs` of an order, and its weights by CALL/INDEX.

    A call is {"name", "kind" (the layer's class), "config", "args", "kwargs", "output", "weights" (their count)}; a
    tensor among the arguments is {"tensor": NUMBER}. What JSON has no form for becomes its repr, which no layer takes.
    """
    numbers = {value: number for number, value in enumerate((*graph.inputs.values(), *(n.output for n in graph.nodes)))}
    calls, weights = [], {}
    for node in graph.nodes:
        calls.append(
            {
                "name": node.name,
                "kind": node.cls.__name__,
                "config": _plain(node.config, numbers),
                "args": _plain(node.args, numbers),
                "kwargs": _plain(node.kwargs, numbers),
                "output": numbers[node.output],
                "weights": len(node.weights),
            }
        )
        weights |= {f"{node.name}/{index}": array for index, array in enumerate(node.weights)}
    facts = {
        "inputs": {str(numbers[value]): (name, list(value.shape)) for name, value in graph.inputs.items()},
        "calls": calls,
        "outputs": {name: numbers[value] for name, value in graph.outputs.items()},
    }
    return facts, weights


def weights_of(call: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Weights:
    """The weights of a written call."""
    return tuple(arrays[f"{call['name']}/{index}"] for index in range(call["weights"]))


def read(argument: Any, tensors: Mapping[int, Any]) -> Any:
    """A written argument with its tensors in place."""
    if isinstance(argument, dict):
        if set(argument) == {_TENSOR}:
            return tensors[argument[_TENSOR]]
        return {key: read(value, tensors) for key, value in argument.items()}
    return [read(value, tensors) for value in argument] if isinstance(argument, list) else argument


def _plain(value: Any, numbers: Mapping[Value, int]) -> Any:
    if isinstance(value, Value):
        return {_TENSOR: numbers[value]}
    if isinstance(value, dict):
        return {str(key): _plain(item, numbers) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, numbers) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def tensor_arguments(call: Mapping[str, Any]) -> Iterator[int]:
    """The numbers of the tensors that a call reads."""

    def walk(argument: Any) -> Iterator[int]:
        if isinstance(argument, dict) and set(argument) == {_TENSOR}:
            yield argument[_TENSOR]
        elif isinstance(argument, dict):
            for item in argument.values():
                yield from walk(item)
        elif isinstance(argument, list):
            for item in argument:
                yield from walk(item)

    yield from walk([call["args"], call["kwargs"]])
