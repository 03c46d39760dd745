"""Person re-identification: the recipes, from the early reports' networks and baselines to the modern one."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from handlens import metrics
from handlens.errors import DataError, OptionError
from handlens.manifest import InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import market1501
from handlens_data.datasets.identity import IdentitySplit
from handlens_train.augment import Augment
from handlens_train.evaluation import Evaluation, Item
from handlens_train.exportable import Exportable
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

TASK = "reid"
TITLE = "Person re-identification"
PRIMARY = "rank1"
READS_DATA = True
VERSION = "1.0"
CURVE = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train a re-ID network; everything that decides the weights, but for data and seed.

    loss: "identity" (label-smoothed softmax on the BNNeck + batch-hard triplet, P x K batches), "siamese" (random
    triplets, margin loss on normalised embeddings), or "pca" and "lda" (fitted, not trained). teacher_weight: of the
    distillation term when a teacher is given. freeze: the stem and so many blocks keep the weights they start with.
    options: of the trunk, or of the baseline's fit.
    """

    trunk: str
    options: dict[str, Any]
    height: int = 128
    width: int = 64
    colour: Literal["RGB", "GREY"] = "RGB"
    loss: str = "identity"
    margin: float | None = None
    smoothing: float = 0.1
    identities: int = 16
    images: int = 4
    epochs: int = 40
    learning_rate: float = 3.5e-4
    weight_decay: float = 0.02
    warmup_epochs: float = 2.0
    ema: float = 0.998
    start: str | None = None
    teacher_weight: float = 0.0
    freeze: int = 0
    augment: Augment = field(default_factory=Augment)

    @property
    def fitted(self) -> bool:
        """Whether this is a classical baseline."""
        return self.loss in ("pca", "lda")

    def input(self) -> InputSpec:
        """What the network reads; (pixel - 128) / 128 is exact in int8."""
        return image_input(self.height, self.width, colour=self.colour)


_EARLY = {"loss": "siamese", "height": 64, "width": 32, "margin": 0.2, "weight_decay": 1e-4, "ema": 0.99}
_EARLY |= {"epochs": 12, "learning_rate": 1e-3, "identities": 21, "images": 3}
# The ladder is tuned in turn (docs/training-reid.md): reid-start from ImageNet at 128x64, reid-large from reid-start at
# 160x80 with gentler augmentation, then the smaller two from reid-large, which also teaches them.
_START = {"start": "efficientnet-lite0"}
_GENTLE = Augment(flip=0.5, shift=8, rotate=3.0, colour=0.12, erase=0.35)
_LADDER = _START | {"height": 160, "width": 80, "freeze": 3, "warmup_epochs": 1.0, "augment": _GENTLE}
_FITTED = {"height": 64, "width": 32, "epochs": 0}
RECIPES: dict[str, Recipe] = {
    "reid-start": Recipe("lite0", {"blocks": 12, "head": 256}, **_START),
    "reid-large": Recipe("lite0", {"blocks": 12, "head": 256}, epochs=15, learning_rate=2e-4, **_LADDER),
    "reid-base": Recipe("lite0", {"blocks": 11, "head": 256}, epochs=10, teacher_weight=8.0, **_LADDER),
    "reid-small": Recipe("lite0", {"blocks": 8, "head": 256}, epochs=20, teacher_weight=8.0, **_LADDER),
    "mobile-scratch": Recipe("mobile", {"width": 0.5, "head": 256}, epochs=80, learning_rate=1e-3),
    "vgg-triplet": Recipe("vgg", {"head": 32}, colour="GREY", **_EARLY),
    "dcnn-triplet": Recipe("dcnn", {"head": 300}, **_EARLY),
    "pca90": Recipe("none", {"variance": 0.90, "whiten": 0.5}, colour="GREY", loss="pca", **_FITTED),
    "pca95": Recipe("none", {"variance": 0.95, "whiten": 0.5}, colour="GREY", loss="pca", **_FITTED),
    "pca99": Recipe("none", {"variance": 0.99, "whiten": 0.5}, colour="GREY", loss="pca", **_FITTED),
    "lda": Recipe("none", {}, loss="lda", **_FITTED),
}


def load_data(root: Path) -> tuple[IdentitySplit, IdentitySplit]:
    """(train, val) of Market-1501 in either layout.

    Raises:
        DataError: the folder has no training part.
    """
    data = market1501.load(root)
    if data.train is None or data.val is None:
        raise DataError(
            f"{data.root} has no training images (train/ or bounding_box_train/); it can only be evaluated."
        )
    return data.train, data.val


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    teacher: Annotated[Path | None, typer.Option(help="Artifact to distil from, of the same dimension.")] = None,
    warm_start: Annotated[Path | None, typer.Option(help="Run whose layers to start from, where they fit.")] = None,
    flip: Annotated[float | None, typer.Option(help="Probability of a mirrored image, 0 to 1.")] = None,
    shift: Annotated[int | None, typer.Option(help="Largest shift in pixels, 0 to 64.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Largest rotation in degrees, 0 to 45.")] = None,
    colour: Annotated[float | None, typer.Option(help="Largest change of brightness and the like, 0 to 0.9.")] = None,
    erase: Annotated[float | None, typer.Option(help="Probability of an erased rectangle, 0 to 1.")] = None,
    overrides: dict[str, Any] | None = None,
    **options: Any,
) -> str:
    """Train (or fit) a recipe into the run folder `out`; see `handlens_train.reid_training.train` for the rest."""
    from handlens_train import reid_training

    flags = {"flip": flip, "shift": shift, "rotate": rotate, "colour": colour, "erase": erase}
    given = {flag: value for flag, value in flags.items() if value is not None}
    changed = dict(overrides or {})
    if given:
        changed["augment"] = replace(choose(RECIPES, TASK, name, changed).augment, **given)
    return reid_training.train(name, data, out, teacher=teacher, warm_start=warm_start, overrides=changed, **options)


def load(run: Run, data: Path | None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    Raises:
        RunError: of another task.
    """
    from handlens_train import reid_training

    how = of_run(run, Recipe, TASK)
    model = reid_training.inference_model(run, how)
    dimension = model.output["embedding"].shape[-1]
    embedding = OutputSpec(
        name="embedding",
        meaning="identity embedding, not normalised; compare by cosine",
        shape=(1, dimension),
        tolerance=Tolerance(absolute=0.0, relative=1e-3),
    )
    sources = [training_data(run)]
    if how.start is not None:
        sources.append(IMAGENET)
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=(embedding,),
        labels=(),
        decoding={},
        provenance=provenance(run, sources, "research use only: trained on Market-1501"),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(), count, seed),
        evaluate=lambda path, split, engine: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str, engine: str | None = None) -> Evaluation:
    """Rank-1/5/10 and mAP of an artifact, through the runtime.

    "val": each image of the held-out training identities against all others (multi-shot). "test": probes against the
    gallery of the folder. Images of the probe's identity under the probe's camera never count (Zheng et al. 2015).
    Intervals are 95% bootstraps over identities.

    Raises:
        OptionError: unknown split. DataError: the folder lacks the split. ProbeWithoutMatch: a probe that cannot be
        found.
    """
    from handlens.person import PersonReidentifier

    probe, gallery, protocol = _splits(data, split)
    with PersonReidentifier.load(path, engine=engine) as model:
        ran = model.engine
        probes = model.embed(probe.paths)
        items = probes if gallery is probe else model.embed(gallery.paths)
    ranking = metrics.rank(probes @ items.T, probe.identities, gallery.identities, probe.cameras, gallery.cameras)
    figures = {f"rank{k}": metrics.bootstrap(ranking.hits(k), ranking.probe_ids) for k in (1, 5, 10)} | {
        "mAP": metrics.bootstrap(ranking.average_precision, ranking.probe_ids)
    }
    return Evaluation(
        dataset=market1501.NAME,
        split=split,
        protocol=protocol,
        n=len(ranking.probe_ids),
        primary=PRIMARY,
        metrics=figures,
        outcomes=ranking.hits(1),
        groups=ranking.probe_ids,
        curve=tuple(float(value) for value in metrics.cmc(ranking, min(CURVE, len(gallery)))),
        engine=ran,
        items=tuple(
            Item(path.name, f"found at rank {first + 1}", float(first == 0), (path,))
            for path, first in zip(probe.paths, ranking.first_match.tolist(), strict=True)
        ),
    )


def _splits(data: Path, split: str) -> tuple[IdentitySplit, IdentitySplit, str]:
    if split not in ("val", "test"):
        raise OptionError(f"unknown split {split!r}; valid: val, test.")
    if split == "val":
        _, val = load_data(data)
        return val, val, f"multi-shot, {len(np.unique(val.identities))} held-out identities, {len(val)} images"
    found = market1501.load(data)
    assert found.probe is not None and found.gallery is not None
    protocol = f"{found.protocol}: {len(found.probe)} probes, {len(found.gallery)} gallery images"
    return found.probe, found.gallery, protocol


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    found = market1501.load(data)
    train, val = load_data(data)
    tested = [path for part in (val, found.probe, found.gallery) if part is not None for path in part.paths]
    groups = tuple(train.identities.tolist())
    return Pool.of(train, market1501.NAME, market1501.LICENCE, groups=groups, tested=tuple(tested))
