"""Five points of the one face that each photograph is about, found by a detector, once."""

import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from handlens._defaults import model_for
from handlens.artifact import Artifact
from handlens.errors import DataError
from handlens.face import Face, FaceDetector
from handlens.files import write_bytes
from handlens.image import load_image, prepare
from handlens.manifest import InputSpec
from handlens_data.datasets.lfw import Photo

Points = dict[str, np.ndarray]


def locate(
    photos: Sequence[Photo], detector: Path, kept: Path | None = None, tick: Callable[[], None] = lambda: None
) -> Points:
    """Finds the face of each photograph.

    Args:
        photos: to look at.
        detector: face-detector artifact.
        kept: file to keep the points in; where it is there already (of the same detector) it is read instead.
        tick: called after each photograph.

    Returns:
        (5, 2) float64 points in pixels by `Photo.name`; photographs without a face are left out.

    Raises:
        DataError: no face in any, or `kept` was made with another detector.
        ImageError: a photograph is damaged.
    """
    model_id = Artifact.open(detector).manifest.model_id
    if kept is not None and kept.is_file():
        points, maker = read(kept)
        if maker != model_id:
            raise DataError(
                f"{kept} was made with the detector {maker}, not with {detector.name}; give that one, or remove the "
                "file."
            )
        return points
    found: Points = {}
    with FaceDetector.load(detector) as model:
        for photo in photos:
            points = _points(model, load_image(photo.path))
            if points is not None:
                found[photo.name] = points
            tick()
    if not found:
        raise DataError(f"{detector.name} finds no face with five points in {len(photos)} photographs.")
    if kept is not None:
        buffer = io.BytesIO()
        np.savez(
            buffer, names=np.array(list(found)), points=np.stack(list(found.values())), detector=np.array(model_id)
        )
        write_bytes(kept, buffer.getvalue())
    return found


def _points(model: FaceDetector, pixels: np.ndarray) -> np.ndarray | None:
    """(5, 2) points of the face that a photograph is about."""
    face = main_face(model.detect(pixels), pixels.shape[0], pixels.shape[1])
    return None if face is None or face.points is None else np.array(face.points)


def aligner(detector: Path | None) -> Callable[[Path, InputSpec], np.ndarray | None]:
    """A function from a photograph's file to the aligned face as a model's input takes it; None where there is no face.

    The detector (None for the zoo's) is looked for when the first one is asked for.
    """
    opened = functools.cache(lambda: FaceDetector.load(find_detector(detector)))

    def aligned(path: Path, spec: InputSpec) -> np.ndarray | None:
        pixels = load_image(path)
        points = _points(opened(), pixels)
        return None if points is None else prepare(pixels, spec, points)

    return aligned


def read(kept: Path) -> tuple[Points, str]:
    """The points in a file that `locate` kept, and the model id of the detector that found them."""
    with np.load(kept) as saved:
        return dict(zip(saved["names"].tolist(), saved["points"], strict=True)), str(saved["detector"])


def find_detector(given: Path | None) -> Path:
    """The detector that finds faces in photographs: the one given, else the zoo's.

    Raises:
        MissingExtra, OptionError: none is given, and the zoo is not installed or has none.
    """
    return model_for("face-detector", given, "--detector")


@functools.lru_cache(maxsize=4)
def located(photos: tuple[Photo, ...], detector: Path, model_id: str) -> Points:
    """`locate`, kept in memory: an export measures many files on the same photographs. `model_id` tells a new file."""
    return locate(photos, detector)


def main_face(faces: Sequence[Face], height: int, width: int) -> Face | None:
    """The face that a photograph is about: large and near the middle; None where there is none."""

    def weight(face: Face) -> float:
        x, y = (face.box[0] + face.box[2]) / 2 - width / 2, (face.box[1] + face.box[3]) / 2 - height / 2
        return face.width * float(np.exp(-8 * (x * x + y * y) / (width * width + height * height)))

    return max(faces, key=weight, default=None)
