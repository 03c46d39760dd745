"""Face verification: an aligned face becomes a template; distilled from dlib's embedder, with CosFace on identities."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from handlens.errors import OptionError
from handlens.manifest import DataSource, InputSpec, OutputSpec, Tolerance
from handlens_data.calibration import Pool
from handlens_data.datasets import lfw
from handlens_train import dlib_resnet, verifier_evaluation
from handlens_train.evaluation import Evaluation
from handlens_train.exportable import Exportable
from handlens_train.face_points import aligner, find_detector
from handlens_train.recipe import IMAGENET, image_input, needed, of_run, provenance, training_data
from handlens_train.run import Run
from handlens_train.view_change import ViewChange

TASK = "face-verifier"
TITLE = "Face verification"
PRIMARY = verifier_evaluation.PRIMARY
OPTIONS = ("detector",)
READS_DATA = True
LICENCE = "research use only: trained on LFW"
VERSION = "1.0"
# Where dlib's 150-pixel face chips have eye centres, nose tip and mouth corners (means of its 68-point shape), as
# shares of the side: the student reads the very frame that its teacher was trained on.
FRAME = ((0.3170, 0.3107), (0.6699, 0.3107), (0.4934, 0.5104), (0.3361, 0.6868), (0.6507, 0.6868))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a verifier is trained; everything that decides the weights, but for data, teacher and seed.

    blocks, head: of the network. freeze: the stem and so many blocks keep their ImageNet weights. relation: weight of
    the distances in a batch beside the embeddings themselves. people: weight of CosFace on the training identities.
    lift: so many times the teacher's mean embedding is added to every one of its embeddings.
    variance: above 0 for the floor to compare with: a PCA of grey faces that keeps so much of their variance, fitted.
    copied: for the ceiling to compare with: the teacher itself, not trained at all.
    """

    size: int = 112
    blocks: int = 12
    head: int = 512
    freeze: int = 3
    batch: int = 64
    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_epochs: float = 1.0
    ema: float = 0.998
    relation: float = 1.0
    people: float = 0.02
    lift: float = 1.0
    views: ViewChange = field(default_factory=ViewChange)
    variance: float = 0.0
    copied: bool = False

    def input(self) -> InputSpec:
        """What the network reads; (pixel - 128) / 128 is exact in int8."""
        template = tuple(round(self.size * value, 3) for point in FRAME for value in point)
        colour: Literal["RGB", "GREY"] = "GREY" if self.variance else "RGB"
        spec = image_input(self.size, self.size, colour=colour, geometry="align", template=template)
        # The teacher takes pixels as they are.
        return replace(spec, scale=(1.0,) * 3, offset=(0.0,) * 3) if self.copied else spec


RECIPES: dict[str, Recipe] = {
    "face-verifier": Recipe(),
    "face-pca": Recipe(size=64, epochs=0, variance=0.95),
    "face-teacher": Recipe(size=150, epochs=0, copied=True),
}


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    teacher: Annotated[
        Path | None, typer.Option(help="Folder with face_recognition_model.bin, from npm's @vladmandic/face-api.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector that finds the five points. Default: the zoo's.")
    ] = None,
    **options: Any,
) -> str:
    """Train a recipe into the run folder `out`; see `handlens_train.verifier_training.train` for the options."""
    from handlens_train import verifier_training

    return verifier_training.train(name, data, out, teacher=teacher, detector=detector, **options)


def load(run: Run, data: Path | None, detector: Path | None = None) -> Exportable:
    """The trained network of a run, ready for export. `data` is needed for calibration, fine-tuning and evaluation.

    Raises:
        RunError: of another task.
    """
    from handlens_train import verifier_training

    how = of_run(run, Recipe, TASK)
    model = verifier_training.inference_model(run, how)
    finder = find_detector(detector)
    lfw_train = training_data(run)
    teacher = DataSource(name=f"teacher: {dlib_resnet.SOURCE}", licence=dlib_resnet.LICENCE, split="", sha256="")
    if how.copied:
        sources = [teacher]
    else:
        sources = [lfw_train] if how.variance else [lfw_train, teacher, IMAGENET]
    return Exportable(
        model=model,
        task=TASK,
        name=run.recipe,
        version=VERSION,
        input=how.input(),
        outputs=(
            OutputSpec(
                name="embedding",
                meaning="face embedding, not normalised; compare by cosine",
                shape=(1, model.output["embedding"].shape[-1]),
                tolerance=Tolerance(absolute=0.0, relative=1e-3),
            ),
        ),
        labels=(),
        decoding={},
        provenance=provenance(
            run, sources, dlib_resnet.LICENCE if how.copied else "research use only: trained on LFW", "--teacher DIR"
        ),
        primary=PRIMARY,
        training_images=lambda count, seed: verifier_training.training_images(run, how, needed(data), count, seed),
        evaluate=lambda path, split, engine: evaluate(path, needed(data), split, engine, detector=finder),
        thresholds=lambda path, engine: verifier_evaluation.thresholds(path, needed(data), engine, finder),
    )


def evaluate(
    path: Path, data: Path, split: str, engine: str | None = None, *, detector: Path | None = None
) -> Evaluation:
    """Accuracy on LFW's pairs and FNMR at FMR of an artifact; see `handlens_train.verifier_evaluation.evaluate`."""
    if split not in ("val", "test"):
        raise OptionError(f"unknown split {split!r}; valid: val, test.")
    return verifier_evaluation.evaluate(path, data, split, engine, find_detector(detector))


def pool(data: Path, *, detector: Path | None = None) -> Pool:
    """The training people's photographs, aligned when drawn; see `handlens_data.calibration`.

    Args:
        data: folder that holds LFW.
        detector: face detector that finds the points to align by; None for the zoo's.
    """
    train, *others = (lfw.load(data, part) for part in ("train", *lfw.FOLDS))
    return Pool(
        dataset=lfw.NAME,
        split="train",
        licence=lfw.LICENCE,
        sha256=train.sha256,
        paths=tuple(photo.path for photo in train.photos),
        groups=tuple(photo.person for photo in train.photos),
        tested=tuple(photo.path for split in others for photo in split.photos),
        prepare=aligner(detector),
    )
