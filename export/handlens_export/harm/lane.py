"""What the search for harm needs of a network, whatever its format: any of its layers in int8, the others in float."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from handlens_export.recipes import Format


@dataclass(frozen=True, slots=True)
class Unit:
    """The least that can be int8 or float by itself: an operator with what is fused into it.

    Attributes:
        name: unique in its network; of a layer or an operator.
        kind: of operator, such as "Conv2D".
        parameters: count of its weights and biases.
    """

    name: str
    kind: str
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Histogram:
    """Of the values that a unit gives in float.

    Attributes:
        low: lowest value seen, the left end of the first bin.
        high: highest value seen, the right end of the last.
        counts: of each bin, all of one width.
    """

    low: float
    high: float
    counts: tuple[int, ...]


class Lane(Protocol):
    """A network that can be written, and run, with any of its units in int8 and the others in float.

    `images` are (N, H, W, C) float32, scaled as the network takes them.
    """

    @property
    def kind(self) -> Format:
        """The format of the files."""
        ...

    @property
    def units(self) -> tuple[Unit, ...]:
        """In order of execution."""
        ...

    @property
    def left(self) -> Collection[str]:
        """The units that the quantizer has no int8 form for: they are in float in every file."""
        ...

    @property
    def ends(self) -> Collection[str]:
        """The units that the `int8` recipe leaves in float on purpose, such as the probabilities an .onnx ends in."""
        ...

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The calibrated range, (low, high), of each unit's output, by name; a unit without one is left out."""
        ...

    def model(self, floats: Collection[str]) -> bytes:
        """A whole file: the named units (and `left`) in float, all others in int8; checked in the file itself.

        Raises:
            EngineWrong: it has other units in float than asked for.
        """
        ...

    def answers(self, quantized: Collection[str], images: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs, (N, ...) float32 by name, with the named units alone in int8: weights and what they give.

        A file's lane may run `model` of all the others on its engine; one that can simulate it saves the files.
        """
        ...

    def histograms(self, images: np.ndarray) -> Mapping[str, Histogram]:
        """What each unit gives in float, by name; empty where that cannot be seen."""
        ...
