"""What the tensors inside a float `.tflite` hold, read from LiteRT image by image."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from handlens_export import quiet
from handlens_export.harm.lane import Histogram

BINS = 48


def ranges(model: bytes, images: np.ndarray) -> dict[str, tuple[float, float]]:
    """The lowest and highest value of every float tensor that an operator makes, zero included, by name.

    Args:
        model: a float `.tflite`, as `plain.plain` gives it.
        images: (N, ...) float32, as its input takes them.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, values in _tensors(model, images):
        low, high = found.get(name, (0.0, 0.0))
        found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def histograms(model: bytes, images: np.ndarray, wanted: Collection[str]) -> Mapping[str, Histogram]:
    """Of the values of the named tensors."""
    ends: dict[str, tuple[float, float]] = {}
    for name, values in _tensors(model, images):
        if name in wanted:
            low, high = ends.get(name, (np.inf, -np.inf))
            ends[name] = (min(low, float(values.min())), max(high, float(values.max())))
    ends = {name: (low, max(high, low + 1e-6)) for name, (low, high) in ends.items()}
    counts = {name: np.zeros(BINS, np.int64) for name in ends}
    for name, values in _tensors(model, images):
        if name in ends:
            counts[name] += np.histogram(values, BINS, ends[name])[0]
    return {name: Histogram(low, high, tuple(counts[name].tolist())) for name, (low, high) in ends.items()}


def _tensors(model: bytes, images: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet.stderr_silenced():
        interpreter: Any = Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,  # plain kernels, because a delegate keeps none
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    graph = schema.Model.GetRootAs(model).Subgraphs(0)
    made = [int(at) for op in range(graph.OperatorsLength()) for at in graph.Operators(op).OutputsAsNumpy()]
    names = [(at, graph.Tensors(at).Name().decode("utf-8", "replace")) for at in made]
    feed = interpreter.get_input_details()[0]["index"]
    for image in images:
        interpreter.set_tensor(feed, image[None])
        interpreter.invoke()
        for at, name in names:
            values = interpreter.get_tensor(at)
            if values.dtype == np.float32 and values.size:
                yield name, values
