"""Fine-tuning a compressed network towards its float parent's outputs; no labels, so it is the same for every task.

An embedding is matched by cosine (Hinton et al. 2015 in spirit: the parent is the teacher), a logit by the divergence
of the two probabilities, any other output by its squared error over the parent's variance. Where a network answers for
many cells, nearly all of them empty, a cell weighs by the probability that something is there. Works on every Keras 3
backend, through compile and fit.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from handlens.manifest import InputSpec
from handlens_export.progress import Bar
from handlens_train.exportable import Match
from handlens_train.images import scaled

PACE = 10  # batches between two changes of learning rate or masks: each costs JAX a copy of its state


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how hard to fine-tune.

    Attributes:
        steps: batches at most.
        rate: peak learning rate of Adam; a short warm-up, then a cosine to zero.
        batch: images a batch.
        max_minutes: stop then; the schedules run by the clock when that comes first.
        seed: of batches and augmentation.
        rounds: equal parts of the whole, to look at the network in between.
    """

    steps: int
    rate: float
    batch: int = 32
    max_minutes: float = 10.0
    seed: int = 0
    rounds: int = 1


class Distiller(keras.Model):
    """Trains `student` to answer as `teacher` does; both map an image batch to a dict of outputs."""

    def __init__(self, student: Any, teacher: Any, matching: Mapping[str, Match]) -> None:
        """Keeps both; the teacher is frozen."""
        super().__init__(name="distiller")
        teacher.trainable = False
        self.student, self.teacher, self.matching = student, teacher, dict(matching)

    def call(self, image: Any, training: bool = False) -> Any:
        """The student's outputs."""
        return self.student(image, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """How far the student's outputs are from the teacher's: the sum over outputs, each about 0..1."""
        wanted = {name: ops.stop_gradient(value) for name, value in self.teacher(x, training=False).items()}
        return difference(wanted, y_pred, self.matching)


class Batches(keras.utils.PyDataset):
    """Endless variety from a fixed set of images: flipped, shifted, brighter or darker, erased; one seed, one order."""

    def __init__(self, images: Sequence[np.ndarray], spec: InputSpec, plan: Plan, steps: int) -> None:
        """Takes prepared uint8 images (H, W, C); yields (batch, H, W, C) float32, scaled."""
        super().__init__()
        self.images, self.spec, self.plan, self.steps = images, spec, plan, steps
        self.epoch = 0

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.steps

    def on_epoch_end(self) -> None:
        """Other images and augmentations in the next epoch."""
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        """One batch, decided by seed, epoch and index alone."""
        random = np.random.default_rng((self.plan.seed, self.epoch, index))
        picks = random.integers(0, len(self.images), self.plan.batch)
        return (scaled(np.stack([_augmented(self.images[i], random) for i in picks]), self.spec),)


def fine_tune(
    student: Any,
    teacher: Any,
    images: Sequence[np.ndarray],
    spec: InputSpec,
    plan: Plan,
    *,
    matching: Mapping[str, Match],
    label: str,
    on_pace: Callable[[float], None] = lambda progress: None,
    on_round: Callable[[], None] = lambda: None,
) -> float:
    """Trains the student's weights in place.

    Args:
        student: Keras model; image to a dict of outputs.
        teacher: the same, with the outputs to reach; frozen from here on.
        images: prepared uint8 training images.
        spec: of the input.
        plan: steps, learning rate, time limit.
        matching: how to match each output.
        label: for the progress line.
        on_pace: called every few batches with the progress, 0..1, while no batch is running; it may assign weights.
        on_round: called after each round of the plan; it may read weights.

    Returns:
        The mean loss of the last round.
    """
    distiller = Distiller(student, teacher, matching)
    # Weight decay or momentum would move masked weights or outlive a mask, so plain Adam it is.
    distiller.compile(optimizer=keras.optimizers.Adam(plan.rate, clipnorm=1.0))
    steps = max(1, plan.steps // plan.rounds)
    batches = Batches(images, spec, plan, steps)
    with Bar(label, steps * plan.rounds) as bar:
        pacer = _Pacer(replace(plan, steps=steps * plan.rounds), on_pace, on_round, bar)
        distiller.fit(batches, epochs=plan.rounds, shuffle=False, verbose=0, callbacks=[pacer])
    return pacer.loss


Answers = tuple[dict[str, np.ndarray], ...]
"""What a network gives, batch by batch."""


def answers(model: Any, images: Sequence[np.ndarray], spec: InputSpec, batch: int = 32) -> Answers:
    """The outputs for images; a last batch that is not full is left out, unless it is the only one."""
    starts = range(0, len(images) - len(images) % batch or len(images), batch)
    return tuple(model.predict_on_batch(scaled(np.stack(images[i : i + batch]), spec)) for i in starts)


def distance(
    student: Any,
    teacher: Any,
    images: Sequence[np.ndarray],
    spec: InputSpec,
    matching: Mapping[str, Match],
    batch: int = 32,
) -> float:
    """The loss of `fine_tune` over whole images, nothing augmented and nothing trained.

    `teacher` is a model, or its `answers` for these images where it is asked for more than once.
    """
    total, count = 0.0, 0
    both = (made if isinstance(made, tuple) else answers(made, images, spec, batch) for made in (teacher, student))
    for pair in zip(*both, strict=True):
        wanted, got = ({name: ops.convert_to_tensor(value) for name, value in outputs.items()} for outputs in pair)
        size = len(next(iter(pair[0].values())))
        total += float(ops.convert_to_numpy(difference(wanted, got, matching))) * size
        count += size
    return total / count


class _Pacer(keras.callbacks.Callback):
    """Learning rate, masks and the time limit, every `PACE` batches, by steps or by the clock, whichever is ahead."""

    def __init__(self, plan: Plan, on_pace: Callable[[float], None], on_round: Callable[[], None], bar: Bar) -> None:
        super().__init__()
        self.plan, self.on_pace, self.on_round, self.bar = plan, on_pace, on_round, bar
        self.began = time.monotonic()
        self.done = 0
        self.loss = math.nan

    def progress(self) -> float:
        elapsed = (time.monotonic() - self.began) / (60 * self.plan.max_minutes)
        return min(1.0, max(self.done / self.plan.steps, elapsed))

    def sync(self) -> None:
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # JAX trains a copy of the state: without this, nothing is seen or changed.

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.done % PACE:
            return
        progress = self.progress()
        self.sync()
        self.model.optimizer.learning_rate = rate_at(self.plan, self.done, progress)
        self.on_pace(progress)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done += 1
        self.loss = float((logs or {}).get("loss", math.nan))
        self.bar.update(self.done, loss=self.loss)
        if self.progress() >= 1.0:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.sync()
        self.on_round()


def rate_at(plan: Plan, done: int, progress: float) -> float:
    """The learning rate after `done` batches: a short warm-up, then a cosine to zero at progress 1."""
    warm = min(1.0, (done + 1) / min(50, max(1, plan.steps // 10)))
    return plan.rate * warm * 0.5 * (1 + math.cos(math.pi * progress))


def difference(wanted: Mapping[str, Any], got: Mapping[str, Any], matching: Mapping[str, Match]) -> Any:
    """How far outputs are from those wanted, tensors of the backend by name: the sum over outputs, each about 0..1."""
    total: Any = 0.0
    for name, match in matching.items():
        weight = None if match.weight is None else ops.sigmoid(wanted[match.weight])
        total = total + _MEASURES[match.kind](wanted[name], got[name], weight)
    return total


def _cosine(wanted: Any, got: Any, weight: Any) -> Any:
    cosines = ops.sum(ops.normalize(wanted, axis=-1) * ops.normalize(got, axis=-1), axis=-1, keepdims=True)
    return _mean(1.0 - cosines, weight)


def _logit(wanted: Any, got: Any, weight: Any) -> Any:
    """The divergence of two probabilities, stable for any logit."""
    wanted_p = ops.sigmoid(wanted)
    divergence = (ops.softplus(got) - wanted_p * got) - (ops.softplus(wanted) - wanted_p * wanted)
    if weight is None and len(wanted.shape) == 3:
        # Cells of a detector: those where either of the two sees something, and a little of all the rest.
        weight = ops.maximum(wanted_p, ops.stop_gradient(ops.sigmoid(got))) + _EMPTY
    return _mean(divergence, weight)


def _value(wanted: Any, got: Any, weight: Any) -> Any:
    return _mean(ops.square(got - wanted), weight) / (ops.var(wanted) + 1e-6)


def _mean(values: Any, weight: Any) -> Any:
    """The mean, weighted; one more in the count keeps a batch in which nothing weighs from being all that counts."""
    if weight is None:
        return ops.mean(values)
    return ops.sum(weight * ops.mean(values, axis=-1, keepdims=True)) / (ops.sum(weight) + 1.0)


_EMPTY = 0.01
_MEASURES = {"cosine": _cosine, "logit": _logit, "value": _value}


def _augmented(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    if random.random() < 0.5:
        image = image[:, ::-1]
    reach_y, reach_x = max(1, height // 16), max(1, width // 16)
    dy, dx = int(random.integers(-reach_y, reach_y + 1)), int(random.integers(-reach_x, reach_x + 1))
    rows, columns = (np.clip(np.arange(n) + d, 0, n - 1) for n, d in ((height, dy), (width, dx)))
    image = image[rows][:, columns]
    image = np.clip(image * random.uniform(0.85, 1.15) + random.uniform(-10, 10), 0, 255).astype(np.uint8)
    if random.random() < 0.2:
        h, w = int(random.integers(1, height // 3 + 1)), int(random.integers(1, width // 2 + 1))
        y, x = int(random.integers(0, height - h + 1)), int(random.integers(0, width - w + 1))
        image[y : y + h, x : x + w] = random.integers(0, 256)
    return image
