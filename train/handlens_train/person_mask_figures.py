"""What is said of a person mask: overlap on Clothing Co-Parsing, on Penn-Fudan, and what it sees where nobody is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens.errors import DataError, EmptyFolder, UnknownLayout
from handlens.segment import Segmenter
from handlens_data.datasets import ccp, pennfudan, pets
from handlens_train.evaluation import Evaluation
from handlens_train.mask_figures import MaskItem, Truth, evaluate_masks

# A person that fills less of a picture would hardly be looked for in it.
ALARM = 0.02


def evaluate(path: Path, data: Path, split: str, engine: str | None) -> Evaluation:
    """The figures of an artifact on a split of CCP; the test is followed by what else `data` holds.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or it is empty.
    """
    photos = ccp.load(data, split)
    if not photos:
        raise DataError(f"{data} has no photograph for the {split} split. Bring more of the set.")
    with Segmenter.load(path, engine=engine) as segmenter:
        return evaluate_segmenter(segmenter, photos, _others(segmenter, data) if split == "test" else ())


def evaluate_segmenter(segmenter: Segmenter, photos: ccp.CCPSplit, others: tuple[Evaluation, ...] = ()) -> Evaluation:
    """The figures of any segmenter on a split of CCP; clothing where its classes are those of `ccp.NAMES`."""
    labelled = segmenter.manifest.labels == ccp.NAMES

    def truth(index: int) -> Callable[[], Truth]:
        def read() -> Truth:
            groups = photos.groups(index)
            return Truth(groups != 0, labels=groups if labelled else None)

        return read

    items = [MaskItem(path, truth(index)) for index, path in enumerate(photos.paths)]
    found = evaluate_masks(
        segmenter, items, dataset=ccp.NAME, split=photos.name, protocol=f"{len(items)} photographs, own pixels"
    )
    return replace(found, others=others)


def pedestrians(segmenter: Segmenter, scenes: pennfudan.PennFudan) -> Evaluation:
    """The figures on all of Penn-Fudan: everybody is foreground, though CCP calls passers-by background."""

    def truth(path: Path) -> Callable[[], Truth]:
        return lambda: Truth(pennfudan.read_mask(path) != 0)

    items = [MaskItem(scene.path, truth(scene.mask)) for scene in scenes.scenes]
    protocol = f"{len(items)} street scenes, own pixels, another data set than that of training"
    return evaluate_masks(segmenter, items, dataset=pennfudan.NAME, split="test", protocol=protocol)


def nobody(segmenter: Segmenter, pictures: pets.PetSplit) -> Evaluation:
    """What is seen on pictures of pets.

    Metrics, lower is better: "foreground", the mean share of the picture that is called a person; "alarms", the share
    of the pictures in which it is more than `ALARM`. Some of the pictures do show a hand or a lap.
    """
    shares = np.array([float(segmenter.segment(path).mask().mean()) for path in pictures.paths])
    alarms = (shares > ALARM).astype(np.float64)
    return Evaluation(
        dataset=pets.NAME,
        split=pictures.name,
        protocol=f"{len(shares)} pictures of pets; an alarm is a person of more than {ALARM:.0%} of the picture",
        n=len(shares),
        primary="alarms",
        metrics={"alarms": metrics.bootstrap(alarms), "foreground": metrics.bootstrap(shares)},
        outcomes=alarms,
        groups=np.arange(len(shares)),
        engine=segmenter.engine,
    )


def _others(segmenter: Segmenter, data: Path) -> tuple[Evaluation, ...]:
    found: list[Evaluation] = []
    try:
        found.append(pedestrians(segmenter, pennfudan.load(data)))
    except (UnknownLayout, EmptyFolder):
        pass  # Further data sets are welcome, not needed.
    try:
        pictures = pets.load(data).split("test")
    except (UnknownLayout, EmptyFolder):
        return tuple(found)
    return (*found, nobody(segmenter, pictures)) if len(pictures) else tuple(found)
