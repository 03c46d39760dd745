"""How the pets recipes train: a frozen stage, then one in which the last blocks follow. Imports Keras."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens.errors import DataError
from handlens.metrics import mask_overlap
from handlens_data.datasets import pets
from handlens_data.datasets.pets import FOREGROUND, IGNORED
from handlens_train import backbones, pretrained
from handlens_train.attributes_losses import MaskedCrossEntropy
from handlens_train.begin import begin
from handlens_train.fit import CHECKPOINT, Schedule, fit, warm_cosine
from handlens_train.images import load_prepared, scaled
from handlens_train.mask_losses import MaskLoss
from handlens_train.pets_data import Material, Views, taught
from handlens_train.pets_neighbours import nearest_breeds
from handlens_train.pets_nets import stride, training_network
from handlens_train.pets_probe import fit_head
from handlens_train.run import WEIGHTS, read_info, write_info
from handlens_train.tasks.pets import EMBEDDING, NEIGHBOURS, PRIMARY, TASK, Recipe

FROZEN = "frozen"  # folder of the first stage, inside the run's
CHUNK = 64
FROZEN_SHARE = 0.4  # of the time limit, at most
SELECT = "select"


def train(
    how: Recipe,
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    A recipe with a frozen stage keeps that stage as a run of its own in `out/frozen`: a linear probe for the breeds,
    then decoder and head on fixed features. The second stage starts from its best weights; images without a mask learn
    there from what the first is sure of. The best epoch is that with the highest mean of breed accuracy and of the
    mask's F1 on the validation images; where no mask can be judged, of the accuracy alone; an autoencoder's the one
    that rebuilds them best.

    Args:
        how: the recipe.
        name: of it.
        data: folder of Oxford-IIIT Pet, either layout.
        out: the run folder.
        seed: of weights, batches and views.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better score before an early stop, of each stage.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    found = pets.unseen(pets.load(data))
    if not found.split("val"):
        raise DataError(
            f"{found.root} leaves no image for validation, which is a tenth by the file names. Bring more of the set."
        )
    described = {
        part: {"images": len(split), "masks": len(split.masked), "sha256": split.sha256()}
        for part, split in found.splits.items()
        if "test" not in part
    }
    info = {
        "task": TASK,
        "recipe": name,
        "config": asdict(how),
        "seed": seed,
        "data": {"name": pets.NAME, "licence": pets.LICENCE, **described},
    }
    begin(out, info, keras.backend.backend())
    material = Material.of(found.split("train"), longest=how.size * 4 // 3)
    evaluate = _judge(found, how)
    every = 4 if how.network == "autoencoder" else 1  # its neighbours take longer to find than an epoch
    schedule = Schedule(how.epochs, every, patience, max_minutes, how.ema)
    frozen_seconds = 0.0
    if how.frozen_epochs and how.start is not None:
        limit = None if max_minutes is None else max_minutes * FROZEN_SHARE
        begin(out / FROZEN, info, keras.backend.backend())
        first = Schedule(how.frozen_epochs, 1, patience, limit, how.ema)
        model = _compiled(how, material, seed, how.blocks, how.frozen_epochs, how.frozen_rate)
        if not (out / FROZEN / CHECKPOINT).is_file():
            split = found.split("train")
            fit_head(model[0], load_prepared(split.paths, how.input()), split.breeds, how.input())
        status = _fit(model, material, how, seed, evaluate, out / FROZEN, first, tick, callbacks)
        frozen_seconds = float(read_info(out / FROZEN)["seconds"])
        if status != "complete":
            return status
        rest = None if max_minutes is None else max_minutes - frozen_seconds / 60
        schedule = Schedule(how.epochs, 1, patience, rest, how.ema)
    model = _compiled(how, material, seed, how.unfreeze, how.epochs, how.learning_rate)
    if frozen_seconds:
        model[0].load_weights(out / FROZEN / WEIGHTS)
        if how.sure < 1 and len(material.masked):
            material = taught(material, _seen(model[0], found.split("train"), how), how.sure)
    status = _fit(model, material, how, seed + 1, evaluate, out, schedule, tick, callbacks)
    done = read_info(out)
    write_info(out, done | {"seconds": round(done["seconds"] + frozen_seconds, 1), "frozen_seconds": frozen_seconds})
    return status


def _compiled(how: Recipe, material: Material, seed: int, frozen: int, epochs: int, rate: float) -> Any:
    """(inference, compiled training network): pretrained where the recipe says so, its first `frozen` blocks fixed."""
    keras.utils.set_random_seed(seed)
    inference, model = training_network(how)
    if how.start == "efficientnet-lite0":
        pretrained.load_efficientnet_lite0(inference)
        _freeze(inference, frozen, whole=frozen >= how.blocks)
    steps = max(1, len(material.images) // how.batch)
    losses: dict[str, Any] = {"picture": keras.losses.MeanSquaredError()}
    weights = None
    if how.network != "autoencoder":
        losses = {"class": MaskedCrossEntropy(smoothing=how.smoothing), "mask": MaskLoss()}
        weights = {"class": 1.0, "mask": how.mask_weight}
    model.compile(
        keras.optimizers.AdamW(
            warm_cosine(rate, steps * epochs, steps * how.warmup_epochs), weight_decay=how.weight_decay, clipnorm=5.0
        ),
        loss=losses,
        loss_weights=weights,
        jit_compile=keras.backend.backend() == "jax",  # XLA on a CPU under TensorFlow was ten times slower.
    )
    return inference, model


def _freeze(model: Any, blocks: int, whole: bool) -> None:
    """Fix stem and first blocks, and the batch normalisation of all that came pretrained; all of that if `whole`.

    So few images say worse than ImageNet what the statistics are: with those of a batch the breeds got lost.
    """
    backbones.freeze(model, blocks)
    for layer in model.layers:
        owner = layer.name.partition("_")[0]
        came = owner in ("stem", "top") or owner.startswith("block")
        if came and (whole or isinstance(layer, keras.layers.BatchNormalization)):
            layer.trainable = False


def _fit(
    model: Any,
    material: Material,
    how: Recipe,
    seed: int,
    evaluate: Callable[[Any], dict[str, float]],
    out: Path,
    schedule: Schedule,
    tick: Callable[..., None],
    callbacks: Callable[[], list[keras.callbacks.Callback]],
) -> str:
    inference, training = model
    step = stride(how)

    def batches(epoch: int) -> Views:
        return Views(material, how, step, seed, epoch)

    return fit(training, inference, batches, evaluate, SELECT, out, schedule, tick, callbacks)


def _judge(found: pets.Pets, how: Recipe) -> Callable[[Any], dict[str, float]]:
    """Scores of a network on the validation images: "top1", "val_loss", the mask's "f1" where one can be judged."""
    spec = how.input()
    val, masked = found.split("val"), found.split("masked-val")
    images, breeds = scaled(load_prepared(val.paths, spec), spec), val.breeds
    if how.network == "autoencoder":
        train = found.split("train")
        gallery = scaled(load_prepared(train.paths, spec), spec)

        def neighbours(net: Any) -> dict[str, float]:
            answers = [net.predict(x, batch_size=64, verbose=0) for x in (gallery, images)]
            rows = [answer[EMBEDDING] for answer in answers]
            top1 = float((nearest_breeds(rows[0], train.breeds, rows[1], NEIGHBOURS) == breeds).mean())
            error = float(np.mean((answers[1]["picture"] - images) ** 2))
            return {PRIMARY: top1, "error": error, SELECT: -error}

        return neighbours
    mask_images = scaled(load_prepared(masked.paths, spec), spec) if len(masked) else None
    truths = [pets.read_mask(pet.mask) for pet in masked.pets if pet.mask is not None]

    def scores(net: Any) -> dict[str, float]:
        logits = net.predict(images, batch_size=64, verbose=0)["class"]
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        top1 = float((logits.argmax(axis=1) == breeds).mean())
        told = {PRIMARY: top1, "val_loss": float(-log_p[np.arange(len(breeds)), breeds].mean())}
        if mask_images is None:
            return told | {SELECT: top1}
        masks = net.predict(mask_images, batch_size=64, verbose=0)["mask"]
        f1 = float(np.mean([_dice(mask[..., 0], truth) for mask, truth in zip(masks, truths, strict=True)]))
        return told | {"f1": f1, SELECT: (top1 + f1) / 2}

    return scores


def _seen(model: Any, split: pets.PetSplit, how: Recipe) -> np.ndarray:
    """(N, h, w) mask logits of a split, the mean of each image's and its mirror's."""
    images, rows = load_prepared(split.paths, how.input()), []
    for start in range(0, len(images), CHUNK):
        views = [images[start : start + CHUNK], images[start : start + CHUNK, :, ::-1]]
        plain, mirrored = (model.predict(scaled(view, how.input()), verbose=0)["mask"][..., 0] for view in views)
        rows.append((plain + mirrored[:, :, ::-1]) / 2)
    return np.concatenate(rows)


def _dice(logit: np.ndarray, truth: np.ndarray) -> float:
    import cv2

    size = (truth.shape[1], truth.shape[0])
    found = cv2.resize(logit, size, interpolation=cv2.INTER_LINEAR) > 0
    return mask_overlap(found, truth == FOREGROUND, truth == IGNORED).dice
