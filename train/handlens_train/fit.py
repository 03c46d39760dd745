"""The one training loop, on any Keras 3 backend: EMA, checkpoint and resume, early stop, time limit, logs.

An epoch is one call of `model.fit`; between epochs the loop evaluates the averaged weights, keeps the best and writes
a checkpoint (weights, optimizer, average) in one file, so a killed run loses at most one epoch.
"""

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens.files import write_bytes
from handlens_train import devices
from handlens_train.ema import Average, sync
from handlens_train.run import WEIGHTS, read_info, write_info

CHECKPOINT = "checkpoint.npz"
LOG = "log.csv"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how often. `patience` counts evaluations without a better score; None never stops early."""

    epochs: int
    evaluate_every: int = 1
    patience: int | None = None
    max_minutes: float | None = None
    ema: float = 0.998


def warm_cosine(rate: float, steps: int, warmup_steps: float, floor: float = 0.01) -> Any:
    """A learning rate that rises from a twentieth to `rate`, then falls along a cosine to `floor` of it.

    Args:
        rate: the highest.
        steps: of the whole training.
        warmup_steps: of the rise.
        floor: a share of `rate`.
    """
    return keras.optimizers.schedules.CosineDecay(
        rate / 20, steps, alpha=floor, warmup_target=rate, warmup_steps=int(warmup_steps)
    )


class Deadline(keras.callbacks.Callback):
    """Stops inside an epoch once the wall clock has passed."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Keras calls this after each step."""
        if time.monotonic() > self.at:
            self.model.stop_training = True


def fit(
    model: keras.Model,
    inference: keras.Model,
    batches: Callable[[int], keras.utils.PyDataset],
    evaluate: Callable[[keras.Model], dict[str, float]],
    primary: str,
    out: Path,
    schedule: Schedule,
    progress: Callable[[int, dict[str, float]], None],
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train `model`, whose layers `inference` shares, into the run folder `out`; resume if a checkpoint is there.

    Args:
        model: compiled; its optimizer's state is checkpointed.
        inference: what `evaluate` gets and whose best weights are written to best.weights.h5.
        batches: epoch -> data set of that epoch.
        evaluate: scores of the inference model; the higher `primary`, the better.
        primary: the score that picks the best epoch.
        out: the run folder; run.json must be there.
        schedule: epochs, early stop, time limit (over all sessions of the run).
        progress: called after each epoch with its scores.
        callbacks: makes further Keras callbacks for an epoch (a progress bar).

    Returns:
        "complete" (all epochs, early stop or the time limit) or "interrupted" (Ctrl-C; resume with the same command).
    """
    model.optimizer.build(model.trainable_variables)
    average = Average(schedule.ema)
    state = _restore(model, average, out) or {"epoch": 0, "best": None, "best_epoch": -1, "stale": 0, "seconds": 0.0}
    start, spent = time.monotonic(), state["seconds"]
    limit = float("inf") if schedule.max_minutes is None else schedule.max_minutes * 60
    status, log = "complete", _Log(out, state["epoch"])
    try:
        while state["epoch"] < schedule.epochs and spent < limit:
            if schedule.patience is not None and state["stale"] >= schedule.patience:
                break
            epoch = state["epoch"]
            deadline = Deadline(start + limit - state["seconds"])
            data = batches(epoch)
            with devices.sharing(data):
                history = model.fit(
                    data,
                    epochs=1,
                    shuffle=False,  # Keras would draw another order of batches from state that a resumed run has lost.
                    verbose=0,
                    callbacks=[average, deadline, *callbacks()],
                )
            sync(model)
            scores = {key: float(values[-1]) for key, values in history.history.items()}
            scores["learning_rate"] = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
            spent = state["seconds"] + time.monotonic() - start
            last = epoch + 1 >= schedule.epochs or spent >= limit
            if last or (epoch + 1) % schedule.evaluate_every == 0:
                scores |= _evaluate(model, inference, average, evaluate, primary, out, state, epoch)
            state["epoch"] = epoch + 1
            spent = state["seconds"] + time.monotonic() - start
            log.add(epoch, {**scores, "seconds": spent})
            _save(model, average, out, {**state, "seconds": spent})
            progress(epoch, scores)
    except KeyboardInterrupt:
        status = "interrupted"
    log.close()
    info = read_info(out)
    best = {"epoch": state["best_epoch"], primary: state["best"]}
    done = {"status": status, "seconds": round(spent, 1), "epochs": state["epoch"], "best": best}
    write_info(out, info | done | {"devices": devices.count()})
    return status


def _evaluate(
    model: keras.Model,
    inference: keras.Model,
    average: Average,
    evaluate: Callable[[keras.Model], dict[str, float]],
    primary: str,
    out: Path,
    state: dict[str, Any],
    epoch: int,
) -> dict[str, float]:
    own = model.get_weights()
    if average.values is not None:
        model.set_weights(average.values)
    scores = evaluate(inference)
    if state["best"] is None or scores[primary] > state["best"]:
        state.update(best=scores[primary], best_epoch=epoch, stale=0)
        temporary = out / f".new.{WEIGHTS}"
        inference.save_weights(temporary)
        temporary.replace(out / WEIGHTS)
    else:
        state["stale"] += 1
    model.set_weights(own)
    return scores


def _save(model: keras.Model, average: Average, out: Path, state: dict[str, Any]) -> None:
    arrays = {f"model{i}": value for i, value in enumerate(model.get_weights())}
    for i, variable in enumerate(model.optimizer.variables):
        arrays[f"optimizer{i}"] = keras.ops.convert_to_numpy(variable)
    for i, value in enumerate(average.values or []):
        arrays[f"average{i}"] = value
    state = state | {"updates": average.updates}
    buffer = io.BytesIO()
    np.savez(buffer, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
    write_bytes(out / CHECKPOINT, buffer.getvalue())


def _restore(model: keras.Model, average: Average, out: Path) -> dict[str, Any] | None:
    if not (out / CHECKPOINT).is_file():
        return None
    with np.load(out / CHECKPOINT) as saved:
        state = json.loads(saved["state"].tobytes())
        model.set_weights([saved[f"model{i}"] for i in range(len(model.weights))])
        for i, variable in enumerate(model.optimizer.variables):
            variable.assign(saved[f"optimizer{i}"])
        if "average0" in saved:
            average.values = [saved[f"average{i}"] for i in range(len(model.weights))]
    average.updates = state.pop("updates")
    return state


class _Log:
    """log.csv and TensorBoard scalars of each epoch; a resumed run appends to what its checkpoint holds."""

    def __init__(self, out: Path, epoch: int) -> None:
        self.path, self.rows = out / LOG, []
        if epoch and self.path.is_file():
            with self.path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]
        self.board = _board(out / "tensorboard")

    def add(self, epoch: int, scores: dict[str, float]) -> None:
        self.rows.append({"epoch": epoch, **{key: f"{value:.6g}" for key, value in scores.items()}})
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_bytes(self.path, buffer.getvalue().encode())
        if self.board is not None:
            for key, value in scores.items():
                self.board.add_scalar(key, value, epoch)
            self.board.flush()

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def _board(folder: Path) -> Any:
    try:
        from tensorboard.summary import Writer
    except ImportError:
        return None  # On a bare JAX machine; log.csv holds the same numbers.
    return Writer(str(folder))
