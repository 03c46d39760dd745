"""How the person mask trains: photographs in memory, views drawn on the fly, losses, schedule. Imports Keras."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from handlens import metrics
from handlens._decode import sigmoid
from handlens.errors import DataError, EmptyFolder, UnknownLayout
from handlens.image import load_image
from handlens_data.datasets import ccp, pets
from handlens_train import backbones
from handlens_train.begin import start_run
from handlens_train.detector_start import copy_alike
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.images import load_prepared, scaled
from handlens_train.mask_losses import LabelLoss, MaskLoss
from handlens_train.person_mask_nets import load_start, network
from handlens_train.person_mask_views import Material, Views
from handlens_train.recipe import choose, of_run
from handlens_train.run import Run
from handlens_train.tasks.person_mask import PRIMARY, RECIPES, TASK, Recipe

SIDE = 256  # of a picture without people, at most: more is of no use in a view
# The runtime reads clothing inside the mask alone, so the background matters less.
WEIGHTS = (0.2, *[1.0] * (len(ccp.NAMES) - 1))


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    teacher: Path | None = None,
    warm_start: Path | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Pictures of pets, where `data` holds them, are what people are put before and what a picture of nobody looks like.

    Args:
        name: of the recipe.
        data: folder of Clothing Co-Parsing, either layout, or the one above it.
        out: the run folder.
        seed: of weights and views.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better IoU before an early stop.
        teacher: run of a larger recipe.
        warm_start: run whose layers are copied where name and shape agree.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings, or the teacher is no run of this task.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    held = {part: ccp.load(data, part) for part in ("val", "test")}
    photos = ccp.unseen(ccp.load(data, "train"), *held.values())
    if not photos or not held["val"]:
        raise DataError(f"{data} has {len(photos)} photographs to train on and {len(held['val'])} for val; bring more.")
    empty, sources = _without_people(data)
    sources.insert(0, {"name": ccp.NAME, "licence": ccp.LICENCE, "split": "train", "sha256": photos.sha256()})
    facts = {"name": ccp.NAME, "licence": ccp.LICENCE, "images": len(photos), "sources": sources}
    config = asdict(how) | {"teacher": _sha256(teacher), "warm_start": _sha256(warm_start)}
    start_run(out, TASK, name, config, seed, facts)
    material = Material(
        [load_image(path) for path in photos.paths], [photos.groups(i) for i in range(len(photos))], empty
    )
    model = network(how)
    if how.start == "efficientnet-lite0":
        load_start(model, how)
    if warm_start is not None:
        donor = Run.open(warm_start)
        whole = network(of_run(donor, Recipe, TASK))
        donor.fill(whole)
        copy_alike(whole, model)
    backbones.freeze(model, how.freeze)
    steps = len(Views(material, how, (seed, 0)))
    losses: dict[str, keras.losses.Loss] = {"mask": MaskLoss(how.dice, how.edge)}
    if how.classes:
        losses["classes"] = LabelLoss(WEIGHTS)
    model.compile(
        keras.optimizers.AdamW(
            warm_cosine(how.learning_rate, steps * how.epochs, steps * how.warmup_epochs),
            weight_decay=how.weight_decay,
            clipnorm=5.0,
        ),
        loss=losses,
        loss_weights={key: how.label_weight if key == "classes" else 1.0 for key in losses},
        jit_compile=keras.backend.backend() == "jax",
    )
    answers = None if teacher is None else MaskTeacher(Run.open(teacher))
    judged = Judge(held["val"], how)
    return fit(
        model,
        model,
        lambda epoch: Views(material, how, (seed, epoch), answers),
        judged,
        PRIMARY,
        out,
        Schedule(how.epochs, how.evaluate_every, patience, max_minutes, how.ema),
        tick,
        callbacks,
    )


class Judge:
    """Scores of a network on a split, in the photographs' own pixels: mean IoU, and that of the clothing's groups."""

    def __init__(self, split: ccp.CCPSplit, how: Recipe) -> None:
        self.how, self.inputs = how, scaled(load_prepared(split.paths, how.input()), how.input())
        self.groups = [split.groups(index) for index in range(len(split))]

    def __call__(self, net: Any) -> dict[str, float]:
        """{"iou": ..., "class_iou": ...} of a Keras model."""
        answers = net.predict(self.inputs, batch_size=16, verbose=0)
        overlaps, counts = [], []
        for row, groups in enumerate(self.groups):
            size = groups.shape[::-1]
            found = cv2.resize(sigmoid(answers["mask"][row, ..., 0]), size, interpolation=cv2.INTER_LINEAR) >= 0.5
            overlaps.append(metrics.mask_overlap(found, groups != 0).iou)
            if self.how.classes:
                best = answers["classes"][row, ..., 1:].argmax(axis=-1).astype(np.uint8) + 1
                best = cv2.resize(best, size, interpolation=cv2.INTER_NEAREST)
                counts.append(metrics.class_overlaps(np.where(found, best, 0), groups, len(ccp.NAMES)))
        scores = {PRIMARY: float(np.mean(overlaps))}
        if counts:
            scores["class_iou"] = float(np.nanmean(metrics.class_iou(np.sum(counts, axis=0))))
        return scores


class MaskTeacher:
    """The network of a run as a teacher; see `person_mask_views.Teacher`."""

    def __init__(self, run: Run) -> None:
        """Raises RunError where the run is of another task, or its weights do not fit."""
        self.how = of_run(run, Recipe, TASK)
        self.size = (self.how.height, self.how.width)
        self.net = network(self.how)
        run.fill(self.net)

    def __call__(self, views: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
        """Probabilities of foreground of uint8 views, (N, *cells, 1)."""
        logits = self.net.predict_on_batch(scaled(views, self.how.input()))["mask"][..., 0]
        shares = [cv2.resize(mask, cells[::-1], interpolation=cv2.INTER_AREA) for mask in sigmoid(logits)]
        return np.stack(shares)[..., None]


def _without_people(data: Path) -> tuple[list[np.ndarray], list[dict[str, str]]]:
    try:
        found = pets.load(data).split("train")
    except (UnknownLayout, EmptyFolder):
        return [], []
    images = []
    for path in found.paths:
        image = load_image(path)
        share = min(1.0, SIDE / min(image.shape[:2]))
        size = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return images, [{"name": pets.NAME, "licence": pets.LICENCE, "split": "train", "sha256": found.sha256()}]


def _sha256(run: Path | None) -> str | None:
    return None if run is None else hashlib.sha256(Run.open(run).weights.read_bytes()).hexdigest()
