"""Does the Kotlin library decide as Python does? Real photographs, four tasks, both engines, both languages.

    make android-test
    for name in face-detector face-verifier reid-small person-mask; do
        python benchmarks/onnx_twin.py zoo/handlens_zoo/artifacts/$name.tflite twins/$name.onnx
    done
    python benchmarks/kotlin_parity.py zoo/handlens_zoo/artifacts --data DATA
    python benchmarks/kotlin_parity.py twins --data DATA

Each language reads the same pixels (Python decodes the photograph), and does all the rest itself. Decisions are: which
faces there are, with their gender; whether two faces are one person, at every threshold of the artifact; which gallery
image is nearest to a probe; which pixels are a person, and what they wear. The photographs are of test parts.
"""

import base64
import importlib.util
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from handlens import FaceDetector, FaceVerifier, PersonReidentifier, Segmenter
from handlens.image import Pixels, load_image
from handlens_data.datasets import ccp, faces, lfw, market1501

JAR = Path(__file__).parents[1] / "android_bridge" / "parity" / "target" / "parity.jar"


@dataclass(frozen=True)
class Row:
    """What one artifact gave: decisions, how many differ, and the largest differences, by what they are counted in."""

    engine: str
    images: int
    decisions: int
    different: int
    largest: dict[str, float]


def main(
    folder: Annotated[Path, typer.Argument(help="Holds the four artifacts, as .tflite or as .onnx.")],
    data: Annotated[Path, typer.Option(envvar="HANDLENS_DATA", help="Folder that holds the data sets.")],
    count: Annotated[int, typer.Option(min=2, help="Photographs for each task.")] = 50,
) -> None:
    """Compare Kotlin with Python on the artifacts in FOLDER."""
    tasks = {
        "face-detector": detector,
        "face-verifier": verifier,
        "reid-small": reidentifier,
        "person-mask": segmenter,
    }
    print(f"{'artifact':22}{'engine':22}{'images':>7}{'decisions':>11}{'different':>11}  largest difference")
    for name, compare in tasks.items():
        file = next(path for kind in ("tflite", "onnx") if (path := folder / f"{name}.{kind}").is_file())
        row = compare(file, data, count)
        largest = ", ".join(f"{what} {value:.3g}" for what, value in row.largest.items())
        print(f"{file.name:22}{row.engine:22}{row.images:>7}{row.decisions:>11}{row.different:>11}  {largest}")


def detector(file: Path, data: Path, count: int) -> Row:
    """Faces of photographs with one to many faces; a face that one language alone finds differs."""
    images = [load_image(image.path) for image in spread(faces.load(data, "faces_multi", "test").images, count)]
    with FaceDetector.load(file) as model:
        engine, found = model.engine, [model.detect(image) for image in images]
    decisions = different = 0
    score = pixels = 0.0
    for mine, other in zip(found, kotlin("detect", file, images), strict=True):
        decisions += max(len(mine), len(other))
        different += abs(len(mine) - len(other))
        for face, told in zip(mine, other, strict=False):
            different += face.gender is not None and face.gender.label != told["gender"][0]
            score = max(score, abs(face.score - told["score"]))
            pixels = max(pixels, float(np.abs(np.subtract(face.box, told["box"])).max()))
            pixels = max(pixels, float(np.abs(np.subtract(face.points, told["points"])).max()))
    return Row(engine, len(images), decisions, int(different), {"score": score, "pixels": pixels})


def verifier(file: Path, data: Path, count: int) -> Row:
    """Every two of the faces, at each threshold; the points are those that Python's detector found."""
    split = lfw.load(data, "test")
    chosen = [name for pair in spread(split.pairs, count // 2) for name in (pair.first, pair.second)]
    paths = {photo.name: photo.path for photo in split.photos}
    images = [load_image(paths[name]) for name in chosen]
    with FaceDetector.load(next(file.parent.glob("face-detector.*"))) as finder:
        points = [(finder.detect(image) or [None])[0] for image in images]
    kept = [(image, face) for image, face in zip(images, points, strict=True) if face is not None]
    with FaceVerifier.load(file) as model:
        engine, limits = model.engine, [limit.value for limit in model.manifest.thresholds]
        mine = np.concatenate([model.embed(image, [face]) for image, face in kept])
    places = ["\t".join(str(value) for point in face.points or () for value in point) for _, face in kept]
    told = np.array(kotlin("verify", file, [image for image, _ in kept], places), np.float32)
    pairs = np.triu_indices(len(mine), 1)
    scores, others = (np.clip(np.float64(each) @ each.T, -1, 1)[pairs] for each in (mine, told))
    changed = sum(int(np.sum((scores >= limit) != (others >= limit))) for limit in limits)
    return Row(engine, len(kept), len(scores) * len(limits), changed, {"cosine": float(np.abs(scores - others).max())})


def reidentifier(file: Path, data: Path, count: int) -> Row:
    """The nearest gallery image of each probe, among those of the same people."""
    found = market1501.load(data)
    assert found.probe is not None and found.gallery is not None
    people = spread(sorted(set(found.probe.identities) & set(found.gallery.identities)), count // 2)
    paths = [
        next(path for path, identity in zip(sample.paths, sample.identities, strict=True) if identity == person)
        for sample in (found.probe, found.gallery)
        for person in people
    ]
    images = [load_image(path) for path in paths]
    with PersonReidentifier.load(file) as model:
        engine, mine = model.engine, model.embed(images)
    told = np.array(kotlin("reid", file, images), np.float32)
    scores, others = (each[: len(people)] @ each[len(people) :].T for each in (mine, told))
    changed = int(np.sum(scores.argmax(axis=1) != others.argmax(axis=1)))
    return Row(engine, len(images), len(people), changed, {"cosine": float(np.abs(scores - others).max())})


def segmenter(file: Path, data: Path, count: int) -> Row:
    """Foreground or not, and which class, pixel by pixel of each photograph."""
    images = [load_image(path) for path in spread(ccp.load(data, "test").paths, count)]
    with Segmenter.load(file) as model:
        engine, found = model.engine, [model.segment(image) for image in images]
    changed = levels = 0
    for mine, told in zip(found, kotlin("segment", file, images), strict=True):
        alpha = np.frombuffer(base64.b64decode(told["alpha"]), np.uint8).reshape(mine.alpha.shape)
        levels = max(levels, int(np.abs(alpha.astype(int) - mine.alpha).max()))
        labels = None if told["labels"] is None else np.frombuffer(base64.b64decode(told["labels"]), np.uint8)
        different = (alpha >= 128) != (mine.alpha >= 128)
        if mine.labels is not None and labels is not None:
            different |= labels.reshape(mine.labels.shape) != mine.labels
        changed += int(different.sum())
    return Row(engine, len(images), sum(each.alpha.size for each in found), changed, {"levels of 255": levels})


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """So many of the items, evenly spread over all of them; all where there are fewer."""
    return [items[index * len(items) // count] for index in range(count)] if len(items) > count else list(items)


def kotlin(task: str, file: Path, images: Sequence[Pixels], more: Sequence[str] = ()) -> list[Any]:
    """What the Kotlin library answers to the same pixels, a value for each image."""
    found = importlib.util.find_spec("ai_edge_litert")
    places = list(found.submodule_search_locations or []) if found else []
    engine = "litert" if file.suffix == ".tflite" else "onnxruntime"
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for index, image in enumerate(images):
            path = Path(folder, f"{index}.ppm")
            path.write_bytes(b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes())
            lines.append("\t".join([str(path), *more[index : index + 1]]))
        done = subprocess.run(
            ["java", "-jar", str(JAR), engine, task, str(file)],
            input="\n".join(lines),
            env=os.environ | {"HANDLENS_LITERT": places[0] if places else ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    typer.run(main)
