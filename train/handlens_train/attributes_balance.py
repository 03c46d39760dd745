"""What follows the training of the attributes: classes that are rare get their due, and confidences mean accuracy.

Both are chosen on the validation labels, head by head, and folded into the last layers: no cost on the device.
"""

from typing import Any

import numpy as np

from handlens import metrics
from handlens_data.datasets.attributes import HEADS

# Strengths of the logit adjustment (Menon et al., ICLR 2021) that are tried: 0 is none, 1 balances the classes fully.
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def scores(logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> dict[str, float]:
    """Accuracy of each head over the labels that are there, and "mean_accuracy", the mean of the heads.

    A head without any label is left out of the mean; with no label at all the mean is 0.

    Args:
        logits: head to (N, K).
        labels: head to (N,) integers, below 0 where missing.
    """
    found = {}
    for head, truth in labels.items():
        there = truth >= 0
        if there.any():
            found[head] = metrics.accuracy(logits[head][there].argmax(axis=1), truth[there])
    mean = float(np.mean(list(found.values()))) if found else 0.0
    return {"mean_accuracy": mean, **{f"val_{head}": value for head, value in found.items()}}


def balance(
    logits: dict[str, np.ndarray], labels: dict[str, np.ndarray], training: dict[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """The shift and the temperature of each head, as `attributes_nets.adjust` takes them.

    The shift is a share of the logarithm of how often each class occurs in training; the share is the one with the
    best sum of accuracy and macro F1 on the validation labels. The temperature follows (Guo et al., ICML 2017).

    Args:
        logits: head to (N, K), of the validation images.
        labels: head to (N,) integers of theirs, below 0 where missing.
        training: head to (M,) integers: what the frequencies are counted on.
    """
    noted = {}
    for head, classes in HEADS.items():
        there = labels[head] >= 0
        truth, raw = labels[head][there], logits[head][there].astype(np.float64)
        counts = np.bincount(training[head][training[head] >= 0], minlength=len(classes)).astype(np.float64)
        prior = np.log((counts + 1) / (counts + 1).sum())
        strength = max(STRENGTHS, key=lambda tau: _worth(raw - tau * prior, truth)) if len(truth) else 0.0
        shifted = raw - strength * prior
        temperature = _temperature(shifted, truth) if len(truth) else 1.0
        noted[head] = {"strength": strength, "shift": (strength * prior).tolist(), "temperature": temperature}
    return noted


def _worth(logits: np.ndarray, truth: np.ndarray) -> float:
    answer = logits.argmax(axis=1)
    return metrics.accuracy(answer, truth) + float(metrics.f1(answer, truth, np.unique(truth)).mean())


def _temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The divisor of the logits that makes the labels likeliest, among 200 between 1/8 and 8."""
    tried = np.geomspace(1 / 8, 8, 200)
    rows = np.arange(len(truth))
    return float(min(tried, key=lambda t: float((_log_sum(logits / t) - logits[rows, truth] / t).mean())))


def _log_sum(logits: np.ndarray) -> np.ndarray:
    most = logits.max(axis=1)
    return np.asarray(most + np.log(np.exp(logits - most[:, None]).sum(axis=1)))
