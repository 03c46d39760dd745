"""Gender of a face crop, trained on UTKFace: one logit, so that a caller gets a confidence and not only a label."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import utkface
from handlens_train.augment import Augment
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.recipe import IMAGENET, image_input, needed, of_run, provenance, training_data, training_images
from handlens_train.run import Run

TASK = "gender"
TITLE = "Gender"
PRIMARY = "accuracy"
READS_DATA = True
VERSION = "1.0"
AUGMENT = Augment(flip=0.5, shift=6, rotate=12.0, colour=0.3, erase=0.3, zoom=0.15)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train the classifier; everything that decides the weights, but for data and seed.

    size: side of the square input in pixels. blocks: of EfficientNet-Lite0. head: channels of the 1x1 convolution
    before the spatial mean. start: "efficientnet-lite0" for its ImageNet weights, None for random ones. freeze: the
    stem and so many blocks keep the weights they start with, which more than doubles the images a second. smoothing: of
    the labels, which are guesses themselves.
    """

    size: int = 80
    blocks: int = 7
    head: int = 96
    activation: str = "relu6"
    start: str | None = "efficientnet-lite0"
    freeze: int = 3
    smoothing: float = 0.1
    batch: int = 64
    epochs: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_epochs: float = 1.0
    ema: float = 0.998
    augment: Augment = field(default_factory=lambda: AUGMENT)

    def input(self) -> InputSpec:
        """What the network reads: RGB, (pixel - 128) / 128, which is exact in int8."""
        return image_input(self.size, self.size)


RECIPES: dict[str, Recipe] = {
    "gender": Recipe(),
    # Not to ship: MobileNetV3's activation where the frozen ImageNet blocks had relu6. Nothing bounds their values any
    # more: floats do not mind, and int8 loses its steps on them. docs/compression.md repairs it.
    "gender-hardswish": Recipe(activation="hard_swish", epochs=3),
}


def train(name: str, data: Path, out: Path, **options: Any) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.gender_training.train` for the options."""
    from handlens_train import gender_training

    return gender_training.train(name, data, out, **options)


def load(run: Run, data: Path | None = None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    The temperature that training noted is folded into the last layer.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
    """
    from handlens_train.gender_nets import network, sharpen

    how = of_run(run, Recipe, TASK)
    model = network(how.size, how.size, how.blocks, how.head, how.activation)
    run.fill(model)
    sharpen(model, run.info.get("temperature", 1.0))
    sources = [training_data(run)]
    if how.start is not None:
        sources.append(IMAGENET)
    logit = OutputSpec(
        name="gender",
        meaning="logit of female; the sigmoid of its absolute value is the confidence",
        shape=(1, 1),
        tolerance=Tolerance(absolute=1e-4, relative=1e-3),
    )
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=(logit,),
        labels=utkface.GENDERS,
        decoding={},
        provenance=provenance(run, sources, "research use only: trained on UTKFace"),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Accuracy and calibration of an artifact on a split of UTKFace, through the runtime; see `gender_figures`.

    Args:
        path: of the artifact.
        data: folder of UTKFace, any layout.
        split: "test" or "val"; "train" is there, too.
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or the folder has too few images for it.
    """
    from handlens.face import GenderClassifier
    from handlens_train.gender_figures import evaluation

    found = utkface.load(data)
    faces = found.test if split == "test" else utkface.unseen(found).split(split)
    with GenderClassifier.load(path, engine=engine) as model:
        answers, ran = model.classify(faces.paths), model.engine
    female = np.array([item.confidence if item.label == "female" else 1 - item.confidence for item in answers])
    return evaluation(faces, female, split, ran, len(found.skipped))


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    found = utkface.load(data)
    faces = utkface.unseen(found).split("train")
    return Pool.of(faces, utkface.NAME, utkface.LICENCE, tested=(*found.val.paths, *found.test.paths))
