"""Do the door's gates decide in Kotlin as in Python? Photographs as they are, and spoilt in four ways.

    make android-test
    python benchmarks/kotlin_gates.py zoo/handlens_zoo/artifacts/face-detector.tflite --photographs DATA/lfw

Each language finds the faces itself, on LiteRT. Compared are the verdicts of all gates, and their words and figures.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from kotlin_parity import kotlin, spread

from handlens import FaceDetector
from handlens.gates import judge
from handlens.image import Pixels, load_image


def main(
    detector: Annotated[Path, typer.Argument(help="A face-detector artifact that gives five points.")],
    photographs: Annotated[Path, typer.Option(help="Folder with JPEG photographs, searched recursively.")],
    count: Annotated[int, typer.Option(min=1, help="Photographs; each is judged in five variants.")] = 50,
) -> None:
    """Compare the verdicts of both languages."""
    images = [
        variant
        for path in spread(sorted(photographs.rglob("*.jpg")), count)
        for variant in spoilt(np.ascontiguousarray(load_image(path)))
    ]
    with FaceDetector.load(detector) as model:
        mine = [[verdict.to_dict() for verdict in judge(image, model.detect(image))] for image in images]
    told = kotlin("gates", detector, images)
    keys = ("gate", "passed", "measured", "advice")
    decisions = sum(len(verdicts) for verdicts in mine)
    different = sum(
        [verdict["passed"] for verdict in own] != [verdict["passed"] for verdict in other]
        for own, other in zip(mine, told, strict=True)
    )
    words = sum(
        [[verdict[key] for key in keys] for verdict in own] != [[verdict[key] for key in keys] for verdict in other]
        for own, other in zip(mine, told, strict=True)
    )
    closed = Counter(verdict["gate"] for verdicts in mine for verdict in verdicts if not verdict["passed"])
    print(
        f"{len(images)} images, {decisions} verdicts: {different} images decided differently, {words} with other words"
    )
    print("closed in Python: " + ", ".join(f"{gate} {number}" for gate, number in closed.most_common()))


def spoilt(image: Pixels) -> list[Pixels]:
    """The image as it is, too dark, blurred, tilted, and half as large."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 1)
    return [
        image,
        (image // 6).astype(np.uint8),
        np.asarray(cv2.GaussianBlur(image, (0, 0), 3), np.uint8),
        np.asarray(cv2.warpAffine(image, turn, (width, height)), np.uint8),
        np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8),
    ]


if __name__ == "__main__":
    typer.run(main)
