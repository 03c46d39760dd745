"""In the worker: fine-tuning of a tf_keras network, with the loss, images and batches that handlens's own has."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from handlens.manifest import InputSpec
from handlens_export.distill import PACE, Batches, Plan, difference, rate_at
from handlens_export.tfmot.order import Order, Stage
from handlens_train.exportable import Match
from handlens_train.images import scaled

CHUNK = 32  # images at a time where nothing is trained


class Tuner:
    """Fine-tunes one network after the other against the same float parent."""

    def __init__(self, order: Order, parent: Any, images: np.ndarray, held_out: np.ndarray) -> None:
        """Takes the order, the frozen parent, and uint8 images to fine-tune on and to judge by."""
        self.order, self.parent, self.images, self.held_out = order, parent, images, held_out
        parent.trainable = False
        self.names = tuple(order.outputs)
        self.matching = {name: Match(**match) for name, match in order.matching.items()}
        self.spec = InputSpec(**{key: _tupled(value) for key, value in order.spec.items()})
        self._wanted: list[Mapping[str, Any]] = []

    def tune(
        self,
        student: Any,
        stage: Stage,
        label: str,
        *,
        on_pace: Callable[[float], None] = lambda progress: None,
        on_round: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """Trains the student's weights in place.

        Args:
            student: tf_keras model, outputs as a list.
            stage: of the order.
            label: for the progress lines.
            on_pace: called every few batches with the progress, 0..1.
            on_round: called after each round of the stage.
            after: called in the graph after each batch.
        """
        each = max(1, stage.steps // stage.rounds)
        plan = Plan(
            steps=each * stage.rounds,
            rate=stage.rate,
            batch=self.order.batch,
            max_minutes=self.order.max_minutes,
            seed=self.order.seed,
        )
        batches = Batches(self.images, self.spec, plan, each)
        optimizer = tf_keras.optimizers.Adam(plan.rate, clipnorm=1.0)
        weights = student.trainable_variables
        optimizer.build(weights)

        @tf.function
        def step(images: Any) -> Any:
            wanted = self._named(self.parent(images, training=False))
            with tf.GradientTape() as tape:
                loss = difference(wanted, self._named(student(images, training=True)), self.matching)
            pairs = zip(tape.gradient(loss, weights), weights, strict=True)
            optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
            after()
            return loss

        began, done, turned = time.monotonic(), -1, -1
        for done in range(plan.steps):
            progress = max(done / plan.steps, (time.monotonic() - began) / (60 * plan.max_minutes))
            if progress >= 1:
                break
            if done % PACE == 0:
                optimizer.learning_rate.assign(rate_at(plan, done, progress))
                on_pace(progress)
            batches.epoch, index = divmod(done, each)
            loss = float(step(tf.constant(batches[index][0])))
            say(label, done + 1, plan.steps, loss)
            if index == each - 1:
                on_round()
                turned = done
        if turned < done:  # by the clock
            on_round()

    def distance(self, student: Any) -> float:
        """The loss over the held-out images, nothing augmented and nothing trained."""
        total, count = 0.0, 0
        for index, batch in enumerate(chunks(self.held_out, self.spec)):
            if index == len(self._wanted):
                self._wanted.append(self._named(self.parent(batch, training=False)))
            got = self._named(student(batch, training=False))
            total += float(difference(self._wanted[index], got, self.matching)) * len(batch)
            count += len(batch)
        return total / count

    def answers(self, model: Any, images: np.ndarray) -> dict[str, np.ndarray]:
        """A network's outputs, (N, ...) by name."""
        parts = [self._named(model(batch, training=False)) for batch in chunks(images, self.spec)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in self.names}

    def settle(self, student: Any) -> None:
        """One pass in training mode, nothing learned: tfmot's layers take over their newest weights only there."""
        student(next(iter(chunks(self.images, self.spec))), training=True)

    def _named(self, outputs: Any) -> dict[str, Any]:
        return dict(zip(self.names, outputs if isinstance(outputs, list) else [outputs], strict=True))


def chunks(images: np.ndarray, spec: InputSpec) -> Any:
    """float32 batches as the network takes them, all of one size but the last."""
    for start in range(0, len(images), CHUNK):
        yield tf.constant(scaled(np.asarray(images[start : start + CHUNK]), spec))


def say(label: str, done: int, total: int, loss: float) -> None:
    """A line of progress, for the process that waits."""
    print(f"progress\t{label}\t{done}\t{total}\t{loss:.6f}", flush=True)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
