"""How the face detector trains: scenes drawn on the fly, one loss over all cells, the schedule. Imports Keras."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handlens import metrics
from handlens._decode import sigmoid
from handlens._nms import suppress
from handlens.errors import DataError, EmptyFolder, OptionError, UnknownLayout
from handlens.image import Transform, letterbox, load_image
from handlens_data.datasets import utkface
from handlens_data.datasets.boxes import BoxSplit
from handlens_data.datasets.identity import list_images
from handlens_train import detector_start
from handlens_train.begin import start_run
from handlens_train.detector_data import LICENCES, gather, material
from handlens_train.detector_figures import BEHIND, SCENE, composed
from handlens_train.detector_nets import OUTPUTS, freeze, network
from handlens_train.detector_scenes import Draw, Views, scene
from handlens_train.detector_targets import Cells, DetectorLoss, encode
from handlens_train.fit import Schedule, fit, warm_cosine
from handlens_train.images import scaled
from handlens_train.recipe import choose, of_run
from handlens_train.run import WEIGHTS, Run, read_info, write_info
from handlens_train.tasks.face_detector import RECIPES, TASK, Recipe, boxed

ALARMS = 0.05  # false positives a picture without faces, at most, at the operating threshold
_NONE = np.empty(0, np.float32)
SELECT = "select"  # the mean of the validation sets' average precision and of the accuracy of gender
GENDERS = 240  # validation faces whose gender is looked at
VAL_HEIGHT = 20.0
VAL_IMAGES = 500  # of each set, at most


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    annotations: Path | None = None,
    warm_start: Path | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Args:
        name: of the recipe.
        data: folder that holds faces_multi and the like.
        out: the run folder.
        seed: of weights and scenes.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better score before an early stop.
        annotations: folder of the teacher's COCO files, SET.json each; None for data/annotations.
        warm_start: run of a detector whose trunk is copied, narrowed where this recipe's is narrower.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    if how.only is not None and warm_start is None:
        raise OptionError(
            f"recipe {name} trains the {how.only} branch of a detector that finds faces already: give --warm-start "
            "RUN, a run of face-detector-start."
        )
    donor = None if warm_start is None else Run.open(warm_start)
    found = gather(data, how.weights, annotations, how.blend)
    loaded = material(found, how.weights)
    config = asdict(how)
    if donor is not None:
        config["warm_start"] = hashlib.sha256(donor.weights.read_bytes()).hexdigest()
    # What the donor learnt from is in these weights, too.
    seen = ({} if donor is None else donor.info["data"]["sets"]) | loaded.described
    licences = sorted({LICENCES[key] for key in seen})
    facts = {"name": " + ".join(seen), "licence": "; ".join(licences), "sets": seen}
    start_run(out, TASK, name, config, seed, facts)
    inference = build(how, how.crop)
    if donor is not None:
        _warm(inference, donor)
    elif how.start is not None:
        detector_start.load_lite0(inference, len(how.expand))
    freeze(inference, how.freeze, how.only)
    joined = keras.layers.Concatenate(axis=2, name="cells")([inference.output[key] for key in OUTPUTS])
    model = keras.Model(inference.input, joined, name="train")
    rate = warm_cosine(how.learning_rate, how.steps * how.epochs, how.steps * how.warmup_epochs, floor=0.005)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay, clipnorm=10.0),
        loss=DetectorLoss(gender=how.gender_weight),
        jit_compile=keras.backend.backend() == "jax",
    )
    views = Views(**how.views)
    whole = build(how, how.size)
    judged = {key: _prepared(part, how.size) for key, part in boxed(data, "val").items()}
    known = validation_genders(data, how.size)

    def evaluate_epoch(net: keras.Model) -> dict[str, float]:
        whole.set_weights(net.get_weights())
        scores = {f"ap_{key}": metrics.average_precision(_matches(whole, how, [part])) for key, part in judged.items()}
        if known is not None:
            scores["gender"] = _gender_accuracy(whole, how, *known)
        return scores | {SELECT: float(np.mean(list(scores.values())))}

    status = fit(
        model,
        inference,
        lambda epoch: Scenes(loaded.draw, how, views, (seed, epoch)),
        evaluate_epoch,
        SELECT,
        out,
        Schedule(how.epochs, how.evaluate_every, patience, max_minutes, how.ema),
        tick,
        callbacks,
    )
    if status == "complete":
        whole.load_weights(out / WEIGHTS)
        threshold = operating_threshold(_matches(whole, how, list(judged.values())), *_alarms(whole, how, data))
        write_info(out, read_info(out) | {"score_threshold": round(threshold, 3)})
    return status


class Scenes(keras.utils.PyDataset):
    """One epoch of scenes, drawn beside the training step."""

    def __init__(self, draw: Draw, how: Recipe, views: Views, seed: tuple[int, ...]) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.draw, self.how, self.views, self.seed = draw, how, views, seed
        self.cells, self.spec = Cells.of(how.crop, how.crop), how.input(how.crop)

    def __len__(self) -> int:
        return self.how.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        images, targets = [], []
        for item in range(self.how.batch):
            rng = np.random.default_rng((*self.seed, index, item))
            image, faces = scene(self.draw, self.how.crop, self.how.size, self.views, rng)
            images.append(image)
            targets.append(encode(faces, self.cells))
        return scaled(np.stack(images), self.spec), np.stack(targets)


def build(how: Recipe, size: int | tuple[int, int]) -> keras.Model:
    """The detector of a recipe, untrained."""
    return network(size, expand=how.expand, pyramid=how.pyramid, deep=how.deep, head=how.head, gender=how.gender)


def decode(
    outputs: dict[str, np.ndarray], cells: Cells, score: float = 0.02, iou: float = 0.45
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(boxes (n, 4) in pixels of the input, scores (n,)) of each image of a batch, as the runtime decodes them."""
    found = []
    for logits, raw in zip(outputs["score"][..., 0], outputs["box"], strict=True):
        marks = sigmoid(logits)
        at = np.flatnonzero(marks > score)
        stride = cells.strides[at, None]
        middle, half = cells.centres[at] + stride * raw[at, :2], stride * np.exp(np.minimum(raw[at, 2:], 10.0)) / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        best = [group[0] for group in suppress(boxes, marks[at], iou, 200)]
        found.append((boxes[best], marks[at][best]))
    return found


def operating_threshold(matches: metrics.Matches, alarms: np.ndarray = _NONE, pictures: int = 0) -> float:
    """The score of the best F1, raised until at most one picture in twenty that shows nobody raises an alarm.

    Crowds of small faces alone would put it so low that a lone portrait gets second faces in its clothes.

    Args:
        matches: of the validation faces; 0.5 where nothing is found at all.
        alarms: (A,) scores of what was found on pictures without faces.
        pictures: how many those were.
    """
    exact, recall, scores = metrics.precision_recall(matches)
    best = float(scores[int(np.argmax(2 * exact * recall / np.maximum(exact + recall, 1e-9)))]) if len(scores) else 0.5
    allowed = int(ALARMS * pictures)
    falling = np.sort(alarms)[::-1]
    return max(best, float(falling[allowed]) + 1e-3) if len(falling) > allowed else best


def _alarms(net: keras.Model, how: Recipe, data: Path) -> tuple[np.ndarray, int]:
    folder = data / BEHIND["val"]
    if not folder.is_dir():
        return _NONE, 0
    files = [path for path in list_images(folder) if path.suffix == ".jpg"]
    images = np.stack([letterbox(load_image(path), how.size, how.size)[0] for path in files])
    return np.concatenate([scores for _, scores in _found(net, how, images)]), len(files)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Validation images, letterboxed uint8 (N, size, size, 3); truths in stored pixels; how each was fitted."""

    images: np.ndarray
    truths: list[np.ndarray]
    transforms: list[Transform]


def _prepared(split: BoxSplit, size: int) -> Judged:
    images = split.images[:VAL_IMAGES]
    fitted = [letterbox(load_image(image.path), size, size) for image in images]
    return Judged(
        np.stack([pixels for pixels, _ in fitted]),
        [image.faces.boxes for image in images],
        [transform for _, transform in fitted],
    )


def _matches(net: keras.Model, how: Recipe, parts: list[Judged]) -> metrics.Matches:
    """Matches of all validation faces of 20 pixels and more, in pixels of the stored images, as the test judges."""
    found, truths = [], []
    for part in parts:
        for transform, (boxes, marks) in zip(part.transforms, _found(net, how, part.images), strict=True):
            found.append((transform.inverse(boxes) if len(boxes) else boxes, marks))
        truths += part.truths
    return metrics.match_detections(found, truths, min_height=VAL_HEIGHT)


def _found(net: keras.Model, how: Recipe, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(boxes in pixels of the input, scores) of each prepared image."""
    cells, found = Cells.of(how.size, how.size), []
    for start in range(0, len(images), 16):
        raw = net(scaled(images[start : start + 16], how.input(how.size)), training=False)
        found += decode({key: keras.ops.convert_to_numpy(value) for key, value in raw.items()}, cells)
    return found


def validation_genders(data: Path, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(scenes uint8 (N, size, size, 3), boxes (N, 2, 4), genders (N, 2)) of UTKFace's validation; None without it."""
    behind = data / BEHIND["train"]
    try:
        known = utkface.load(data).split("val").faces[:GENDERS]
        canvases = [path for path in list_images(behind) if path.suffix == ".jpg"]
    except (UnknownLayout, EmptyFolder, DataError):
        return None
    made = [
        composed(canvases[start // 2 % len(canvases)], known[start : start + 2], start)
        for start in range(0, len(known) - 1, 2)
    ]
    images = np.stack([letterbox(canvas, size, size)[0] for canvas, _ in made])
    genders = np.array([face.gender for face in known[: 2 * len(made)]]).reshape(-1, 2)
    return images, np.array([boxes for _, boxes in made]) * size / SCENE, genders


def _gender_accuracy(
    net: keras.Model, how: Recipe, images: np.ndarray, boxes: np.ndarray, genders: np.ndarray
) -> float:
    """Of the cell that scores best in the middle of each face."""
    cells, right = Cells.of(how.size, how.size), []
    for start in range(0, len(images), 16):
        raw = net(scaled(images[start : start + 16], how.input(how.size)), training=False)
        scores, female = (keras.ops.convert_to_numpy(raw[name])[..., 0] for name in ("score", "gender"))
        for row in range(len(scores)):
            for box, gender in zip(boxes[start + row], genders[start + row], strict=True):
                middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 4
                near = np.flatnonzero((np.abs(cells.centres - middle) < np.maximum(half, 8)).all(axis=1))
                best = near[scores[row, near].argmax()]
                right.append((female[row, best] > 0) == gender)
    return float(np.mean(right))


def _warm(model: keras.Model, donor: Run) -> None:
    if donor.task != TASK:
        raise OptionError(f"{donor.path} is a run of task {donor.task!r}; a warm start takes one of {TASK!r}.")
    how = of_run(donor, Recipe, TASK)
    source = build(how, 64)
    source.load_weights(donor.weights)
    detector_start.copy_trunk(source, model)
    detector_start.copy_alike(source, model)
