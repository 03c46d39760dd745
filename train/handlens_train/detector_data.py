"""What the face detector learns from: the data sets found in a folder, decoded once, with a teacher's annotations.

A teacher's file (`DATA/annotations/SET.json`, made with `handlens annotate`) gives the points of faces that a person
boxed, faces that nobody boxed, and the boxes of sets that have none. A set whose folder or annotations are missing is
left out, faces_multi and faces_one apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError, UnknownLayout
from handlens.image import load_image
from handlens_data.datasets import coco, faces, lfw, utkface, wider
from handlens_data.datasets.boxes import BoxSplit, FaceImage, Faces, overlaps
from handlens_data.datasets.compose import Patch, patch_of
from handlens_train.detector_scenes import Draw, Picture

# Folders that the teacher annotates, under DATA; the names of the annotation files.
FOLDERS = {
    "faces_multi": "faces_multi",
    "faces_one": "faces_one",
    "lfw": "lfw",
    "utkface": "utkface",
    "ccp": "ccp/photos",
    "pennfudan": "pennfudan/images",
    "pets": "pets/train",
}
LICENCES = {
    "ccp": "Apache-2.0 (Clothing Co-Parsing, Yang et al. 2014)",
    "pennfudan": "research use only (Penn-Fudan, Wang et al. 2007)",
    "pets": "CC BY-SA 4.0 (Oxford-IIIT Pet, Parkhi et al. 2012)",
    "lfw": lfw.LICENCE,
    "utkface": utkface.LICENCE,
    "wider": wider.LICENCE,
    **faces.LICENCES,
}
PORTRAITS = ("lfw", "utkface")  # tight pictures of one face: sources of patches, no place to paste into
SURE, DOUBTFUL = 0.6, 0.3  # teacher's scores: a face from the first, a region to ignore from the second


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Everything in memory: where scenes are drawn from, and what run.json says of it."""

    draw: Draw
    described: dict[str, Any]


def gather(
    root: Path, weights: dict[str, float], annotations: Path | None = None, blend: float = 0.5
) -> dict[str, BoxSplit]:
    """The training part of each data set under `root` that `weights` names and that is there, faces as learnt.

    Args:
        root: of the data.
        weights: names of data sets.
        annotations: folder of the teacher's files; None for root/annotations.
        blend: how much of the teacher's box goes into those of faces_one, which hold the hair; 0..1.

    Raises:
        DataError: no scenes with boxes are there, or a file is damaged.
    """
    folder = annotations or root / "annotations"
    taught = {name: coco.read(folder / f"{name}.json") for name in FOLDERS if (folder / f"{name}.json").is_file()}
    found: dict[str, BoxSplit] = {}
    for name in weights:
        try:
            split = _split(root, name, taught.get(name))
        except UnknownLayout:
            continue
        if split is not None and len(split):
            mix = blend if name == "faces_one" else 0.0
            found[name] = _taught(split, taught.get(name, {}), mix) if name in faces.LICENCES else split
    if not {"faces_multi", "faces_one", "wider"} & set(found):
        raise DataError(f"{root} holds none of faces_multi, faces_one, WIDER FACE: nothing with boxes to learn from.")
    return found


def material(
    found: dict[str, BoxSplit], weights: dict[str, float], tick: Callable[[], None] = lambda: None
) -> Material:
    """Decode every image and cut the patches; LFW and UTKFace also give patches to paste."""
    pictures: dict[str, list[Picture]] = {}
    patches: list[list[Patch]] = []
    for name, split in found.items():
        loaded = []
        for image in split.images:
            pixels = load_image(image.path)
            # On tight crops the teacher guesses beyond the edges: what is not there is no part of a box.
            edges = np.array(pixels.shape[1::-1] * 2, np.float32)
            seen = replace(image.faces, boxes=np.clip(image.faces.boxes, 0, edges))
            loaded.append(Picture(pixels, seen, paste=name not in PORTRAITS))
            tick()
        pictures[name] = loaded
        if name in PORTRAITS:
            cut = [patch_of(picture.image, picture.faces) for picture in loaded]
            patches.append([patch for patch in cut if patch is not None])
    described = {
        name: {"images": len(split), "faces": sum(len(i.faces) for i in split.images), "sha256": split.sha256()}
        for name, split in found.items()
    }
    return Material(Draw(pictures, weights, patches), described)


def _split(root: Path, name: str, taught: dict[str, Faces] | None) -> BoxSplit | None:
    if name in faces.LICENCES:
        return faces.load(root, name, "train")
    if name == "wider":
        return wider.load(root, "train")
    if taught is None or not (root / FOLDERS[name]).is_dir():
        return None
    folder = root / FOLDERS[name]
    if name == "lfw":  # people of the folds that anything is measured on stay out
        names = {photo.name for photo in lfw.load(root, "train").photos}
        images = [FaceImage(folder / key, key, _middle(rows)) for key, rows in taught.items() if key in names]
    elif name == "utkface":
        images = _utkface(root, taught)
    else:
        # Pets may be taken for faces by the teacher, so only its surest finds there are left undecided.
        keep = _doubted if name == "pets" else _decided
        images = [FaceImage(folder / key, key, keep(rows)) for key, rows in taught.items()]
    return BoxSplit("train", tuple(sorted(images, key=lambda image: image.name)))


def _utkface(root: Path, taught: dict[str, Faces]) -> list[FaceImage]:
    images = []
    for face in utkface.unseen(utkface.load(root)).train.faces:
        rows = _middle(taught.get(face.path.name, Faces()))
        if len(rows) == 1:
            named = replace(rows, genders=np.array([face.gender], np.int8), ignore=rows.ignore[:0])
            images.append(FaceImage(face.path, face.path.name, named))
    return images


def _decided(rows: Faces) -> Faces:
    sure = rows.scores >= SURE
    doubtful = rows.boxes[(rows.scores >= DOUBTFUL) & ~sure]
    return replace(rows.take(sure), ignore=doubtful)


def _doubted(rows: Faces) -> Faces:
    return replace(Faces(), ignore=rows.boxes[rows.scores >= 0.8])


def _middle(rows: Faces) -> Faces:
    """Of a picture that shows one person: the sure find that is largest and nearest to the middle is the face."""
    rows = rows.take(rows.scores >= DOUBTFUL)
    if not len(rows) or rows.scores.max() < SURE:
        return Faces(ignore=rows.boxes)
    area = np.prod(rows.boxes[:, 2:] - rows.boxes[:, :2], axis=1) * (rows.scores >= SURE)
    best = int(area.argmax())
    others = np.arange(len(rows)) != best
    # A second box on the same face is no other face.
    others &= overlaps(rows.boxes, rows.boxes[best : best + 1])[:, 0] < 0.3
    return replace(rows.take([best]), ignore=rows.boxes[others])


def _taught(split: BoxSplit, taught: dict[str, Faces], blend: float) -> BoxSplit:
    images = tuple(
        replace(image, faces=completed(image.faces, taught.get(image.name, Faces()), blend)) for image in split.images
    )
    return BoxSplit(split.name, images)


def completed(truth: Faces, teacher: Faces, blend: float = 0.0) -> Faces:
    """A person's boxes with the teacher's points; what the teacher alone is sure of is left undecided.

    Args:
        truth: as boxed.
        teacher: its finds in the same image.
        blend: how much of the teacher's box goes into each truth that it found, 0..1.
    """
    teacher = teacher.take(teacher.scores >= DOUBTFUL)
    if not len(teacher):
        return truth
    shared = overlaps(truth.boxes, teacher.boxes) if len(truth) else np.zeros((0, len(teacher)), np.float32)
    boxes, points = truth.boxes.copy(), truth.points.copy()
    for row in range(len(truth)):
        best = int(shared[row].argmax())
        if shared[row, best] >= 0.4 and shared[:, best].argmax() == row:
            points[row] = teacher.points[best]
            boxes[row] += blend * (teacher.boxes[best] - boxes[row])
    alone = (shared.max(axis=0, initial=0.0) < 0.2) & (teacher.scores >= SURE)
    return replace(truth, boxes=boxes, points=points, ignore=np.concatenate([truth.ignore, teacher.boxes[alone]]))
