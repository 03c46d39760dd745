"""Training curves from a run's log.csv: losses, validation scores, learning rate."""

import csv
from pathlib import Path

import numpy as np

from handlens.errors import RunError
from handlens_train.evidence.drawing import PLAIN, SERIES, figure

_NOT_SCORES = ("epoch", "seconds", "learning_rate")


def read_log(path: Path) -> dict[str, np.ndarray]:
    """Columns of a log, float64 (epochs,) each; NaN where an epoch has no value.

    Raises:
        RunError: the log is missing, empty or damaged.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {key: np.array([float(row[key] or "nan") for row in rows]) for key in (rows[0] if rows else ())}
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is no training log ({error}). Train the run again, or leave its curves out.") from error
    if not columns or "epoch" not in columns:
        raise RunError(f"{path} holds no epoch yet. Wait for the first one.")
    return columns


def draw_curves(log: Path, output: Path, title: str = "Training") -> str:
    """Loss, validation scores and learning rate against epochs; returns a caption.

    Raises:
        RunError: the log is missing, empty or damaged.
    """
    columns = read_log(log)
    epochs = columns["epoch"] + 1
    losses = [key for key in columns if key.endswith("loss")]
    scores = [key for key in columns if key not in (*losses, *_NOT_SCORES)]
    losses.sort(key=lambda key: key != "loss")
    if losses == ["loss", *losses[1:2]]:
        losses = losses[:1]  # a single part repeats the total
    with figure(output, 11, 3.4) as fig:
        left, middle, right = fig.subplots(1, 3, width_ratios=(1.2, 1.2, 0.8))
        for key, colour in zip(losses, SERIES, strict=False):
            left.plot(epochs, columns[key], color=colour, label=key.replace("_", " "), marker=_dot(epochs))
        left.set(title=f"{title}: loss", xlabel="epoch", ylim=(0, None))
        left.legend()
        for key, colour in zip(scores, SERIES, strict=False):
            known = np.isfinite(columns[key])
            middle.plot(epochs[known], columns[key][known], color=colour, label=key, marker=_dot(epochs[known]))
        middle.set(title="validation", xlabel="epoch", ylim=(0, 1))
        if scores:
            middle.legend(loc="lower right")
            _best(middle, epochs, columns[scores[0]], scores[0])
        if "learning_rate" in columns:
            right.plot(epochs, columns["learning_rate"], color=PLAIN)
        right.set(title="learning rate", xlabel="epoch", ylim=(0, None))
        right.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for axes in (left, middle, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
    minutes = f" in {columns['seconds'][-1] / 60:.1f} minutes" if "seconds" in columns else ""
    return f"{len(epochs)} epochs{minutes}."


def _best(axes: object, epochs: np.ndarray, values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).any():
        return
    best = int(np.nanargmax(values))
    axes.annotate(  # type: ignore[attr-defined]
        f"best {name} {values[best]:.3f}, epoch {epochs[best]:.0f}",
        (epochs[best], values[best]),
        xytext=(0, 8),
        textcoords="offset points",
        ha="right" if best > len(epochs) / 2 else "left",
        fontsize=8,
    )


def _dot(epochs: np.ndarray) -> str | None:
    return "o" if len(epochs) < 4 else None
