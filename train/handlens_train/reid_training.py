"""How the re-ID recipes train: data in memory, losses, schedule. Imports Keras; the recipes themselves do not."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens import metrics
from handlens.errors import OptionError
from handlens.image import load_image
from handlens_data.datasets import market1501
from handlens_data.datasets.identity import IdentitySplit, relabel
from handlens_train import backbones, losses, pretrained, sampling
from handlens_train.baselines import Baseline, fit_lda, fit_pca
from handlens_train.begin import start_run
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.images import load_prepared, scaled
from handlens_train.recipe import choose, of_run
from handlens_train.reid_nets import networks
from handlens_train.run import WEIGHTS, Run, read_info, write_info
from handlens_train.tasks.reid import RECIPES, TASK, Recipe, load_data

BASELINE = "baseline.npz"
SELECT = "mAP"  # Picks the best epoch: it reads every match of a probe, so it wavers less than rank-1.


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
    steps: int | None = None,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Args:
        name: of the recipe.
        data: folder of Market-1501, either layout.
        out: the run folder.
        seed: of weights, batches and augmentation.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better rank-1 before an early stop.
        teacher: artifact whose embeddings of the clean training images the student also learns (same dimension).
        warm_start: run whose trained layers are copied where name and shape agree, in place of the ImageNet start.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.
        steps: at most so many batches an epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    if how.fitted and teacher is not None:
        raise OptionError(f"recipe {name} is fitted, not trained: it takes no teacher.")
    split, val = load_data(data)
    donor = None if warm_start is None else Run.open(warm_start)
    config = _config(how, teacher, donor, steps)
    facts = {
        "name": market1501.NAME,
        "licence": market1501.LICENCE,
        "train": {"images": len(split), "identities": len(np.unique(split.identities)), "sha256": split.sha256()},
        "val": {"images": len(val), "identities": len(np.unique(val.identities)), "sha256": val.sha256()},
    }
    start_run(out, TASK, name, config, seed, facts)
    spec = how.input()
    images, val_images = load_prepared(split.paths, spec), load_prepared(val.paths, spec)
    if how.fitted:
        return _fit_baseline(how, images, split, val_images, val, out)
    labels, count = relabel(split.identities)
    model, inference = build(how, count)
    if donor is not None:
        _warm(model, donor)
    backbones.freeze(model, how.freeze)
    targets: dict[str, Any] = {"feature": labels}
    model_losses: dict[str, Any] = {"feature": losses.SiameseTriplet(how.margin)}
    weights = {"feature": 1.0}
    if how.loss == "identity":
        model_losses["feature"] = losses.BatchHardTriplet(how.margin)
        targets["logits"], model_losses["logits"], weights["logits"] = labels, losses.SmoothIdentity(how.smoothing), 1.0
    if teacher is not None:
        targets["embedding"] = _teach(teacher, split, inference)
        model_losses["embedding"], weights["embedding"] = losses.EmbeddingDistillation(), how.teacher_weight
    size = how.identities * how.images
    per_epoch = min(steps or len(labels), max(1, len(labels) // (size if how.loss != "siamese" else size // 3)))
    rate = warm_cosine(how.learning_rate, per_epoch * how.epochs, per_epoch * how.warmup_epochs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay, clipnorm=5.0),
        loss=model_losses,
        loss_weights=weights,
        jit_compile=keras.backend.backend() == "jax",  # XLA on a CPU under TensorFlow was ten times slower.
    )

    def batches(epoch: int) -> sampling.Batches:
        if how.loss == "siamese":
            chosen = sampling.triplet_batches(labels, size // 3, seed, epoch)
        else:
            chosen = sampling.identity_batches(labels, how.identities, how.images, seed, epoch)
        return sampling.Batches(images, targets, chosen[:steps], how.augment, spec.scale, spec.offset, (seed, epoch))

    val_input = scaled(val_images, spec)
    return fit(
        model,
        inference,
        batches,
        lambda net: score(embed(net, val_input), val),
        SELECT,
        out,
        Schedule(how.epochs, 2, patience, max_minutes, how.ema),
        tick,
        callbacks,
    )


def build(how: Recipe, identities: int | None) -> tuple[keras.Model, keras.Model]:
    """(training model, inference model) of a recipe, ImageNet start loaded if it has one."""
    channels = 3 if how.colour == "RGB" else 1
    model, inference = networks(
        how.height,
        how.width,
        channels,
        how.trunk,
        how.options,
        identities=identities if how.loss == "identity" else None,
    )
    if how.start == "efficientnet-lite0" and identities is not None:
        pretrained.load_efficientnet_lite0(inference)
    return model, inference


def inference_model(run: Run, how: Recipe) -> keras.Model:
    """The float network of a run with its best weights: "image" (N, H, W, C) scaled -> {"embedding": (N, D)}."""
    if how.fitted:
        return Baseline.load(run.path / BASELINE).keras_model(keras)
    _, inference = build(how, None)
    run.fill(inference)
    return inference


def _fit_baseline(
    how: Recipe, images: np.ndarray, split: IdentitySplit, val_images: np.ndarray, val: IdentitySplit, out: Path
) -> str:
    start = time.monotonic()
    if how.loss == "pca":
        fitted = fit_pca(images, **how.options)
    else:
        fitted = fit_lda(images, split.identities, **how.options)
    net = fitted.keras_model(keras)
    scores = score(embed(net, scaled(val_images, how.input())), val)
    fitted.save(out / BASELINE)
    net.save_weights(out / WEIGHTS)
    seconds = round(time.monotonic() - start, 1)
    facts = {"status": "complete", "seconds": seconds, "epochs": 0, "best": {"epoch": 0, **scores}}
    write_info(out, read_info(out) | facts | {"dimension": fitted.dimension, "explained": fitted.explained})
    return "complete"


def embed(net: keras.Model, tensor: np.ndarray) -> np.ndarray:
    """Embeddings (N, D) float32, L2-normalised, of a scaled float tensor (N, H, W, C), through Keras."""
    if not net.compiled:
        net.compile(jit_compile=keras.backend.backend() == "jax")
    embedding = net.predict(tensor, batch_size=64, verbose=0)["embedding"]
    return embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)


def score(embeddings: np.ndarray, split: IdentitySplit) -> dict[str, float]:
    """Multi-shot validation: every image is a probe against all others under other cameras (Market-1501's rule)."""
    ranking = metrics.rank(embeddings @ embeddings.T, split.identities, split.identities, split.cameras, split.cameras)
    return {"rank1": float(metrics.cmc(ranking, 1)[0]), "mAP": float(metrics.mean_average_precision(ranking))}


def _warm(model: keras.Model, donor: Run) -> None:
    if donor.task != TASK:
        raise OptionError(f"{donor.path} is a run of task {donor.task!r}; a warm start takes one of {TASK!r}.")
    trained = {layer.name: layer.get_weights() for layer in inference_model(donor, of_run(donor, Recipe, TASK)).layers}
    filled = 0
    for layer in model.layers:
        weights = trained.get(layer.name, [])
        if weights and [value.shape for value in weights] == [tuple(value.shape) for value in layer.weights]:
            layer.set_weights(weights)
            filled += 1
    if not filled:
        raise OptionError(
            f"no layer of {donor.path} ({donor.recipe}) fits this recipe; start from a run of its family."
        )


def _config(how: Recipe, teacher: Path | None, donor: Run | None, steps: int | None) -> dict[str, Any]:
    config = asdict(how)
    if donor is not None:
        config["warm_start"] = hashlib.sha256(donor.weights.read_bytes()).hexdigest()
    if teacher is not None:
        from handlens.artifact import Artifact

        config["teacher"] = Artifact.open(teacher).manifest.model_id
    if steps is not None:
        config["steps"] = steps
    return config


def _teach(teacher: Path, split: IdentitySplit, student: keras.Model) -> np.ndarray:
    from handlens.person import PersonReidentifier

    images = [load_image(path) for path in split.paths]
    with PersonReidentifier.load(teacher, threads=2) as model:
        # Image and mirror image have one target: the student learns what the teacher sees in both.
        targets = model.embed(images) + model.embed([image[:, ::-1] for image in images])
    if targets.shape[1] != student.output["embedding"].shape[-1]:
        raise OptionError(
            f"the teacher's embedding has {targets.shape[1]} dimensions, the recipe's "
            f"{student.output['embedding'].shape[-1]}; choose a teacher of the same dimension."
        )
    return targets
