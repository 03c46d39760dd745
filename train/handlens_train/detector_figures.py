"""What a face detector is measured by, through the runtime: ours and foreign ones alike.

Average precision at IoU 0.5 on photographs with boxes; beside it, so that the fit is not to those scenes alone: recall
on LFW's portraits, false positives on pictures of pets, and the gender of faces composed into scenes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens.errors import DataError, EmptyFolder, UnknownLayout
from handlens.face import Face, FaceDetector
from handlens.image import load_image, resize
from handlens.metrics import Interval
from handlens_data.datasets import coco, lfw, utkface
from handlens_data.datasets.boxes import BoxSplit, overlaps
from handlens_data.datasets.boxes import Faces as Truth
from handlens_data.datasets.compose import Patch, paste
from handlens_data.datasets.identity import list_images
from handlens_train.evaluation import LEAST, Breakdown, Evaluation, Item, Row

AP, LEAST_HEIGHT = "ap50", 20.0
HEIGHTS = ((20.0, 40.0), (40.0, 80.0), (80.0, np.inf))
LOWEST_SCORE = 0.02  # average precision reads the whole curve, not only what the operating threshold lets pass
SCENE = 320
# Where the face lies in a UTKFace crop, as parts of its side: the median of a teacher's boxes, cut off at its edges.
UTKFACE_BOX = (0.06, 0.0, 0.92, 0.96)
BEHIND = {"test": "pets/test", "val": "pets/masked_dev", "train": "pets/train"}


@dataclass(frozen=True, slots=True)
class Judge:
    """A detector opened at `LOWEST_SCORE`.

    Attributes:
        detector: it.
        threshold: the score that its manifest says to operate at.
        split: of the data sets.
        most: pictures of the sets beside the primary one; None for all.
    """

    detector: FaceDetector
    threshold: float
    split: str
    most: int | None = None

    def find(self, image: object) -> tuple[Face, ...]:
        """Faces of an image, the best first."""
        return self.detector.detect(image)  # type: ignore[arg-type]

    def at_work(self, found: Iterable[Face]) -> list[Face]:
        """Those that the operating threshold lets pass."""
        return [face for face in found if face.score >= self.threshold]

    @property
    def engine(self) -> str:
        """Name and version of what runs."""
        return self.detector.engine


def precision(judge: Judge, split: BoxSplit, name: str, others: tuple[Evaluation, ...] = ()) -> Evaluation:
    """Average precision at IoU 0.5 of faces of 20 pixels and more, with recall at the operating threshold, by height.

    Smaller faces, and what is flagged to ignore, neither reward nor punish. Heights and boxes are pixels of the stored
    image; intervals resample images.
    """
    found = [_pairs(judge.find(image.path)) for image in split.images]
    truths = [np.concatenate([image.faces.boxes, image.faces.ignore]) for image in split.images]
    ignore = [np.arange(len(rows)) >= len(image.faces) for rows, image in zip(truths, split.images, strict=True)]

    def matches(low: float, high: float = np.inf) -> metrics.Matches:
        return metrics.match_detections(found, truths, min_height=low, max_height=high, ignore=ignore)

    whole = matches(LEAST_HEIGHT)
    rows = []
    for low, high in HEIGHTS:
        part, label = matches(low, high), f"{low:g} to {high:g} px" if np.isfinite(high) else f"{low:g} px and more"
        count = int(part.truths.sum())
        value = metrics.average_precision_interval(part) if count >= LEAST else None
        rows.append(Row(label, count, *((value.value, value.low, value.high) if value else (None,))))
    number = len(split)
    return Evaluation(
        dataset=name,
        split=judge.split,
        protocol=f"{number} images, {int(whole.truths.sum())} faces of {LEAST_HEIGHT:g} px and more, IoU 0.5; "
        f"recall at the operating score of {judge.threshold:.2f}",
        n=number,
        primary=AP,
        metrics={
            AP: metrics.average_precision_interval(whole),
            "recall": metrics.bootstrap_statistic(
                lambda counts: metrics.detection_recall(whole, judge.threshold, counts), number
            ),
        },
        outcomes=np.empty(0),
        groups=np.arange(number),
        engine=judge.engine,
        statistic=lambda counts: metrics.average_precision(whole, counts),
        breakdowns=(Breakdown("face height", tuple(rows), AP),),
        counts={"faces": int(whole.truths.sum())},
        items=_items(split, whole, judge.threshold),
        others=others,
    )


def _items(split: BoxSplit, matches: metrics.Matches, threshold: float) -> tuple[Item, ...]:
    """Each image with its F1 at the operating threshold; without faces it is right where nothing was found."""
    work = matches.scores >= threshold
    found = np.bincount(matches.image[work & matches.right], minlength=len(split))
    wrong = np.bincount(matches.image[work & ~matches.right], minlength=len(split))
    return tuple(
        Item(
            image.path.name,
            f"{good} of {truths} faces, {bad} false",
            1.0 if truths + bad == 0 else 2 * good / (good + bad + truths),
            (image.path,),
        )
        for image, good, bad, truths in zip(
            split.images, found.tolist(), wrong.tolist(), matches.truths.tolist(), strict=True
        )
    )


def portraits(judge: Judge, root: Path) -> Evaluation | None:
    """Recall on LFW, one face in the middle of each picture, and the IoU of the best box with the teacher's.

    A face is found when a box at the operating threshold covers the picture's middle and has its own middle in the
    picture's middle half. People of the split alone; none of them was trained on. None where LFW is missing.
    """
    try:
        photos = lfw.load(root, judge.split).photos
        photos = photos[:: -(-len(photos) // judge.most) if judge.most else 1]
    except (UnknownLayout, EmptyFolder, DataError):
        return None
    file = root / "annotations" / "lfw.json"
    taught = coco.read(file) if file.is_file() else {}
    hits, close, people, compared = [], [], [], []
    for photo in photos:
        image = load_image(photo.path)
        found = judge.find(image)
        hits.append(float(any(_central(face, image.shape) for face in judge.at_work(found))))
        people.append(photo.person)
        boxes = taught.get(photo.name, Truth()).boxes
        if len(boxes):
            best = np.array([found[0].box], np.float32) if found else np.zeros((1, 4), np.float32)
            middle = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - np.array(image.shape[1::-1]) / 2).sum(1).argmin()
            close.append(float(overlaps(best, boxes[middle : middle + 1])[0, 0]))
            compared.append(photo.person)
    _, groups = np.unique(people, return_inverse=True)
    figures = {"recall": metrics.bootstrap(hits, groups)}
    if close:
        figures["top_box_iou"] = metrics.bootstrap(close, np.unique(compared, return_inverse=True)[1])
    return Evaluation(
        dataset=lfw.NAME,
        split=judge.split,
        protocol=f"{len(photos)} portraits of {len(set(people))} people kept out of training; operating score "
        f"{judge.threshold:.2f}; IoU of the best box with the teacher's, {len(close)} pictures",
        n=len(photos),
        primary="recall",
        metrics=figures,
        outcomes=np.array(hits),
        groups=groups,
        engine=judge.engine,
    )


def nobody(judge: Judge, root: Path) -> Evaluation | None:
    """False positives an image at the operating threshold, on pictures of pets; None where they are missing."""
    folder = root / BEHIND[judge.split]
    if not folder.is_dir():
        return None
    files = [path for path in list_images(folder) if path.suffix == ".jpg"]
    wrong = np.array([len(judge.at_work(judge.find(path))) for path in files], np.float64)
    return Evaluation(
        dataset="pets",
        split=judge.split,
        protocol=f"{len(files)} pictures of cats and dogs; operating score {judge.threshold:.2f}",
        n=len(files),
        primary="clean",
        metrics={"clean": metrics.bootstrap(wrong == 0), "false_positives": metrics.bootstrap(wrong)},
        outcomes=(wrong == 0).astype(np.float64),
        groups=np.arange(len(files)),
        engine=judge.engine,
        units={"false_positives": "per image"},
    )


def genders(judge: Judge, root: Path) -> Evaluation | None:
    """Gender of UTKFace's faces composed into scenes; one that is not found counts as wrong, and is reported apart.

    None where UTKFace or the pictures behind are missing.
    """
    try:
        known = utkface.load(root).split(judge.split).faces[: judge.most]
    except (UnknownLayout, EmptyFolder, DataError):
        return None
    behind = root / BEHIND[judge.split]
    if not behind.is_dir():
        return None
    canvases = [path for path in list_images(behind) if path.suffix == ".jpg"]
    right, found = np.zeros(len(known)), np.zeros(len(known))
    for start in range(0, len(known), 2):
        canvas, boxes = composed(canvases[start // 2 % len(canvases)], known[start : start + 2], start)
        answers = judge.at_work(judge.find(canvas))
        for index, box in enumerate(boxes, start):
            best = max(answers, key=lambda face: _shared(face, box), default=None)
            if best is None or _shared(best, box) < 0.3:
                continue
            found[index] = 1
            label = utkface.GENDERS[known[index].gender]
            right[index] = best.gender is not None and best.gender.label == label
    figures: dict[str, Interval] = {"accuracy": metrics.bootstrap(right), "found": metrics.bootstrap(found)}
    if found.any():
        figures["accuracy_found"] = metrics.bootstrap(right[found > 0])
    return Evaluation(
        dataset="utkface-scenes",
        split=judge.split,
        protocol=f"{len(known)} faces of UTKFace, two a scene of {SCENE}x{SCENE} before pictures of pets, 40 to 130 px "
        f"high; operating score {judge.threshold:.2f}; a face that is not found counts as wrong",
        n=len(known),
        primary="accuracy",
        metrics=figures,
        outcomes=right,
        groups=np.arange(len(known)),
        engine=judge.engine,
    )


def composed(background: Path, pair: Sequence[utkface.Face], seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A scene uint8 (SCENE, SCENE, 3) with one face in each half, and their boxes; the same for a seed each time."""
    rng = np.random.default_rng((seed, 2017))
    canvas = resize(load_image(background), SCENE, SCENE)
    boxes = []
    for half, face in enumerate(pair):
        image = load_image(face.path)
        box = np.array(UTKFACE_BOX) * (image.shape[1::-1] * 2)
        scale = float(np.exp(rng.uniform(np.log(40), np.log(130)))) / (box[3] - box[1])
        reach = (box[2:] - box[:2]) * scale / 2 + 4
        x = rng.uniform(reach[0], SCENE / 2 - reach[0]) + half * SCENE / 2
        y = rng.uniform(reach[1], SCENE - reach[1])
        placed = paste(canvas, Patch(image, Truth.of_boxes(box)), (float(x), float(y)), scale, oval=False)
        boxes.append(placed.boxes[0])
    return canvas, boxes


def _pairs(found: Iterable[Face]) -> tuple[np.ndarray, np.ndarray]:
    found = tuple(found)
    boxes = np.array([face.box for face in found], np.float64).reshape(-1, 4)
    return boxes, np.array([face.score for face in found], np.float64)


def _central(face: Face, shape: tuple[int, ...]) -> bool:
    x1, y1, x2, y2 = face.box
    height, width = shape[:2]
    covers = x1 <= width / 2 <= x2 and y1 <= height / 2 <= y2
    return covers and abs((x1 + x2) - width) < width / 2 and abs((y1 + y2) - height) < height / 2


def _shared(face: Face, box: np.ndarray) -> float:
    return float(overlaps(np.array([face.box], np.float32), box[None].astype(np.float32))[0, 0])
