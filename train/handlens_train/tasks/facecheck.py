"""Face or not, on the 200 grey patches that scikit-image ships: the smallest task that walks the whole way.

It is the demo's task (`make demo`), and the shortest example of what a task file holds: RECIPES, train, load, evaluate.
Keras is imported inside the functions that train, so that an artifact is evaluated without it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import ManifestInvalid
from handlens.manifest import DataSource, InputSpec, OutputSpec, Tolerance
from handlens_data.datasets import lfw_subset
from handlens_train.augment import Augment
from handlens_train.evaluation import Evaluation, Item, right_or_wrong
from handlens_train.exportable import Exportable
from handlens_train.recipe import choose, image_input, of_run, provenance
from handlens_train.run import Run

TASK = "facecheck"
TITLE = "Face or not"
PRIMARY = "accuracy"
READS_DATA = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """A tiny convolutional net; everything that decides the weights, but for the seed.

    channels: of the stride-2 convolutions, one after another. images: of each class in a batch.
    """

    channels: tuple[int, ...] = (16, 32, 48)
    size: int = 32
    smoothing: float = 0.05
    images: int = 10
    epochs: int = 28
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3
    ema: float = 0.9
    augment: Augment = Augment(flip=0.5, shift=3, rotate=10.0, colour=0.3, erase=0.25)

    def input(self) -> InputSpec:
        """What the network reads: `size` x `size` grey, (pixel - 128) / 128, which is exact in int8."""
        return image_input(self.size, self.size, colour="GREY")


RECIPES: dict[str, Recipe] = {"tiny": Recipe()}


def build(how: Recipe) -> Any:
    """The Keras model: "image" (N, size, size, 1) float32, scaled, to {"scores": (N, 2)}, logits of the labels."""
    import keras

    from handlens_train.backbones import conv_bn

    image = keras.Input((how.size, how.size, 1), name="image")
    x = image
    for index, channels in enumerate(how.channels):
        x = conv_bn(keras, x, channels, 3, 2, f"conv{index}")
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    scores = keras.layers.Dense(len(lfw_subset.LABELS), name="scores")(x)
    model = keras.Model(image, {"scores": scores}, name=TASK)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # a few hundred steps are too few for Keras's 0.99 to forget its start
    return model


def train(
    name: str,
    data: Path | None,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    patience: int | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
    callbacks: Callable[[], list[Any]] = list,
) -> str:
    """Train a recipe into the run folder `out`, or go on where an earlier call stopped; returns fit's status.

    Args:
        name: of the recipe.
        data: not read; the patches come with scikit-image.
        out: the run folder.
        seed: of weights, batches and augmentation.
        max_minutes: wall-clock limit over all sessions of this run.
        patience: evaluations without a better accuracy before an early stop.
        overrides: fields of the recipe to replace.
        tick: called as tick(epoch, scores).
        callbacks: further Keras callbacks, made anew each epoch.

    Raises:
        RunError: `out` holds a run of other settings.
        OptionError: unknown recipe.
        MissingExtra: scikit-image is not installed.
    """
    import keras

    from handlens_train import fit, losses, sampling
    from handlens_train.begin import start_run
    from handlens_train.images import scaled

    how = choose(RECIPES, TASK, name, overrides)
    spec, splits = how.input(), {split: lfw_subset.load(split) for split in ("train", "val")}
    described = {key: {"images": len(part), "sha256": part.sha256()} for key, part in splits.items()}
    start_run(out, TASK, name, asdict(how), seed, {"name": lfw_subset.NAME, "licence": lfw_subset.LICENCE, **described})
    images = {key: prepared(part, spec) for key, part in splits.items()}
    labels = splits["train"].labels
    model = build(how)
    rate = keras.optimizers.schedules.CosineDecay(how.learning_rate, how.epochs * (len(labels) // (2 * how.images)))
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=how.weight_decay),
        loss={"scores": losses.SmoothIdentity(how.smoothing)},
        jit_compile=keras.backend.backend() == "jax",
    )

    def batches(epoch: int) -> sampling.Batches:
        chosen = sampling.identity_batches(labels, len(lfw_subset.LABELS), how.images, seed, epoch)
        targets = {"scores": labels}
        return sampling.Batches(images["train"], targets, chosen, how.augment, spec.scale, spec.offset, (seed, epoch))

    val_input = scaled(images["val"], spec)

    def evaluate_epoch(net: Any) -> dict[str, float]:
        right = net.predict(val_input, verbose=0)["scores"].argmax(axis=1) == splits["val"].labels
        return {PRIMARY: float(right.mean())}

    schedule = fit.Schedule(how.epochs, 4, patience, max_minutes, how.ema)
    return fit.fit(model, model, batches, evaluate_epoch, PRIMARY, out, schedule, tick, callbacks)


def load(run: Run, data: Path | None = None) -> Exportable:
    """The trained network of a run, with what export needs to know of it.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
        MissingExtra: scikit-image is not installed.
    """
    how = of_run(run, Recipe, TASK)
    model = build(how)
    run.fill(model)
    patches, spec = lfw_subset.load("train"), how.input()
    source = DataSource(name=lfw_subset.NAME, licence=lfw_subset.LICENCE, split="train", sha256=patches.sha256())

    def training_images(count: int, seed: int) -> tuple[np.ndarray, DataSource]:
        chosen = np.random.default_rng(seed).permutation(len(patches))[:count]
        return prepared(patches, spec)[chosen], source

    return Exportable(
        model=model,
        task=TASK,
        name=f"{TASK}-{run.recipe}",
        version="1",
        input=spec,
        outputs=(
            OutputSpec(
                name="scores",
                meaning=f"logits of {', '.join(lfw_subset.LABELS)}",
                shape=(1, len(lfw_subset.LABELS)),
                tolerance=Tolerance(absolute=1e-6, relative=2e-3),
            ),
        ),
        labels=lfw_subset.LABELS,
        decoding={},
        provenance=provenance(run, [source], "research use, as its data; a demonstration, not a face detector"),
        primary=PRIMARY,
        training_images=training_images,
        evaluate=lambda path, split, engine=None: evaluate(path, data, split, engine),
    )


def evaluate(path: Path, data: Path | None = None, split: str = "test", engine: str | None = None) -> Evaluation:
    """Accuracy of an artifact on a split of the patches, through the runtime.

    Args:
        path: of the artifact.
        data: not read; the patches come with scikit-image.
        split: "train", "val" or "test".
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        OptionError: there is no such split.
    """
    from handlens.artifact import Artifact
    from handlens.engine import open_engine
    from handlens.image import to_tensor

    artifact, patches = Artifact.open(path), lfw_subset.load(split)
    manifest = artifact.manifest
    if manifest.task != TASK or manifest.labels != lfw_subset.LABELS:
        raise ManifestInvalid(f"{path} is for {manifest.task!r} with labels {manifest.labels}; expected {TASK!r}.")
    opened = open_engine(artifact, engine)
    try:
        name, output = manifest.input.name, manifest.outputs[0].name
        tensors = (to_tensor(pixels, manifest.input) for pixels in prepared(patches, manifest.input))
        predicted = np.array([opened.run({name: tensor})[output].argmax() for tensor in tensors])
        used = f"{opened.name} {opened.version}"
    finally:
        opened.close()
    right = predicted == patches.labels
    items = tuple(
        Item(f"patch {index}", lfw_subset.LABELS[answer], float(ok), (patch,))
        for index, (answer, ok, patch) in enumerate(zip(predicted.tolist(), right, patches.images, strict=True))
    )
    protocol = f"{len(patches)} patches, half of them faces; the likelier of two classes"
    return right_or_wrong(lfw_subset.NAME, split, right, used, protocol=protocol, items=items)


def prepared(patches: lfw_subset.Patches, spec: InputSpec) -> np.ndarray:
    """Patches as the device would prepare them: uint8 (N, height, width, 1)."""
    from handlens.image import prepare

    return np.stack([prepare(patch, spec) for patch in patches.images])
