"""How the gender recipes train: crops in memory, augmentation, loss, schedule. Imports Keras; the recipes do not."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens_data.datasets import utkface
from handlens_train import backbones, pretrained, sampling
from handlens_train.begin import start_run
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.gender_nets import network
from handlens_train.images import load_prepared, scaled
from handlens_train.recipe import choose
from handlens_train.run import WEIGHTS, read_info, write_info
from handlens_train.tasks.gender import PRIMARY, RECIPES, TASK
from handlens_train.temperature import fit_temperature


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Training images that copy a held-out one are left out. A complete run also notes in run.json the temperature that
    makes the best model's confidences fit the validation labels; `load` folds it into the last layer.

    Args:
        name: of the recipe.
        data: folder of UTKFace, any layout.
        out: the run folder.
        seed: of weights, batches and augmentation.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better accuracy before an early stop.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    found = utkface.unseen(utkface.load(data))
    splits = {part: found.split(part) for part in ("train", "val")}
    described = {part: {"images": len(split), "sha256": split.sha256()} for part, split in splits.items()}
    facts = {"name": utkface.NAME, "licence": utkface.LICENCE, **described}
    start_run(out, TASK, name, asdict(how), seed, facts)
    spec = how.input()
    images = {part: load_prepared(split.paths, spec) for part, split in splits.items()}
    targets = {"gender": splits["train"].genders.astype(np.float32)[:, None]}
    model = network(how.size, how.size, how.blocks, how.head, how.activation)
    if how.start == "efficientnet-lite0":
        pretrained.load_efficientnet_lite0(model)
    backbones.freeze(model, how.freeze)
    per_epoch = max(1, len(splits["train"]) // how.batch)
    rate = warm_cosine(how.learning_rate, per_epoch * how.epochs, per_epoch * how.warmup_epochs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay, clipnorm=5.0),
        loss={"gender": keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=how.smoothing)},
        jit_compile=keras.backend.backend() == "jax",  # XLA on a CPU under TensorFlow was ten times slower.
    )

    def batches(epoch: int) -> sampling.Batches:
        drawn = np.random.default_rng((seed, epoch)).permutation(len(splits["train"]))
        chosen = [drawn[i * how.batch : (i + 1) * how.batch] for i in range(per_epoch)]
        return sampling.Batches(images["train"], targets, chosen, how.augment, spec.scale, spec.offset, (seed, epoch))

    val_input, truth = scaled(images["val"], spec), splits["val"].genders

    def evaluate_epoch(net: Any) -> dict[str, float]:
        logit = net.predict(val_input, batch_size=64, verbose=0)["gender"][:, 0]
        surprise = np.logaddexp(0, np.where(truth == 1, -logit, logit))
        return {PRIMARY: float(((logit > 0) == truth).mean()), "val_loss": float(surprise.mean())}

    schedule = Schedule(how.epochs, 1, patience, max_minutes, how.ema)
    status = fit(model, model, batches, evaluate_epoch, PRIMARY, out, schedule, tick, callbacks)
    if status == "complete":
        model.load_weights(out / WEIGHTS)
        logits = model.predict(val_input, batch_size=64, verbose=0)["gender"][:, 0]
        write_info(out, read_info(out) | {"temperature": fit_temperature(logits, truth == 1)})
    return status
