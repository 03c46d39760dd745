"""Writes answers.json beside this file: what Python answers with the zoo's artifacts on drawn pictures.

Run `python tests/golden/make_answers.py` when an artifact of the zoo changes, or a case is added. Every language runs
the same files on the same pictures (the patterns of docs/artifact-format.md) on a real engine: decisions must be equal,
and scores within a step of the models' quantization.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.face import DetectorOptions, Face, FaceDetector, FaceVerifier, GenderClassifier, face_crop
from handlens.golden import generate
from handlens.person import AttributeClassifier, PersonReidentifier
from handlens.segment import Segmenter

HERE = Path(__file__).parent
ZOO = HERE.parents[1] / "zoo" / "handlens_zoo" / "artifacts"
Picture = tuple[str, int, int, int]
Row = dict[str, Any]
# No decision on a picture hangs on one step of a model's quantization. True: at a threshold lower than the artifact's
# own, as no drawn face is much of one.
LOW = {"face-detector.tflite": 0.3, "face-detector-nano.tflite": 0.25}
FACES: tuple[tuple[Picture, bool], ...] = (
    (("face", 1, 480, 640), False),
    (("face", 3, 480, 640), False),
    (("face", 5, 640, 480), True),
    (("face", 2, 200, 160), True),
    (("face", 6, 320, 320), True),
    (("noise", 8, 480, 640), True),
    (("figure", 3, 100, 301), True),
    (("blobs", 5, 97, 61), False),
)
PERSONS: tuple[Picture, ...] = (
    ("figure", 3, 128, 64),
    ("figure", 3, 300, 111),
    ("figure", 5, 160, 80),
    ("figure", 1, 300, 111),
    ("noise", 1, 300, 111),
    ("noise", 7, 40, 33),
    ("blobs", 2, 640, 200),
)
RATES = (0.1, 0.01, 0.001, 0.0001)
POINTS = ((60, 70), (96, 70), (78, 92), (64, 110), (92, 110))
TURNED = ((40, 60), (110, 85), (65, 100), (35, 130), (85, 150))
ALIGNED: tuple[tuple[Picture, Any], ...] = (
    (("face", 1, 200, 160), POINTS),
    (("face", 2, 200, 160), POINTS),
    (("face", 2, 200, 160), TURNED),
    (("noise", 2, 200, 160), TURNED),
    (("noise", 4, 200, 160), POINTS),
    (("stripes", 4, 180, 120), POINTS),
)
CROPS: tuple[tuple[Picture, Face], ...] = (
    (("face", 1, 200, 160), Face((30.0, 50.0, 125.5, 170.25), 0.9, POINTS)),
    (("face", 2, 200, 160), Face((30.0, 50.0, 125.5, 170.25), 0.9, TURNED)),
    (("face", 3, 200, 160), Face((30.0, 50.0, 125.5, 170.25), 0.9)),
    (("figure", 4, 64, 90), Face((-10.0, 20.0, 60.0, 64.0), 0.9)),
)
SCENES: tuple[Picture, ...] = (
    ("figure", 1, 240, 180),
    ("figure", 2, 333, 217),
    ("blobs", 3, 120, 200),
    ("gradient", 4, 50, 50),
)


def drawn(picture: Picture) -> NDArray[np.uint8]:
    """The picture."""
    generator, seed, height, width = picture
    return generate(generator, seed, height, width, 3)


def sha256(pixels: NDArray[np.uint8]) -> str:
    """Of the bytes."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def sampled(pixels: NDArray[np.uint8]) -> list[int]:
    """Every 401st pixel."""
    return [int(value) for value in pixels.reshape(-1)[::401]]


def face(found: Face) -> Row:
    """A face as JSON."""
    return {
        "box": [round(value, 4) for value in found.box],
        "score": round(found.score, 6),
        "points": [[round(x, 4), round(y, 4)] for x, y in found.points or ()],
        "gender": [found.gender.label, round(found.gender.confidence, 6)] if found.gender else None,
    }


def detections(name: str) -> list[Row]:
    """Of a detector."""
    rows = []
    for picture, low in FACES:
        threshold = LOW[name] if low else None
        with FaceDetector.load(ZOO / name, options=DetectorOptions(score_threshold=threshold)) as detector:
            faces = [face(found) for found in detector.detect(drawn(picture))]
        rows.append({"picture": picture, "score_threshold": threshold, "faces": faces})
    return rows


def verified(name: str) -> list[Row]:
    """Of a verifier: how like each face is the first, and whether that is a match at each rate."""
    with FaceVerifier.load(ZOO / name) as verifier:
        limits = [verifier.threshold(rate).value for rate in RATES]
        templates = [verifier.embed(drawn(picture), [points])[0] for picture, points in ALIGNED]
        scores = [verifier.compare(templates[0], template) for template in templates]
    return [
        {
            "picture": picture,
            "points": points,
            "template": [round(float(value), 6) for value in template[:8]],
            "score": round(score, 6),
            "match": [score >= limit for limit in limits],
        }
        for (picture, points), template, score in zip(ALIGNED, templates, scores, strict=True)
    ]


def reidentified(name: str) -> list[Row]:
    """Of a re-identifier: how like each picture is the first."""
    with PersonReidentifier.load(ZOO / name) as model:
        templates = model.embed([drawn(picture) for picture in PERSONS])
    return [
        {
            "picture": picture,
            "template": [round(float(value), 6) for value in template[:8]],
            "score": round(float(templates[0] @ template), 6),
        }
        for picture, template in zip(PERSONS, templates, strict=True)
    ]


def attributes(name: str) -> list[Row]:
    """Of an attribute classifier."""
    with AttributeClassifier.load(ZOO / name) as model:
        found = model.classify([drawn(picture) for picture in PERSONS])
    return [
        {
            "picture": picture,
            "heads": {head: [answer.label, round(answer.confidence, 6)] for head, answer in person.heads.items()},
        }
        for picture, person in zip(PERSONS, found, strict=True)
    ]


def genders(name: str) -> list[Row]:
    """Of a gender classifier, on crops of faces."""
    crops = [face_crop(drawn(picture), found) for picture, found in CROPS]
    with GenderClassifier.load(ZOO / name) as model:
        answers = model.classify(crops)
    return [
        {
            "picture": picture,
            "box": found.box,
            "points": found.points,
            "side": len(crop),
            "crop": sha256(crop),
            "gender": [answer.label, round(answer.confidence, 6)],
        }
        for (picture, found), crop, answer in zip(CROPS, crops, answers, strict=True)
    ]


def segmented(name: str) -> list[Row]:
    """Of a segmenter."""
    rows = []
    with Segmenter.load(ZOO / name) as model:
        for picture in SCENES:
            found = model.segment(drawn(picture))
            rows.append(
                {
                    "picture": picture,
                    "alpha": sampled(found.alpha),
                    "labels": None if found.labels is None else sampled(found.labels),
                    "masked": int(found.mask().sum()),
                    "box": found.box,
                    "areas": {label: round(share, 6) for label, share in found.areas().items()},
                    "class": found.class_name,
                    "confidence": None if found.confidence is None else round(found.confidence, 6),
                }
            )
    return rows


ANSWERS = {
    "face-detector.tflite": detections,
    "face-detector-nano.tflite": detections,
    "face-verifier.tflite": verified,
    "reid-small.tflite": reidentified,
    "reid-base.tflite": reidentified,
    "attributes.tflite": attributes,
    "gender.tflite": genders,
    "person-mask.tflite": segmented,
    "person-mask-nano.tflite": segmented,
    "pets-mobile.tflite": segmented,
}

if __name__ == "__main__":
    made = {name: answer(name) for name, answer in ANSWERS.items()}
    lines = (f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, rows)) + "\n]" for name, rows in made.items())
    (HERE / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
