"""`handlens annotate DIR --model FILE --out FILE`: a detector's faces as COCO JSON, to train or to correct from."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from handlens import files
from handlens.commands import _faces
from handlens.errors import DataError, EmptyFolder, ImageError, InputError
from handlens.face import Face, FaceDetector
from handlens.image import load_image

POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # as they lie in the image
SAVE_SECONDS = 20.0


def annotate(
    folder: Annotated[Path, typer.Argument(help="Images, in subfolders too.")],
    out: Annotated[Path, typer.Option(help="COCO JSON to write; what it holds already is kept, and not done again.")],
    model: _faces.Model = None,
    min_score: _faces.MinScore = None,
    min_size: _faces.MinSize = 0.0,
    engine: _faces.Engine = None,
    threads: _faces.Threads = 1,
) -> None:
    """Let a detector annotate a folder. Ctrl-C keeps what is done; the same command goes on from there."""
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _faces.SUFFIXES and path.is_file())
    if not images:
        raise EmptyFolder(f"{folder} holds no images; expected files that end in {', '.join(_faces.SUFFIXES)}")
    with _faces.open_detector(model, engine, threads, min_score, min_size) as detector:
        work = Annotations.begin(out, detector)
        todo = [path for path in images if path.relative_to(folder).as_posix() not in work.done]
        if len(todo) < len(images):
            typer.echo(f"{out} has {len(images) - len(todo)} of {len(images)} images already", err=True)
        unreadable: list[str] = []
        try:
            _run(folder, todo, detector, work, unreadable)
        except KeyboardInterrupt:
            work.save()
            typer.echo(f"\nstopped; {out} has {len(work.done)} images; the same command goes on", err=True)
            raise typer.Exit(130) from None
    work.save()
    typer.echo(f"{out}: {len(work.content['annotations'])} faces in {len(work.content['images'])} images")
    _faces.skipped(unreadable, len(images))


class Annotations:
    """A COCO file that grows.

    Attributes:
        content: the file's JSON.
        done: names of the images in it.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        """Takes what a file holds."""
        self.content = content
        self._path = path
        try:
            self.done = {image["file_name"] for image in content["images"]}
            self._image = max((int(image["id"]) for image in content["images"]), default=0)
            self._note = max((int(note["id"]) for note in content["annotations"]), default=0)
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path} is no COCO JSON of handlens annotate; name another --out") from None

    @classmethod
    def begin(cls, path: Path, detector: FaceDetector) -> "Annotations":
        """Reads what an earlier run left, or begins.

        Raises:
            DataError: the file is something else.
            InputError: another model, or other options, made it.
        """
        options = detector.options
        made = {
            "description": "made by a detector, not by people: handlens annotate",
            "model": detector.manifest.name,
            "model_id": detector.model_id,
            "score_threshold": options.score_threshold,
            "nms_iou": options.nms_iou,
            "min_size": options.min_size,
        }
        if not path.exists():
            category = {"id": 1, "name": "face", "keypoints": list(POINTS), "skeleton": []}
            return cls(path, {"info": made, "categories": [category], "images": [], "annotations": []})
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise DataError(f"{path} cannot be read ({error}); name another --out") from None
        found = cls(path, content if isinstance(content, dict) else {})
        if content.get("info") != made:
            raise InputError(
                f"{path} was made by {content.get('info')}; this run is {made}; name another --out, or move the file"
            )
        return found

    def add(self, name: str, height: int, width: int, faces: tuple[Face, ...]) -> None:
        """Appends an image and its faces."""
        number = self._image + 1
        notes = [{"id": self._note + 1 + at, "image_id": number, **note(face)} for at, face in enumerate(faces)]
        # The image last: an interrupt in between leaves annotations without one, which `save` drops.
        self.content["annotations"].extend(notes)
        self.content["images"].append({"id": number, "file_name": name, "width": width, "height": height})
        self._image, self._note = number, self._note + len(faces)
        self.done.add(name)

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        last = self.content["images"][-1]["id"] if self.content["images"] else 0
        while self.content["annotations"] and self.content["annotations"][-1]["image_id"] > last:
            self.content["annotations"].pop()
        files.write_text(self._path, json.dumps(self.content) + "\n")


def note(face: Face) -> dict[str, Any]:
    """A face as a COCO annotation: bbox (x, y, width, height), keypoints (x, y, 2 for visible; 15 numbers), score."""
    x1, y1, x2, y2 = (round(value, 2) for value in face.box)
    result: dict[str, Any] = {
        "category_id": 1,
        "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
        "area": round(face.width * face.height, 2),
        "iscrowd": 0,
        "score": round(face.score, 4),
    }
    if face.points:
        result["keypoints"] = [value for x, y in face.points for value in (round(x, 2), round(y, 2), 2)]
        result["num_keypoints"] = len(face.points)
    if face.gender:
        confidence = round(face.gender.confidence, 4)
        result["attributes"] = {"gender": face.gender.label, "gender_confidence": confidence}
    return result


def _run(folder: Path, todo: list[Path], detector: FaceDetector, work: Annotations, unreadable: list[str]) -> None:
    saved = time.monotonic()
    with typer.progressbar(todo, label="annotating", file=sys.stderr) as steps:
        for path in steps:
            try:
                pixels = load_image(path)
                faces = detector.detect(pixels)
            except ImageError as error:
                unreadable.append(str(error))
                continue
            work.add(path.relative_to(folder).as_posix(), pixels.shape[0], pixels.shape[1], faces)
            if time.monotonic() - saved > SAVE_SECONDS:
                work.save()
                saved = time.monotonic()
