"""The face detector: boxes, five points, score and gender in one pass. Its recipes, and how a run is exported."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens.errors import DataError, OptionError, UnknownLayout
from handlens.manifest import DataSource, InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import faces, wider
from handlens_data.datasets.boxes import BoxSplit
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.recipe import IMAGENET, image_input, needed, of_run, provenance, training_images
from handlens_train.run import Run

TASK = "face-detector"
TITLE = "Face detection"
PRIMARY = "ap50"
READS_DATA = True
VERSION = "1.0"
LICENCE = "research use only: trained on LFW, UTKFace and press photographs"
SIZES = tuple(range(128, 321, 32))

# Shares of the windows drawn from each data set; a set that is not there is left out.
WEIGHTS = {
    "faces_multi": 0.46,
    "wider": 0.46,
    "faces_one": 0.12,
    "lfw": 0.12,
    "utkface": 0.04,
    "ccp": 0.12,
    "pennfudan": 0.06,
    "pets": 0.08,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train the detector; everything that decides the weights, but for data and seed.

    size: side of the square input that it is exported at unless told otherwise, pixels. crop: of the training scenes.
    expand: of each block of the Lite0 trunk. pyramid, deep, head, gender: see `detector_nets.network`. gender_weight:
    in the loss. only: train only the layers whose names begin so. start: "efficientnet-lite0" for its ImageNet weights.
    freeze: the stem and so many blocks keep the weights they start with.
    weights: shares of the data sets. blend: of the teacher's box in those of faces_one. views: see `detector_scenes`.
    steps: batches an epoch.
    """

    size: int = 320
    crop: int = 256
    expand: tuple[int, ...] = (1, 2, 3, 3, 4, 6, 5)
    pyramid: int = 64
    deep: int = 96
    head: int = 2
    gender: int = 0
    gender_weight: float = 0.5
    only: str | None = None
    start: str | None = "efficientnet-lite0"
    freeze: int = 1
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    blend: float = 0.5
    views: dict[str, Any] = field(default_factory=dict)
    batch: int = 16
    steps: int = 100
    epochs: int = 38
    evaluate_every: int = 3
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_epochs: float = 1.0
    ema: float = 0.998

    def input(self, size: int | tuple[int, int]) -> InputSpec:
        """What the network reads: RGB, letterboxed, (pixel - 128) / 128, which is exact in int8."""
        height, width = (size, size) if isinstance(size, int) else size
        return image_input(height, width, geometry="letterbox")


# What finds faces is trained first; then a branch that tells gender, on grids of faces, all else kept as it is. The
# small one is trained at once, warm from the large one's trunk.
RECIPES: dict[str, Recipe] = {
    "face-detector-start": Recipe(),
    "face-detector": Recipe(
        gender=64,
        only="gender",
        weights={"faces_multi": 0.5, "wider": 0.5, "utkface": 0.5},
        views={"crowd": 1.0},
        epochs=10,
        learning_rate=3e-3,
        evaluate_every=2,
    ),
    "face-detector-nano": Recipe(
        size=192,
        crop=192,
        expand=(1, 2, 2, 2, 2, 3),
        pyramid=32,
        deep=64,
        head=1,
        gender=32,
        gender_weight=1.0,
        views={"crowd": 0.3},
        epochs=24,
    ),
}


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of a teacher's SET.json, by handlens annotate. Default: in the data.")
    ] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Run of a detector to start from: its layers that fit.")
    ] = None,
    **options: Any,
) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.face_detector_training.train` for the options."""
    from handlens_train import face_detector_training

    return face_detector_training.train(name, data, out, annotations=annotations, warm_start=warm_start, **options)


def load(run: Run, data: Path | None = None, *, size: tuple[int, int] | None = None) -> Exportable:
    """The trained network of a run, ready for export, at the recipe's input size or at another.

    Args:
        run: of a training.
        data: needed for calibration, fine-tuning and evaluation.
        size: height and width of the input, multiples of 32; None for the recipe's square.

    Raises:
        RunError: the run is of another task, or its recipe or weights do not fit this version's network.
    """
    from handlens_train.detector_nets import STRIDES
    from handlens_train.face_detector_training import build

    how, facts = of_run(run, Recipe, TASK), run.info["data"]
    side = (how.size, how.size) if size is None else size
    model = build(how, side)
    run.fill(model)
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(side),
        outputs=_outputs(side),
        labels=(),
        decoding={
            "kind": "cells",
            "strides": list(STRIDES),
            "score_threshold": float(run.info.get("score_threshold", 0.4)),
            "nms_iou": 0.4,
            "nms": "weighted",  # the mean of a face's cells: steadier boxes and points than the best cell's
        },
        provenance=provenance(
            run, _sources(how, facts), "research use only: trained on LFW, UTKFace and press photographs"
        ),
        primary=PRIMARY,
        training_images=lambda count, seed: training_images(pool(needed(data)), how.input(side), count, seed),
        evaluate=lambda path, split, engine=None: evaluate(path, needed(data), split, engine),
    )


def evaluate(path: Path, data: Path, split: str = "test", engine: str | None = None) -> Evaluation:
    """Average precision of an artifact, ours or an imported one, through the runtime; see `detector_figures`.

    The first data set of faces_multi, WIDER FACE and faces_one that is there gives the primary figure.

    Args:
        path: of the artifact.
        data: folder of the data sets.
        split: "test" or "val".
        engine: None for the default of the artifact's kind.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        OptionError: there is no such split. DataError: no photographs with boxes are there.
    """
    from handlens.face import DetectorOptions, FaceDetector
    from handlens_train import detector_figures as figures

    if split not in ("val", "test"):
        raise OptionError(f"unknown split {split!r}; valid: val, test.")
    sets = boxed(data, split)
    if not sets:
        raise DataError(f"{data} holds none of faces_multi, faces_one, WIDER FACE: nothing with boxes to measure on.")
    with FaceDetector.load(path, engine=engine) as model:
        threshold = model.options.score_threshold
    assert threshold is not None
    with FaceDetector.load(path, engine=engine, options=DetectorOptions(score_threshold=figures.LOWEST_SCORE)) as model:
        # The gate asks for validation again and again, and for its primary figure alone.
        judge = figures.Judge(model, threshold, split, 250 if split == "val" else None)
        beside = [figures.precision(judge, part, name) for name, part in list(sets.items())[1:]]
        beside += [
            found
            for found in (measure(judge, data) for measure in (figures.portraits, figures.nobody, figures.genders))
            if found is not None
        ]
        name, part = next(iter(sets.items()))
        return figures.precision(judge, part, name, tuple(beside))


def boxed(data: Path, split: str) -> dict[str, BoxSplit]:
    """The data sets with boxes that are under `data`, by name; faces_multi first."""
    found = {}
    for name in ("faces_multi", wider.NAME, "faces_one"):
        try:
            found[name] = wider.load(data, split) if name == wider.NAME else faces.load(data, name, split)
        except UnknownLayout:
            continue
    return {name: part for name, part in found.items() if len(part)}


def _outputs(side: tuple[int, int]) -> tuple[OutputSpec, ...]:
    from handlens_train.detector_nets import OUTPUTS, STRIDES

    count = sum((side[0] // stride) * (side[1] // stride) for stride in STRIDES)
    meanings = {
        "score": "logit of a face in each cell",
        "box": "centre and size of the box: dx, dy, log w, log h, in strides from the cell's centre",
        "points": "x, y of image-left and image-right eye, nose tip, image-left and image-right mouth corner, in "
        "strides from the cell's centre",
        "gender": "logit of female, where the cell holds a face",
    }
    return tuple(
        OutputSpec(
            name=name,
            meaning=meanings[name],
            shape=(1, count, channels),
            tolerance=Tolerance(absolute=1e-3, relative=1e-3),
        )
        for name, channels in OUTPUTS.items()
    )


def _sources(how: Recipe, facts: dict[str, Any]) -> tuple[DataSource, ...]:
    from handlens_train.detector_data import LICENCES

    sources = [
        DataSource(name=name, licence=LICENCES[name], split="train", sha256=part["sha256"])
        for name, part in facts["sets"].items()
    ]
    teacher = "points, missing boxes: a teacher's annotations (handlens annotate with YuNet)"
    sources.append(
        DataSource(name=teacher, licence="YuNet: Apache-2.0, OpenMMLab and Shiqi Yu", split="train", sha256="")
    )
    return (*sources, *([] if how.start is None else [IMAGENET]))


def pool(data: Path) -> Pool:
    """The training images; see `handlens_data.calibration`."""
    from handlens_train.detector_data import LICENCES

    parts = boxed(data, "train")
    first = next(iter(parts))
    return Pool(
        dataset=" + ".join(parts),
        split="train",
        licence="; ".join(LICENCES[name] for name in parts),
        sha256=parts[first].sha256,
        paths=tuple(image.path for part in parts.values() for image in part.images),
        tested=tuple(
            image.path for split in ("val", "test") for part in boxed(data, split).values() for image in part.images
        ),
    )
