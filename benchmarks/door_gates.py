"""How often does each gate of the door close: on photographs as they are, and on copies made worse on purpose?

    python benchmarks/door_gates.py face-detector.tflite --photographs lfw --count 300
    python benchmarks/door_gates.py face-detector.tflite --photographs utkface --count 300 --by utkface

`--by utkface` groups photographs by the race label that UTKFace puts into file names (age_gender_race_date), and
enlarges each fourfold: they are 64 pixels wide, the face up to the edge. Size and cut-off then mean nothing; light,
sharpness and pose do.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from handlens._align import fit_similarity, warp
from handlens._facemeasure import SIDE, TEMPLATE, face_mask
from handlens.face import Face, FaceDetector
from handlens.gates import GATES, Measures, judge, measure
from handlens.image import load_image, to_grey

Pixels = NDArray[np.uint8]
SHOWN = ("eyes", "inside", "yaw", "pitch", "roll", "highlights", "clipped", "sharpness")
RACES = ("White", "Black", "Asian", "Indian", "Others")
ENLARGED = 4


def main(
    detector: Path,
    photographs: Annotated[Path, typer.Option(help="A folder, read with its sub-folders.")],
    count: Annotated[int, typer.Option(help="Photographs, drawn by the seed.")] = 300,
    seed: int = 7,
    by: Annotated[str | None, typer.Option(help="utkface: group by the label in the file name.")] = None,
) -> None:
    """Print the gates' verdicts and measures as Markdown tables."""
    cv2.setNumThreads(1)
    files = sorted(path for path in photographs.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = random.Random(seed).sample(files, min(count, len(files)))
    with FaceDetector.load(detector) as model:
        if by == "utkface":
            groups(model, chosen)
        else:
            copies(model, chosen)


def copies(model: FaceDetector, files: list[Path]) -> None:
    """Verdicts on the photographs and on copies of those with exactly one face."""
    failed: dict[str, Counter[str]] = defaultdict(Counter)
    seen: list[Measures] = []
    for path in files:
        image = load_image(path)
        faces = model.detect(image)
        count(failed["as it is"], image, faces)
        if len(faces) != 1 or faces[0].points is None:
            continue
        seen.append(measure(image, faces[0].points))
        for name, copy in worse(image, faces[0], seen[-1].eyes):
            count(failed[name], copy, model.detect(copy))
    table(failed)
    print(
        "\n| measure | " + " | ".join(f"{share} %" for share in (1, 5, 25, 50, 75, 95, 99)) + " |\n|---|" + "---|" * 7
    )
    for name in SHOWN:
        values = [abs(getattr(one, name)) for one in seen]
        places = np.percentile(values, (1, 5, 25, 50, 75, 95, 99))
        print(f"| {name} | " + " | ".join(f"{place:.3g}" for place in places) + " |")


def groups(model: FaceDetector, files: list[Path]) -> None:
    """Verdicts by the label in UTKFace's file names; faces that the detector misses are left out and counted."""
    failed: dict[str, Counter[str]] = defaultdict(Counter)
    missed: Counter[str] = Counter()
    light: dict[int, list[tuple[str, float, float]]] = defaultdict(list)
    for path in files:
        parts = path.name.split("_")
        if len(parts) < 4 or not parts[2].isdigit() or int(parts[2]) >= len(RACES):
            continue
        group = RACES[int(parts[2])]
        image = load_image(path)
        image = np.asarray(cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC), np.uint8)
        image = np.asarray(cv2.copyMakeBorder(image, 64, 64, 64, 64, cv2.BORDER_REPLICATE), np.uint8)
        faces = sorted(model.detect(image), key=lambda face: -face.height)[:1]
        if faces:
            count(failed[group], image, faces)
            for stops in (0, -2, -3):  # the same face and points: what light alone does
                inner = luma(exposed(image, 2.0**stops), faces[0])
                light[stops].append((group, float(inner.mean()), float(np.percentile(inner, 99))))
        else:
            missed[group] += 1
    table(dict(sorted(failed.items())))
    print("\n| a gate that refuses 99 % of copies three stops too dark | " + " | ".join(sorted(failed)) + " |")
    print("|---|" + "---|" * len(failed))
    for place, name in ((1, "by mean luma"), (2, "by the 99th percentile")):
        limit = np.quantile([row[place] for row in light[-3]], 0.99)
        for stops, what in ((0, "as they are"), (-2, "two stops darker")):
            rows = [[row[place] < limit for row in light[stops] if row[0] == group] for group in sorted(failed)]
            print(f"| {name}, below {limit:.0f}; {what} | " + " | ".join(f"{np.mean(row):.3f}" for row in rows) + " |")
    print("\nno face found: " + (", ".join(f"{name} {number}" for name, number in missed.items()) or "none"))


def luma(image: Pixels, face: Face) -> Pixels:
    """Luma inside the aligned face's ellipse."""
    crop = warp(image, fit_similarity(face.points or (), TEMPLATE), SIDE, SIDE)
    return to_grey(crop)[:, :, 0][face_mask()]


def count(failed: Counter[str], image: Pixels, faces: Any) -> None:
    """Counts each gate that refuses; an image may fail several."""
    failed["n"] += 1
    verdicts = judge(image, faces)
    refusals = [verdict.refusal for verdict in verdicts if verdict.refusal is not None]
    failed["any"] += bool(refusals)
    for verdict in verdicts:
        failed[verdict.gate] += not verdict.passed


def table(failed: dict[str, Counter[str]]) -> None:
    """Prints the share that each gate refuses."""
    print("| photographs | n | refused [95%] | " + " | ".join(GATES) + " |\n|---|---|---|" + "---|" * len(GATES))
    for name, row in failed.items():
        low, high = wilson(row["any"], row["n"])
        shares = " | ".join(f"{row[gate] / row['n']:.3f}" for gate in GATES)
        print(f"| {name} | {row['n']} | {row['any'] / row['n']:.3f} [{low:.3f}, {high:.3f}] | {shares} |")


def worse(image: Pixels, face: Face, eyes: float) -> Iterator[tuple[str, Pixels]]:
    """Copies of a photograph, each worse in one way; blur in shares of the distance between the eyes."""
    for share in (0.05, 0.08, 0.12):
        yield f"blur, sigma {share} of the eyes' distance", blur(image, share * eyes)
    for degrees in (0, 45, 90):
        yield f"motion of 0.3 at {degrees} degrees", motion(image, 0.3 * eyes, degrees)
    for stops in (-2, -3, -4, 2, 3):
        yield f"light {stops:+d} stops", exposed(image, 2.0**stops)
    for degrees in (25, 40):
        yield f"tilted by {degrees} degrees", tilted(image, degrees)
    for share in (0.5, 0.25):
        yield f"{share} of the size", smaller(image, share)
    middle = round((face.box[0] + face.box[2]) / 2)
    yield "cut at the nose", np.ascontiguousarray(image[:, :middle])
    yield "with its mirror image beside it", np.concatenate([image, image[:, ::-1]], axis=1)


def blur(image: Pixels, sigma: float) -> Pixels:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def motion(image: Pixels, length: float, degrees: float) -> Pixels:
    """Moved along a line."""
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    for step in np.linspace(-length / 2, length / 2, 8 * side):
        x, y = (step * turn(math.radians(degrees)) for turn in (math.cos, math.sin))
        kernel[round(side // 2 + y), round(side // 2 + x)] += 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def exposed(image: Pixels, factor: float) -> Pixels:
    """More or less light: a factor in linear light, for a gamma of 2.2."""
    linear = (np.arange(256) / 255) ** 2.2 * factor
    table: NDArray[Any] = np.clip(np.rint(255 * np.minimum(linear, 1) ** (1 / 2.2)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def tilted(image: Pixels, degrees: float) -> Pixels:
    """Turned in the plane."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def smaller(image: Pixels, share: float) -> Pixels:
    """Farther away."""
    return np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a share."""
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


if __name__ == "__main__":
    typer.run(main)
