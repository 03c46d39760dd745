"""Attributes of a person, trained on PETA: gender, torso and legs (type and colour), luggage; six heads, one trunk."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import peta
from handlens_data.datasets.attributes import HEADS
from handlens_train.augment import Augment
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.recipe import IMAGENET, image_input, needed, of_run, provenance, training_data, training_images
from handlens_train.run import Run

TASK = "attributes"
TITLE = "Person attributes"
PRIMARY = "mean_accuracy"
READS_DATA = True
VERSION = "1.0"
# Nothing that changes a colour, or makes a skirt longer: a mirror, a shift, a uniform zoom, an erased rectangle.
AUGMENT = Augment(flip=0.5, shift=8, rotate=5.0, colour=0.0, erase=0.5, zoom=0.1)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train the attributes; everything that decides the weights, but for data and seed.

    height, width: of the input in pixels. trunk: "lite0", EfficientNet-Lite0 (blocks, head, stripes: see
    `attributes_nets.network_lite0`), or "vgg", the early report's (channels, hidden). start: "efficientnet-lite0" for
    its ImageNet weights, None for random ones. freeze: the stem and so many blocks keep the weights they start with.
    smoothing: of the labels. dropout: before the last layers. planned_epochs: what the fall of the learning rate is
    laid out for, where it is more than `epochs`; None is `epochs`. mirror: the device asks about the crop and its
    mirror, and takes the mean of the logits: better, and twice the time.
    """

    height: int = 160
    width: int = 80
    trunk: Literal["lite0", "vgg"] = "lite0"
    blocks: int = 11
    head: int = 192
    stripes: int = 5
    channels: tuple[int, ...] = ()
    hidden: int = 0
    start: str | None = "efficientnet-lite0"
    freeze: int = 3
    smoothing: float = 0.1
    dropout: float = 0.4
    batch: int = 64
    epochs: int = 24
    planned_epochs: int | None = None
    mirror: bool = True
    learning_rate: float = 4e-4
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    ema: float = 0.998
    augment: Augment = field(default_factory=lambda: AUGMENT)

    def input(self) -> InputSpec:
        """What the network reads: RGB, the whole crop resized, (pixel - 128) / 128."""
        return image_input(self.height, self.width)

    def network(self) -> Any:
        """The Keras model, with random weights."""
        from handlens_train import attributes_nets

        if self.trunk == "vgg":
            return attributes_nets.network_vgg(
                self.height, self.width, channels=self.channels, hidden=self.hidden, dropout=self.dropout
            )
        return attributes_nets.network_lite0(
            self.height,
            self.width,
            blocks=self.blocks,
            head=self.head,
            stripes=self.stripes,
            dropout=self.dropout,
        )


RECIPES: dict[str, Recipe] = {
    "attributes": Recipe(),
    # A second cook for the soup of "attributes": stopped half-way, at a high learning rate.
    "attributes-high-rate": Recipe(
        epochs=16,
        planned_epochs=30,
        learning_rate=1e-3,
        dropout=0.3,
        augment=Augment(flip=0.5, shift=6, rotate=4.0, colour=0.0, erase=0.3, zoom=0.08),
    ),
    "vgg-attributes": Recipe(
        height=100,
        width=60,
        trunk="vgg",
        channels=(32, 64, 128, 256),
        hidden=256,
        start=None,
        freeze=0,
        dropout=0.5,
        epochs=12,
        learning_rate=3e-4,
        weight_decay=1e-4,
        mirror=False,
    ),
}


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    soup: Annotated[
        list[Path] | None,
        typer.Option(help="Finished run of the same network, averaged in where validation gains; may be repeated."),
    ] = None,
    **options: Any,
) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.attributes_training.train` for the options."""
    from handlens_train import attributes_training

    return attributes_training.train(name, data, out, soup=soup, **options)


def load(run: Run, data: Path | None = None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    What training noted for each head, a shift of the logits and a temperature, is folded into the last layers.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
    """
    from handlens_train.attributes_nets import adjust

    how = of_run(run, Recipe, TASK)
    model = how.network()
    run.fill(model)
    adjust(model, run.info.get("heads", {}))
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=tuple(_output(head) for head in HEADS),
        labels=(),
        decoding={
            "kind": "heads",
            "labels": {head: list(classes) for head, classes in HEADS.items()},
            "mirror": how.mirror,
        },
        provenance=provenance(
            run,
            [training_data(run), *([IMAGENET] if how.start else [])],
            "research use only: trained on PETA",
            " ".join(f"--soup {item['run']}" for item in run.info.get("soup", [])),
        ),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Accuracy, macro F1, mean recall and confusion of each head on a split of PETA, through the runtime.

    On "test", Market-1501's attributes are measured beside it, where the folder has them.

    Args:
        path: of the artifact.
        data: folder of PETA, either layout.
        split: "test" or "val"; "train" is there, too.
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or the folder has too few people for it.
    """
    from handlens_train.attributes_figures import evaluation

    return evaluation(path, data, split, engine)


def _output(head: str) -> OutputSpec:
    return OutputSpec(
        name=head,
        meaning=f"logits of {', '.join(HEADS[head])}; their softmax is the confidence",
        shape=(1, len(HEADS[head])),
        tolerance=Tolerance(absolute=1e-4, relative=1e-3),
    )


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    found = peta.load(data)
    people = peta.unseen(found).split("train")
    tested = (*found.val.paths, *found.test.paths)
    return Pool.of(people, peta.NAME, peta.LICENCE, groups=tuple(people.groups), tested=tested)
