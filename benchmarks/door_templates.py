"""How are several templates of a person compared, and when are two photographs one? On LFW's people of folds 7 and 8.

    python benchmarks/door_templates.py face-detector.tflite face-verifier.tflite --data DIR

For each rule (of a set's scores: the first alone, the highest, the mean of the best two, the mean; or the score to the
mean template) it prints the false match and the false non-match rate at each threshold of the verifier's manifest,
which was chosen for single comparisons. The false match rate should stay below the target whatever the rule.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from handlens._enrolment import ALIKE, correlation, small_crop
from handlens.errors import RateUnsupported
from handlens.face import Face, FaceDetector, FaceVerifier
from handlens.image import load_image
from handlens_data.datasets import lfw

Floats = NDArray[Any]
# From a set's templates (n, D) and probes (M, D), one score a probe; "mean of all" is `handlens.access.similarity`.
RULES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "the first alone": lambda enrolled, probes: probes @ enrolled[0],
    "highest": lambda enrolled, probes: (probes @ enrolled.T).max(axis=1),
    "mean of the best two": lambda enrolled, probes: np.sort(probes @ enrolled.T, axis=1)[:, -2:].mean(axis=1),
    "mean of all": lambda enrolled, probes: (probes @ enrolled.T).mean(axis=1),
    "to the mean template": lambda enrolled, probes: probes @ unit(enrolled.mean(axis=0)),
}


def main(
    detector: Path,
    verifier: Path,
    data: Annotated[Path, typer.Option(help="The folder of LFW.")],
    most: Annotated[int, typer.Option(help="Photographs of one person, at most.")] = 12,
) -> None:
    """Print both tables."""
    cv2.setNumThreads(1)
    kept: dict[str, list[tuple[Floats, Floats]]] = {}
    copied: list[float] = []
    with FaceDetector.load(detector) as finder, FaceVerifier.load(verifier) as model:
        for photo in lfw.load(data, "test").photos:
            if len(kept.get(photo.person, ())) >= most:
                continue
            image = load_image(photo.path)
            found = finder.detect(image)
            if not found:
                continue
            face = max(found, key=lambda one: one.height)
            crop = small_crop(image, face)
            kept.setdefault(photo.person, []).append((model.embed(image, [face])[0], crop))
            if len(copied) < 600 and len(kept[photo.person]) == 1:
                copied += [correlation(crop, other) for other in copies(image, finder)]
        limits = [limit for limit in model.manifest.thresholds if carried(model, limit.target_fmr)]
    sets = {name: (np.stack([one for one, _ in rows]), [crop for _, crop in rows]) for name, rows in kept.items()}
    for size in (2, 3, 5):
        rates(sets, size, limits)
    alike(sets, copied)


def rates(sets: dict[str, tuple[Floats, Any]], size: int, limits: list[Any]) -> None:
    """Enrols everybody who has more photographs than `size`; the rest of them, and everybody else's, are probes."""
    people = [name for name, (rows, _) in sets.items() if len(rows) > size]
    probes = np.concatenate([rows[:2] for rows, _ in sets.values()])
    owners = np.array([name for name, (rows, _) in sets.items() for _ in rows[:2]])
    print(f"\nsets of {size}: {len(people)} people enrolled, of {len(sets)}\n")
    print("| rule | " + " | ".join(f"FMR at {limit.target_fmr:g} | FNMR" for limit in limits) + " |")
    print("|---|" + "---|---|" * len(limits))
    for rule, score in RULES.items():
        genuine = np.concatenate([score(sets[name][0][:size], sets[name][0][size:]) for name in people])
        impostor = np.concatenate([score(sets[name][0][:size], probes[owners != name]) for name in people])
        cells = [f"{np.mean(impostor >= limit.value):.5f} | {np.mean(genuine < limit.value):.3f}" for limit in limits]
        print(f"| {rule} | " + " | ".join(cells) + " |")
    print(f"\n{len(genuine):,} genuine and {len(impostor):,} impostor comparisons")


def unit(vector: Floats) -> Floats:
    """The vector, at length 1."""
    return vector / np.linalg.norm(vector)


def alike(sets: dict[str, tuple[Floats, Any]], copied: list[float]) -> None:
    """Correlations of two photographs of a person, and of copies of one."""
    own = [correlation(a, b) for _, crops in sets.values() for a, b in zip(crops[0::2], crops[1::2], strict=False)]
    print("\n| pairs | n | 1 % | 5 % | 50 % | 95 % | 99 % | highest | refused |\n|---|" + "---|" * 8)
    for name, values in (("two photographs of a person", own), ("a photograph and a copy of it", copied)):
        places = " | ".join(f"{place:.3f}" for place in np.percentile(values, (1, 5, 50, 95, 99, 100)))
        print(f"| {name} | {len(values)} | {places} | {np.mean(np.array(values) >= ALIKE):.3f} |")


def copies(image: Any, finder: FaceDetector) -> list[Any]:
    """Crops of a photograph compressed, halved, brightened, cut and tilted a little, each detected anew."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    made = (
        cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR),
        cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
        image[height // 12 : -height // 20, width // 16 : -width // 10],
        cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT),
    )
    found: list[tuple[Any, tuple[Face, ...]]] = []
    for copy in made:
        pixels = np.ascontiguousarray(copy, np.uint8)
        found.append((pixels, finder.detect(pixels)))
    return [small_crop(pixels, max(faces, key=lambda one: one.height)) for pixels, faces in found if faces]


def carried(model: FaceVerifier, rate: float) -> bool:
    """Whether the manifest carries the rate."""
    try:
        model.threshold(rate)
    except RateUnsupported:
        return False
    return True


if __name__ == "__main__":
    typer.run(main)
