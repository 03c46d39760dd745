"""Whether an exported float model answers as its Keras source does: what converters and ported weights must show."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handlens.engine import Engine
from handlens.errors import EngineWrong, GoldenInvalid
from handlens.manifest import Parity

RELATIVE = 1e-4  # of an output's standard deviation over the images; sums in another order cost about 1e-6
_ROUNDING = 1e-6  # of an output's largest value: where a constant dwarfs the spread, its rounding is no disagreement


def measure(engine: Engine, model: Any, images: np.ndarray, relative: float = RELATIVE) -> Parity:
    """Runs the same images through both.

    Args:
        engine: with the exported float model.
        model: its Keras source.
        images: (N, H, W, C) float32, scaled as the network takes them.
        relative: what is allowed, in standard deviations of each output over the images.

    Returns:
        The largest error and what was allowed, of the output that comes closest to failing.

    Raises:
        EngineWrong: an output differs by more; it is named, with its error.
        GoldenInvalid: an output is constant, so that agreement would prove nothing.
    """
    (name,) = (tensor.name for tensor in engine.inputs)
    answers = [engine.run({name: image[None]}) for image in images]
    return compare(
        {key: np.concatenate([a[key] for a in answers]) for key in answers[0]}, expected(model, images), relative
    )


def expected(model: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    """The Keras model's outputs, (N, ...) float32 by name."""
    return {name: np.asarray(value) for name, value in model.predict(images, batch_size=16, verbose=0).items()}


def compare(answers: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], relative: float) -> Parity:
    """The worst of the outputs; see `measure`."""
    worst: Parity | None = None
    for name, values in wanted.items():
        spread = float(np.std(values, axis=0).mean())
        if spread <= 1e-6 * float(np.abs(values).max()):
            raise GoldenInvalid(f"output {name} is the same for every image; is the network trained?")
        allowed = relative * spread + _ROUNDING * float(np.abs(values).max())
        error = float(np.abs(answers[name] - values).max())
        if not error <= allowed:
            raise EngineWrong(
                f"output {name} of the exported model is {error:.3g} off the Keras model's; allowed is {allowed:.3g} "
                f"(about {relative:g} of its spread {spread:.3g})"
            )
        if worst is None or error / allowed > worst.max_abs_error / worst.tolerance:
            worst = Parity(max_abs_error=error, tolerance=allowed)
    if worst is None:
        raise GoldenInvalid("the network has no outputs to compare")
    return worst
