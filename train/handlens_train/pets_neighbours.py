"""k nearest neighbours in NumPy: the breed of an embedding from those of the training images."""

import numpy as np


def nearest_breeds(gallery: np.ndarray, breeds: np.ndarray, queries: np.ndarray, count: int) -> np.ndarray:
    """(N,) int64, the breed that most of the `count` nearest gallery rows have, by cosine; the nearer one of equals.

    Args:
        gallery: (M, D).
        breeds: (M,) of the gallery.
        queries: (N, D).
        count: neighbours, at most M.
    """
    middle = gallery.mean(axis=0)
    alike = _unit(queries - middle) @ _unit(gallery - middle).T
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, : min(count, len(gallery))]
    answers = []
    for row in breeds[nearest]:
        values, first, votes = np.unique(row, return_index=True, return_counts=True)
        answers.append(values[np.lexsort((first, -votes))[0]])
    return np.array(answers, np.int64)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
