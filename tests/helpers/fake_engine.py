"""An engine that answers what it is told to."""

from collections.abc import Callable, Mapping

import numpy as np


class FakeEngine:
    """Answers a fixed dictionary of outputs, or what a function makes of the feeds."""

    name, version, inputs, outputs = "fake", "1", (), ()

    def __init__(self, answer: Mapping[str, np.ndarray] | Callable[[Mapping[str, np.ndarray]], Mapping]) -> None:
        self.answer = answer
        self.closed = False

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        answer = self.answer(feeds) if callable(self.answer) else self.answer
        return {name: np.array(value, np.float32) for name, value in answer.items()}

    def close(self) -> None:
        self.closed = True
