"""What is said of a pets artifact: the breed, breed by breed; the mask of the masked images beside it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from handlens import metrics
from handlens.artifact import Artifact
from handlens.errors import DataError, ManifestInvalid
from handlens.segment import Segmentation, Segmenter
from handlens_data.datasets import pets
from handlens_data.datasets.pets import BREEDS, FOREGROUND, IGNORED, Pet, Pets, PetSplit
from handlens_train.evaluation import Breakdown, Evaluation, Item, Matrix, Row, breakdown
from handlens_train.mask_figures import MaskItem, Truth, evaluate_masks
from handlens_train.pets_neighbours import nearest_breeds
from handlens_train.tasks.pets import EMBEDDING, NEIGHBOURS, PRIMARY, TASK

# Images of a breed that its row needs. The test has ten a breed: the rows' intervals are wide, and say so.
LEAST = 5
SPECIES = ("cat", "dog")


def evaluate(path: Path, found: Pets, split: str, engine: str | None) -> Evaluation:
    """The figures of an artifact of the task: of its masks and classes, or of an embedding's neighbours.

    Raises:
        ArtifactError, EngineError: the artifact or the engine is refused.
        DataError, OptionError: there is no such split, or it is empty.
    """
    part = found.split(split)
    if not part:
        raise DataError(f"{found.root} has no image for the {split} split. Bring more of the set.")
    manifest = Artifact.open(path).manifest
    if manifest.task != TASK or manifest.labels != BREEDS:
        raise ManifestInvalid(f"{path} is for {manifest.task!r} with {len(manifest.labels)} labels; expected {TASK!r}.")
    if any(output.name == EMBEDDING for output in manifest.outputs):
        return _by_neighbours(path, found, part, engine)
    with Segmenter.load(path, engine=engine) as segmenter:
        answers = [segmenter.segment(pet.path).class_name for pet in part.pets]
        masked = found.splits.get(f"masked-{split}")
        others = (masks(segmenter, masked),) if masked else ()
        ran = segmenter.engine
    told = np.array([BREEDS.index(answer or "") for answer in answers])
    return breeds(part, told, ran, "the likeliest of 37 breeds", others)


def breeds(split: PetSplit, told: np.ndarray, engine: str, how: str, others: tuple[Evaluation, ...] = ()) -> Evaluation:
    """The figures of breeds.

    Metrics: "top1", the share of right breeds; "weighted_f1", the mean of each breed's F1 weighted by its images;
    "macro_f1", the plain mean over the breeds that occur. Intervals are 95% bootstraps over images. A breakdown of top1
    by species, one of F1 by breed (fewer than `LEAST` images give no figure), and the confusion matrix.

    Args:
        split: N images.
        told: (N,) breeds answered.
        engine: name and version of what ran.
        how: the answer was found, in words.
        others: further evaluations to go with this one.
    """
    truth, count = split.breeds, len(BREEDS)
    right = (told == truth).astype(np.float64)

    cells = truth * count + told

    def counted(weights: np.ndarray) -> np.ndarray:
        return np.bincount(cells, weights, count * count).reshape(count, count)

    def weighted(weights: np.ndarray) -> float:
        matrix = counted(weights)
        return float(_f1(matrix) @ matrix.sum(axis=1) / matrix.sum())

    rows = []
    for index, name in enumerate(BREEDS):
        number = int((truth == index).sum())
        if number < LEAST:
            rows.append(Row(name, number, None))
            continue
        f1 = metrics.bootstrap_statistic(lambda weights, at=index: _one_f1(told, truth, at, weights), len(truth))
        rows.append(Row(name, number, f1.value, f1.low, f1.high))
    matrix = metrics.confusion(told, truth, count)
    species = [SPECIES[BREEDS[breed][0].islower()] for breed in truth]  # Names of cats begin with a capital.
    return Evaluation(
        dataset=pets.NAME,
        split=split.name,
        protocol=f"{len(truth)} photographs, {how}",
        n=len(truth),
        primary=PRIMARY,
        metrics={
            PRIMARY: metrics.bootstrap(right),
            "weighted_f1": metrics.bootstrap_statistic(weighted, len(truth)),
            "macro_f1": metrics.bootstrap_statistic(lambda weights: metrics.macro_f1(counted(weights)), len(truth)),
        },
        outcomes=right,
        groups=np.arange(len(truth)),
        engine=engine,
        breakdowns=(
            breakdown("species", species, right, SPECIES, least=LEAST),
            Breakdown("breed", tuple(rows), "f1"),
        ),
        items=tuple(
            Item(pet.path.name, BREEDS[answer], ok, (pet.path,))
            for pet, answer, ok in zip(split.pets, told.tolist(), right.tolist(), strict=True)
        ),
        matrices=(Matrix("breed", BREEDS, tuple(tuple(row) for row in matrix.tolist())),),
        others=others,
    )


def masks(segmenter: Segmenter, split: PetSplit) -> Evaluation:
    """The figures of masks against trimaps, as `mask_figures.evaluate_masks` gives them, the border left out.

    Further metrics: "f1_pooled" is the F1 of all images' pixels together, where "f1" is the mean over images;
    "f1_with_border" counts the border as pet; "boundary_f1" compares outlines within 0.75% of the diagonal, the true
    one drawn through the middle of the border.
    """
    further: dict[str, list[float]] = {"f1_with_border": [], "boundary_f1": []}
    trimaps, pooled = {}, []

    def truth(index: int, pet: Pet) -> Callable[[], Truth]:
        def read() -> Truth:
            assert pet.mask is not None
            trimaps[index] = trimap = pets.read_mask(pet.mask)
            return Truth(trimap == FOREGROUND, trimap == IGNORED)

        return read

    def each(index: int, answer: Segmentation, told: Truth) -> None:
        trimap, overlap = trimaps.pop(index), metrics.mask_overlap(answer.mask(), told.mask, told.ignore)
        pooled.append((2 * overlap.shared, overlap.predicted + overlap.truth))
        further["f1_with_border"].append(metrics.mask_overlap(answer.mask(), trimap != pets.BACKGROUND).dice)
        further["boundary_f1"].append(metrics.boundary_f1(answer.mask(), settled(trimap)))

    items = [MaskItem(pet.path, truth(index, pet)) for index, pet in enumerate(split.pets)]
    words = f"{len(items)} masked photographs that training never saw; the trimaps' border is left out"
    name = split.name.removeprefix("masked-")
    told = evaluate_masks(segmenter, items, dataset=pets.MASKED, split=name, protocol=words, outline=False, each=each)
    told.metrics["f1_pooled"] = metrics.bootstrap_statistic(
        lambda weights: _share(weights @ np.array(pooled)), len(items)
    )
    told.metrics.update({key: metrics.bootstrap(values) for key, values in further.items()})
    return told


def settled(trimap: np.ndarray) -> np.ndarray:
    """(H, W) bool: a trimap's pet, with each pixel of the border given to whichever side is nearer."""
    away = [
        cv2.distanceTransform((trimap != side).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (FOREGROUND, pets.BACKGROUND)
    ]
    if not (trimap == FOREGROUND).any():
        return np.zeros(trimap.shape, bool)
    return np.asarray((away[0] <= away[1]) | ~(trimap == pets.BACKGROUND).any())


def _by_neighbours(path: Path, found: Pets, part: PetSplit, engine: str | None) -> Evaluation:
    from handlens.engine import open_engine
    from handlens.image import load_image, prepare, to_tensor

    artifact = Artifact.open(path)
    spec, opened, train = artifact.manifest.input, open_engine(artifact, engine), found.split("train")
    try:

        def embed(split: PetSplit) -> np.ndarray:
            tensors = (to_tensor(prepare(load_image(pet.path), spec), spec) for pet in split.pets)
            return np.stack([opened.run({spec.name: tensor})[EMBEDDING].reshape(-1) for tensor in tensors])

        told = nearest_breeds(embed(train), train.breeds, embed(part), NEIGHBOURS)
        ran = f"{opened.name} {opened.version}"
    finally:
        opened.close()
    return breeds(part, told, ran, f"the breed of most of the {NEIGHBOURS} nearest of {len(train)} training images")


def _share(parts: np.ndarray) -> float:
    return float(parts[0] / parts[1]) if parts[1] else 1.0


def _f1(matrix: np.ndarray) -> np.ndarray:
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    return np.asarray(2 * np.diagonal(matrix) / np.maximum(total, 1e-12))


def _one_f1(told: np.ndarray, truth: np.ndarray, breed: int, weights: np.ndarray) -> float:
    hits = weights @ ((told == breed) & (truth == breed))
    total = weights @ (told == breed) + weights @ (truth == breed)
    return float(2 * hits / total) if total else float("nan")
