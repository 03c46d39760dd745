"""Temperature scaling (Guo et al., ICML 2017): one divisor of the logits, so that confidence means accuracy."""

import numpy as np

LIMITS = (0.05, 20.0)


def fit_temperature(logits: np.ndarray, positive: np.ndarray) -> float:
    """The temperature that makes held-out labels likeliest; divide the logits by it.

    Args:
        logits: (N,) of the positive class.
        positive: (N,) bool, or 0 and 1.
    """
    margins = np.where(np.asarray(positive, bool), logits, -logits).astype(np.float64)
    low, high = (float(np.log(1 / limit)) for limit in reversed(LIMITS))
    # The loss is convex in 1/T, so it has one minimum in log(1/T) as well: a golden section finds it.
    golden = (5**0.5 - 1) / 2
    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(margins, left) < _loss(margins, right):
            high = right
        else:
            low = left
    return float(np.exp(-(low + high) / 2))


def _loss(margins: np.ndarray, sharpness: float) -> float:
    return float(np.logaddexp(0, -margins * np.exp(sharpness)).mean())
