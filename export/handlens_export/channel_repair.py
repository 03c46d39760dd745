"""What a convolution reads, as a table, and the weights that make the most of fewer columns of it.

Least squares (He et al. 2017, "Channel pruning for accelerating very deep neural networks"): a convolution that has
lost some of its inputs gets new weights and a new bias, so that on training images its outputs are as near as they can
be to what its parent gave. No gradient is needed, and minutes of fine-tuning are saved.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from handlens_export.graph import Graph, Node, Value, Weights

REPAIRED = ("Conv2D", "Conv2DTranspose")
MOST_FEATURES = 4608  # a table with more columns is not solved: the cube of them is what it takes
RIDGE = 1e-3  # of the mean diagonal
POSITIONS = 64  # of an image, at most, that a table has a row for
BATCH = 32
BYTES = 400 * 2**20  # of the largest tensor, for all images together


@dataclass(frozen=True, eq=False)
class Table:
    """The second moments of what a convolution reads.

    Attributes:
        gram: (F, F) float64, the mean of x x^T over rows; the last feature is the constant 1 where `bias`.
        weights: (F, O) float64, the convolution's, its bias as the last row where `bias`.
        features: (F,) int, the channel of each feature; -1 is the constant.
    """

    gram: np.ndarray
    weights: np.ndarray
    features: np.ndarray

    @property
    def energy(self) -> float:
        """The variance of the convolution's outputs, summed over them."""
        # Without a constant among the features the mean is not known; then it is the mean square.
        mean = self.gram[-1] @ self.weights if self.features[-1] < 0 else np.zeros(self.weights.shape[1])
        return max(float(np.sum((self.gram @ self.weights) * self.weights) - np.sum(mean**2)), 1e-12)

    def refitted(self, keep: np.ndarray) -> np.ndarray:
        """(F, O) weights, zero where `keep` (F,) is not, that are nearest to all of them in what they give."""
        system = self.gram[np.ix_(keep, keep)]
        system = system + ridge(system) * np.eye(len(system))
        found = np.zeros_like(self.weights)
        # Towards the weights as they are: what no image decides stays.
        change = self.gram[np.ix_(keep, ~keep)] @ self.weights[~keep]
        found[keep] = self.weights[keep] + np.linalg.solve(system, change)
        return found


def fits(node: Node) -> bool:
    """Whether a call's inputs make a table that can be solved."""
    return node.cls.__name__ in REPAIRED and _count(node) <= MOST_FEATURES


def table(node: Node, x: np.ndarray, ids: np.ndarray, random: np.random.Generator) -> Table:
    """The table of a convolution.

    Args:
        node: the convolution.
        x: (N, H, W, C), what it reads.
        ids: (C,) the channel of each.
        random: of the positions.
    """
    rows = features(node, x, positions(node, random))
    taps = (rows.shape[1] - _has_constant(node)) // len(ids)
    names = np.tile(ids, taps)
    if _has_constant(node):
        names = np.append(names, -1)
    wide = rows.astype(np.float64)
    return Table(wide.T @ wide / len(wide), as_matrix(node, node.weights), names)


def positions(node: Node, random: np.random.Generator) -> np.ndarray:
    """Some of the positions at which a convolution multiplies, of each image the same, in one number."""
    value = node.inputs[0] if node.cls.__name__ == "Conv2DTranspose" else node.output
    return random.permutation(int(np.prod([n or 1 for n in value.shape[:-1]])))[:POSITIONS]


def features(node: Node, x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """What a convolution multiplies at the chosen positions of (N, H, W, C): (N * positions, F) float32."""
    if node.cls.__name__ == "Conv2DTranspose":
        return x.reshape(len(x), -1, x.shape[-1])[:, chosen].reshape(-1, x.shape[-1])
    x = _padded(node, x)
    (kh, kw), (sy, sx), (dy, dx) = (node.config[key] for key in ("kernel_size", "strides", "dilation_rate"))
    row, column = np.divmod(chosen, node.output.shape[1] or 1)
    taps = [x[:, row * sy + i * dy, column * sx + j * dx] for i in range(kh) for j in range(kw)]
    rows = np.concatenate(taps, axis=-1).reshape(-1, kh * kw * x.shape[-1])
    return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1)


def as_matrix(node: Node, weights: Weights) -> np.ndarray:
    """A convolution's weights as (F, O) float64; a transposed one has an output for each tap, and no bias here."""
    kernel, bias = (array.astype(np.float64) for array in weights)
    if node.cls.__name__ == "Conv2DTranspose":
        return np.moveaxis(kernel, 3, 0).reshape(kernel.shape[3], -1)
    return np.concatenate([kernel.reshape(-1, kernel.shape[-1]), bias[None]])


def from_matrix(node: Node, matrix: np.ndarray) -> Weights:
    """The way back from `as_matrix`."""
    kernel, bias = node.weights
    if node.cls.__name__ == "Conv2DTranspose":
        h, w, out, _ = kernel.shape
        return (np.moveaxis(matrix.reshape(-1, h, w, out), 0, 3).astype(np.float32), bias)
    return (matrix[:-1].reshape(kernel.shape).astype(np.float32), matrix[-1].astype(np.float32))


def repaired(graph: Graph, parent: Graph, keep: Mapping[Value, np.ndarray], images: np.ndarray, seed: int) -> Graph:
    """The network with every convolution refitted, from the first to the last, to its parent's outputs.

    Each reads what the convolutions before it, already refitted, really give, so that errors do not add up.

    Args:
        graph: the network without some channels, the calls as in `parent`.
        parent: the network with all of them; a convolution that has fewer outputs is refitted to those it has.
        keep: (C,) bool of each tensor of the parent, which of its channels are left.
        images: (N, H, W, C) float32, scaled.
        seed: of the positions.
    """
    random = np.random.default_rng(seed)
    images = few_enough(parent, images)
    whole, part = Run(parent, images), Run(graph, images)
    changed: set[Value] = set()
    weights = {}
    for old, node in zip(parent.nodes, graph.nodes, strict=True):
        new, before = node, part.values.get(node.inputs[0]) if node.inputs else None
        theirs = whole.values.get(old.inputs[0]) if old.inputs else None
        narrower = before is not None and theirs is not None and before.shape != theirs.shape
        if narrower or any(x in changed for x in node.inputs):
            changed.add(node.output)
            if fits(node) and fits(old) and before is not None and theirs is not None:
                matrix = as_matrix(old, old.weights)
                wanted = matrix[:, np.tile(keep[old.output], matrix.shape[1] // len(keep[old.output]))]
                new = replace(node, weights=_refit(node, old, before, theirs, wanted, random))
                weights[node.name] = new.weights
        whole.step(old)
        part.step(new)
    return graph.with_weights(weights)


class Run:
    """A network run call by call on some images; a tensor is kept until its last reader has read it."""

    def __init__(self, graph: Graph, images: np.ndarray) -> None:
        """Starts at the inputs, of which there is one."""
        (value,) = graph.inputs.values()
        self.values: dict[Value, np.ndarray] = {value: images}
        self.left = graph.uses()

    def step(self, node: Node) -> None:
        """Computes a call's output and forgets what nobody reads any more."""
        call, found = _callable(node), []
        for start in range(0, len(next(iter(self.values.values()))), BATCH):
            at = slice(start, start + BATCH)
            found.append(np.asarray(keras.ops.convert_to_numpy(call({x: self.values[x][at] for x in node.inputs}))))
        self.values[node.output] = np.concatenate(found)
        for x in node.inputs:
            self.left[x] -= 1
            if not self.left[x]:
                self.values.pop(x, None)

    def walk(self, graph: Graph) -> Iterator[tuple[Node, np.ndarray]]:
        """Each call with what it reads first, and then steps over it."""
        for node in graph.nodes:
            yield node, self.values[node.inputs[0]]
            self.step(node)


def ridge(gram: np.ndarray) -> float:
    """What is added to the diagonal, so that what no image decides has an answer."""
    return RIDGE * float(np.trace(gram)) / len(gram) + 1e-12


def few_enough(graph: Graph, images: np.ndarray) -> np.ndarray:
    """As many of the images as leave the largest tensor within `BYTES`."""
    return images[: room(graph)]


def room(graph: Graph) -> int:
    """How many images leave the largest tensor of a network within `BYTES`; one at least."""
    largest = max(int(np.prod([n or 1 for n in node.output.shape])) for node in graph.nodes)
    return max(1, BYTES // (4 * largest))


def _callable(node: Node) -> Callable[[dict[Value, np.ndarray]], Any]:
    layer = node.operation or node.cls.from_config({**node.config, "name": node.name})

    def call(given: dict[Value, np.ndarray]) -> Any:
        args, kwargs = keras.tree.map_structure(
            lambda x: keras.ops.convert_to_tensor(given[x]) if isinstance(x, Value) else x, (node.args, node.kwargs)
        )
        if node.weights and not layer.built:
            layer.build(args[0].shape)
            layer.set_weights(node.weights)
        return layer(*args, **kwargs)

    return call


def _refit(
    node: Node, old: Node, x: np.ndarray, theirs: np.ndarray, wanted: np.ndarray, random: np.random.Generator
) -> Weights:
    chosen = positions(old, random)
    mine, start = features(node, x, chosen).astype(np.float64), as_matrix(node, node.weights)
    missing = features(old, theirs, chosen).astype(np.float64) @ wanted - mine @ start
    gram = mine.T @ mine
    return from_matrix(node, start + np.linalg.solve(gram + ridge(gram) * np.eye(len(gram)), mine.T @ missing))


def _has_constant(node: Node) -> bool:
    return node.cls.__name__ == "Conv2D"


def _count(node: Node) -> int:
    taps = 1 if node.cls.__name__ == "Conv2DTranspose" else int(np.prod(node.config["kernel_size"]))
    return taps * (node.inputs[0].shape[-1] or 0)


def _padded(node: Node, x: np.ndarray) -> np.ndarray:
    """Zeros around the image, as "same" has them."""
    if node.config["padding"] != "same":
        return x
    amounts = []
    for size, kernel, stride, dilation in zip(
        x.shape[1:3], node.config["kernel_size"], node.config["strides"], node.config["dilation_rate"], strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        amounts.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *amounts, (0, 0)))
