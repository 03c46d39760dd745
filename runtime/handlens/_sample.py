"""Which values of a large output a golden vector keeps: enough to tell a wrong engine, few enough for a small file."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LIMIT = 512
"""An output of more values than this is sampled."""


def sample_step(shape: tuple[int, ...]) -> int:
    """Every how many values of an output of this shape, in C order, are kept; 1 where all are.

    It has no factor in common with the number of values, so that every channel, row and column gets its turn.
    """
    count = math.prod(shape)
    step = -(-count // LIMIT)
    while math.gcd(step, count) != 1:
        step += 1
    return step


def sample(values: Floats) -> Floats:
    """The values to keep: all in their shape, or (M,) of a large output."""
    step = sample_step(values.shape)
    return values if step == 1 else np.ascontiguousarray(values.reshape(-1)[::step])


def sampled_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that `sample` gives to an output of this shape."""
    step = sample_step(shape)
    return shape if step == 1 else (-(-math.prod(shape) // step),)
