"""Person masks: which pixels are the person and, as a second output, of which clothing; Clothing Co-Parsing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens.manifest import DataSource, InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import ccp
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.mask_views import MaskAugment
from handlens_train.recipe import IMAGENET, image_input, needed, of_run, provenance, training_images
from handlens_train.run import Run

TASK = "person-mask"
TITLE = "Person mask"
PRIMARY = "iou"
READS_DATA = True
VERSION = "1.0"
CLASS_STRIDE = 4
OWN = "Apache-2.0: trained on Clothing Co-Parsing"
SHARED = "CC BY-SA 4.0: trained on Clothing Co-Parsing (Apache-2.0), people before pictures of Oxford-IIIT Pet"
NEAR = MaskAugment(zoom=0.3, aspect=0.2, shift=0.12, rotate=10.0, mirror=0.5, erase=0.1)
MILD = MaskAugment(zoom=0.15, aspect=0.12, shift=0.07, rotate=6.0, colour=0.25, blur=0.1, noise=3.0, erase=0.05)
FAR = MaskAugment(zoom=0.3, shrink=0.7, aspect=0.6, shift=0.3, rotate=15.0, mirror=0.5, erase=0.1)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train; everything that decides the weights, but for data and seed.

    height, width: of the input in pixels, multiples of 32; any picture is stretched to it. expand: of each block of
    EfficientNet-Lite0 that is kept (Lite0 has 1, then 6). context: channels of the stage at stride 32. decoder:
    channels from stride 32 to the mask's, each half of the one before. classes: whether clothing is told, too. start:
    "efficientnet-lite0" for its ImageNet weights, None for random ones. freeze: the stem and so many blocks keep them.
    far: share of views in which the person is small or the picture a wide one. close: of those that show head and
    shoulders, or little more. paste: share of views that are cut out
    and put before another picture, half of those before one without people. dice, edge, label_weight: of the loss.
    distil: share of a teacher's answer in what the mask should be, where a teacher is given. refine: further residual
    convolutions at the mask's stride. lean: pixels of the photographs by which the masks lie right of them, here.
    """

    height: int = 256
    width: int = 192
    expand: tuple[int, ...] = (1, 6, 6, 6, 6, 6, 4, 4)
    context: int = 80
    decoder: tuple[int, ...] = (48, 48, 32, 24, 16)
    classes: bool = True
    start: str | None = "efficientnet-lite0"
    freeze: int = 3
    batch: int = 16
    epochs: int = 70
    evaluate_every: int = 2
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_epochs: float = 1.0
    ema: float = 0.995
    far: float = 0.35
    close: float = 0.0
    paste: float = 0.25
    dice: float = 1.0
    edge: float = 1.0
    label_weight: float = 0.3
    distil: float = 0.0
    refine: int = 0
    lean: float = 0.65
    near_views: MaskAugment = field(default_factory=lambda: NEAR)
    far_views: MaskAugment = field(default_factory=lambda: FAR)

    def input(self) -> InputSpec:
        """What the network reads: RGB, stretched, (pixel - 128) / 128, which is exact in int8."""
        return image_input(self.height, self.width)

    def decoder_channels(self) -> dict[int, int]:
        """Channels of the decoder by stride: 32, 16, ... down to the mask's."""
        return {32 >> level: channels for level, channels in enumerate(self.decoder)}

    @property
    def stride(self) -> int:
        """Of the mask."""
        return 32 >> (len(self.decoder) - 1)


RECIPES: dict[str, Recipe] = {
    "person-mask": Recipe(
        width=224, freeze=2, epochs=20, learning_rate=4e-4, far=0.15, close=0.2, paste=0.1, refine=1, near_views=MILD
    ),
    "person-mask-start": Recipe(lean=0.0),
    "person-mask-nano": Recipe(
        height=192,
        width=160,
        expand=(1, 3, 3, 3, 3, 4, 3),
        context=64,
        decoder=(32, 32, 24, 16, 8),
        classes=False,
        freeze=0,
        epochs=44,
        evaluate_every=3,
        learning_rate=2e-3,
        far=0.2,
        close=0.2,
        paste=0.15,
        distil=0.5,
        near_views=MILD,
    ),
}


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    teacher: Annotated[
        Path | None, typer.Option(help="Run of a larger recipe, whose masks are learnt besides the true ones.")
    ] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Run whose layers of the same name and shape are copied.")
    ] = None,
    **options: Any,
) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.person_mask_training.train` for the options."""
    from handlens_train import person_mask_training

    return person_mask_training.train(name, data, out, teacher=teacher, warm_start=warm_start, **options)


def load(run: Run, data: Path | None = None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
    """
    from handlens_train.person_mask_nets import network

    how = of_run(run, Recipe, TASK)
    model = network(how)
    run.fill(model)
    meanings = {"mask": "logit of the person in each cell", "classes": "logits of the cell's clothing"}
    outputs = tuple(
        OutputSpec(
            name=key,
            meaning=meanings[key],
            shape=(1, *tensor.shape[1:]),
            tolerance=Tolerance(absolute=1e-3, relative=1e-3),
        )
        for key, tensor in model.output.items()
    )
    sources = [DataSource(**facts) for facts in run.info["data"]["sources"]]
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=outputs,
        labels=ccp.NAMES if how.classes else (),
        decoding={"kind": "mask", "labels_of": "classes"} if how.classes else {"kind": "mask"},
        provenance=provenance(
            run,
            sources + ([IMAGENET] if how.start is not None else []),
            SHARED if len(sources) > 1 else OWN,
            " ".join(
                f"--{option} RUN" for option in ("warm-start", "teacher") if run.config.get(option.replace("-", "_"))
            ),
        ),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Overlap with the true masks of a split of CCP, in the photographs' own pixels; see `person_mask_figures`.

    The test is followed by Penn-Fudan and by pictures of pets, where those are in `data`.

    Args:
        path: of the artifact.
        data: folder of Clothing Co-Parsing, either layout, or the one above it.
        split: "test" or "val".
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or it is empty.
    """
    from handlens_train import person_mask_figures

    return person_mask_figures.evaluate(path, data, split, engine)


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    photos = ccp.load(data, "train")
    tested = (*ccp.load(data, "val").paths, *ccp.load(data, "test").paths)
    return Pool.of(photos, ccp.NAME, ccp.LICENCE, tested=tested)
