"""Pets: the breed (37 of cats and dogs) and the foreground of a photograph, on Oxford-IIIT Pet in either layout."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import pets
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.mask_views import MaskAugment
from handlens_train.recipe import (
    IMAGENET,
    choose,
    image_input,
    needed,
    of_run,
    provenance,
    training_data,
    training_images,
)
from handlens_train.run import Run

TASK = "pets"
TITLE = "Pets: breed and foreground"
PRIMARY = "top1"
READS_DATA = True
VERSION = "1.0"
LICENCE = "CC BY-SA 4.0: trained on Oxford-IIIT Pet"
EMBEDDING = "embedding"
NEIGHBOURS = 5  # of an autoencoder's embedding, whose breeds vote
VIEWS = MaskAugment(
    flip=0.5, zoom=0.35, aspect=0.25, shift=0.12, rotate=12.0, mirror=1.0, colour=0.3, blur=0.15, noise=0.0, erase=0.25
)
MILD = MaskAugment(
    flip=0.5, zoom=0.25, aspect=0.2, shift=0.1, rotate=10.0, mirror=1.0, colour=0.2, blur=0.1, noise=0.0, erase=0.0
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train; everything that decides the weights, but for data and seed.

    network: "mobile" (EfficientNet-Lite0 and a decoder), "scratch" (three conv-pool blocks and transposed convolutions)
    or "autoencoder" (convolution and upsampling rebuild the picture; its bottleneck is an embedding, and the breed that
    of the nearest training images). size: side of the square input in pixels. blocks: of EfficientNet-Lite0. start:
    "efficientnet-lite0" for its ImageNet weights, None for random ones. frozen_epochs, frozen_rate: of the first stage,
    in which what came pretrained stays as it is. unfreeze: the first block that trains in the second stage; batch
    statistics of pretrained blocks never change. mask_weight: of the mask's loss. masked: images with a mask in a batch
    beside the `batch` drawn from all. sure: probability from which the first stage's mask of an image without one
    teaches the second stage; 1 for never.
    """

    network: str = "mobile"
    size: int = 224
    blocks: int = 16
    start: str | None = "efficientnet-lite0"
    frozen_epochs: int = 6
    frozen_rate: float = 2e-3
    unfreeze: int = 9
    epochs: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 0.03
    warmup_epochs: float = 1.0
    dropout: float = 0.3
    smoothing: float = 0.1
    mask_weight: float = 1.0
    batch: int = 24
    masked: int = 8
    sure: float = 0.9
    ema: float = 0.99
    views: MaskAugment = field(default_factory=lambda: VIEWS)

    def input(self) -> InputSpec:
        """What the network reads: RGB, stretched to a square, (pixel - 128) / 128, which is exact in int8."""
        return image_input(self.size, self.size)


_ALONE = {"start": None, "frozen_epochs": 0, "unfreeze": 0, "size": 96, "views": MILD}
RECIPES: dict[str, Recipe] = {
    "pets-mobile": Recipe(),
    "pets-scratch": Recipe(
        network="scratch", epochs=50, learning_rate=2e-3, batch=48, masked=16, warmup_epochs=2.0, **_ALONE
    ),
    "pets-autoencoder": Recipe(
        network="autoencoder", epochs=24, learning_rate=2e-3, batch=64, masked=0, warmup_epochs=2.0, **_ALONE
    ),
}


def train(name: str, data: Path, out: Path, **options: Any) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.pets_training.train` for the options."""
    from handlens_train import pets_training

    return pets_training.train(choose(RECIPES, TASK, name, options.pop("overrides", None)), name, data, out, **options)


def load(run: Run, data: Path | None = None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
    """
    import keras

    from handlens_train.pets_nets import network

    how = of_run(run, Recipe, TASK)
    model = network(how)
    run.fill(model)
    decoding: dict[str, object] = {"kind": "mask", "labels_of": "class"}
    if how.network == "autoencoder":
        model = keras.Model(model.input, {EMBEDDING: model.output[EMBEDDING]}, name="pets")
        decoding = {"kind": "neighbours", "neighbours": NEIGHBOURS}
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=_outputs({name: tuple(tensor.shape[1:]) for name, tensor in model.output.items()}),
        labels=pets.BREEDS,
        decoding=decoding,
        provenance=provenance(run, [training_data(run), *([IMAGENET] if how.start else [])], LICENCE),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Breeds of a split and masks of the masked images beside it, through the runtime; see `pets_figures`.

    Args:
        path: of the artifact.
        data: folder of Oxford-IIIT Pet, either layout.
        split: "test" or "val".
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or the folder has too few images for it.
    """
    from handlens_train import pets_figures

    return pets_figures.evaluate(path, pets.unseen(pets.load(data)), split, engine)


def evidence(run: Run, data: Path, split: str, out: Path) -> list[Any]:
    """The sections that `handlens train evidence` adds to a run's page; see `evidence.animals`."""
    from handlens_train.evidence import animals

    return animals.sections(run, data, split, out)


def _outputs(shapes: dict[str, tuple[int, ...]]) -> tuple[OutputSpec, ...]:
    meanings = {
        "class": "logits of the breeds",
        "mask": "logit of the pet in each cell",
        EMBEDDING: "embedding: the autoencoder's bottleneck; compare by cosine",
    }
    tolerance = Tolerance(absolute=1e-3, relative=1e-3)
    return tuple(
        OutputSpec(name=name, meaning=meanings[name], shape=(1, *shape), tolerance=tolerance)
        for name, shape in shapes.items()
    )


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    found = pets.load(data)
    train = pets.unseen(found).split("train")
    tested = tuple(path for name, split in found.splits.items() if name != "train" for path in split.paths)
    return Pool.of(train, pets.NAME, pets.LICENCE, groups=tuple(train.breeds.tolist()), tested=tested)
