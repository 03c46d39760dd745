"""How the attribute recipes train: crops in memory, augmentation, loss, schedule. Imports Keras; the recipes do not."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens_data.datasets import peta
from handlens_data.datasets.attributes import HEADS
from handlens_train import attributes_balance, attributes_soup, backbones, pretrained, sampling
from handlens_train.attributes_losses import MaskedCrossEntropy
from handlens_train.begin import start_run
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.images import load_prepared, scaled
from handlens_train.recipe import choose
from handlens_train.run import WEIGHTS, read_info, write_info
from handlens_train.tasks.attributes import PRIMARY, RECIPES, TASK


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    overrides: dict[str, Any] | None = None,
    soup: Sequence[Path] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Training images that copy a held-out one are left out. A complete run also notes in run.json, for each head, the
    shift of the logits that balances its classes and the temperature that makes its confidences fit the validation
    labels (`attributes_balance`); `load` folds both into the last layers.

    Args:
        name: of the recipe.
        data: folder of PETA, either layout.
        out: the run folder.
        seed: of weights, batches and augmentation.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better mean accuracy before an early stop.
        overrides: fields of the recipe to replace.
        soup: finished runs of the same network, whose weights are averaged in where validation gains.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings, or one of `soup` is of another network.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    found = peta.unseen(peta.load(data))
    splits = {part: found.split(part) for part in ("train", "val")}
    described = {
        part: {"images": len(split), "classes": split.counts(), "sha256": split.sha256()}
        for part, split in splits.items()
    }
    facts = {"name": peta.NAME, "licence": peta.LICENCE, **described}
    config = asdict(how)
    start_run(out, TASK, name, config, seed, facts)
    spec = how.input()
    images = {part: load_prepared(split.paths, spec) for part, split in splits.items()}
    labels = {part: split.labels for part, split in splits.items()}
    targets = {head: values.astype(np.int32)[:, None] for head, values in labels["train"].items()}
    model = how.network()
    if how.start == "efficientnet-lite0":
        pretrained.load_efficientnet_lite0(model)
    backbones.freeze(model, how.freeze)
    per_epoch = max(1, len(splits["train"]) // how.batch)
    planned = how.planned_epochs or how.epochs
    rate = warm_cosine(how.learning_rate, per_epoch * planned, per_epoch * how.warmup_epochs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay, clipnorm=5.0),
        loss={head: MaskedCrossEntropy(how.smoothing) for head in HEADS},
        jit_compile=keras.backend.backend() == "jax",  # XLA on a CPU under TensorFlow was ten times slower.
    )

    def batches(epoch: int) -> sampling.Batches:
        drawn = np.random.default_rng((seed, epoch)).permutation(len(splits["train"]))
        chosen = [drawn[i * how.batch : (i + 1) * how.batch] for i in range(per_epoch)]
        return sampling.Batches(images["train"], targets, chosen, how.augment, spec.scale, spec.offset, (seed, epoch))

    val_input = scaled(images["val"], spec)

    def logits(net: Any, mirror: bool = how.mirror) -> dict[str, np.ndarray]:
        plain = net.predict(val_input, batch_size=64, verbose=0)
        if not mirror:
            return plain
        mirrored = net.predict(val_input[:, :, ::-1], batch_size=64, verbose=0)
        return {head: (plain[head] + mirrored[head]) / 2 for head in plain}

    def evaluate_epoch(net: Any) -> dict[str, float]:
        return attributes_balance.scores(logits(net, mirror=False), labels["val"])  # Half the time, the same order.

    schedule = Schedule(how.epochs, 1, patience, max_minutes, how.ema)
    status = fit(model, model, batches, evaluate_epoch, PRIMARY, out, schedule, tick, callbacks)
    if status == "complete":
        plain = how.network()  # Without an optimizer, whose state the weights of other runs need not fit.
        if soup:
            attributes_soup.average(
                plain, out, soup, lambda net: attributes_balance.scores(logits(net), labels["val"]), PRIMARY
            )
        plain.load_weights(out / WEIGHTS)
        heads = attributes_balance.balance(logits(plain), labels["val"], labels["train"])
        write_info(out, read_info(out) | {"heads": heads})
    return status
