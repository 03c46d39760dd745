"""Writes decode.json and nms.json beside this file: what every language must make of a detector's raw outputs.

Run `python tests/golden/make_decode.py` only when a case is added; a recorded line never changes. Outputs are drawn,
not stored: for each output of the manifest in its order, value i is float32(low + step * draw below levels), all from
one stream of the case's seed (docs/artifact-format.md, "Golden vectors"); then "planted" puts single values in. Lows
and steps are binary fractions, so that the values are exact. Candidates, groups and their order must be equal;
coordinates hang on the last digit of a float32 exponential, which differs between libraries.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from handlens._decode import Decoding, decoder, logit
from handlens._nms import suppress
from handlens._patterns import Draws
from handlens.engine import TensorInfo
from handlens.face import DetectorOptions, FaceDetector
from handlens.manifest import Compression, InputSpec, Manifest, OutputSpec, Provenance, Tolerance

HERE = Path(__file__).parent
HEADS = {"score": 1, "box": 4, "points": 10, "gender": 1}
# Output to (low, step, levels).
DENSE = {
    "score": (-15, 1 / 32, 530),
    "box": (-1, 1 / 64, 256),
    "points": (-3, 1 / 64, 384),
    "gender": (-4, 1 / 32, 256),
}
CELLS = {"kind": "cells", "strides": [8, 16, 32], "score_threshold": 0.545}
Case = dict[str, Any]


class Told:
    """An engine that answers what it is told to."""

    name, version = "told", "1"
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()

    def __init__(self, answer: dict[str, np.ndarray]) -> None:
        """Keeps it."""
        self.answer = answer

    def run(self, feeds: Any) -> dict[str, np.ndarray]:
        """Answers."""
        return self.answer

    def close(self) -> None:
        """Does nothing."""


def describe(decoding: Case, size: tuple[int, int], outputs: dict[str, tuple[int, ...]], geometry: str) -> Manifest:
    """A manifest with no more in it than a decoder reads."""
    return Manifest(
        task="face-detector",
        name="drawn",
        version="1",
        input=InputSpec(
            name="image",
            height=size[0],
            width=size[1],
            channels=3,
            scale=(1.0,) * 3,
            offset=(0.0,) * 3,
            geometry=geometry,
        ),
        outputs=tuple(
            OutputSpec(name=name, meaning=name, shape=shape, tolerance=Tolerance(absolute=0.1, relative=0.0))
            for name, shape in outputs.items()
        ),
        decoding=decoding,
        compression=Compression(
            recipe="none", format="tflite", weights="float32", activations="float32", parameters=0, sparsity=0.0
        ),
        provenance=Provenance(data=(), weights_licence="none", seed=0, run="none", trained_seconds=0.0),
    )


def cells(name: str, size: tuple[int, int] = (192, 192), heads: Any = HEADS, drawn: Any = None, **more: Any) -> Case:
    """A case of this house's own decoder; "decoding" adds to or replaces what it says."""
    decoding = CELLS | more.pop("decoding", {})
    count = sum((size[0] // s) * (size[1] // s) for s in decoding["strides"])
    outputs = {head: (1, count, HEADS[head]) for head in heads}
    manifest = describe(decoding, size, outputs, more.pop("geometry", "letterbox"))
    return {"name": name, "manifest": manifest, "drawn": {h: (DENSE | (drawn or {}))[h] for h in outputs}, **more}


def yunet(name: str, drawn: Any, **more: Any) -> Case:
    """A case of YuNet's decoder."""
    size, heads = (64, 96), {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    outputs = {
        f"{head}_{s}": (1, size[0] // s * (size[1] // s), values) for head, values in heads.items() for s in (8, 16, 32)
    }
    decoding = {"kind": "yunet", "strides": [8, 16, 32]} | more.pop("decoding", {})
    manifest = describe(decoding, size, outputs, "letterbox")
    return {"name": name, "manifest": manifest, "drawn": {key: drawn[key.split("_")[0]] for key in outputs}, **more}


def blazeface(name: str, **more: Any) -> Case:
    """A case of BlazeFace's decoder, whose model names its outputs otherwise."""
    names = {"score": "classificators", "box": "regressors"}
    decoding = {"kind": "blazeface", "strides": [8, 16], "anchors": [2, 6], "nms": "weighted", "outputs": names}
    manifest = describe(decoding, (128, 128), {"regressors": (1, 896, 16), "classificators": (1, 896, 1)}, "letterbox")
    return {
        "name": name,
        "manifest": manifest,
        "drawn": {"regressors": (-8, 1 / 4, 256), "classificators": (-8, 1 / 16, 140)},
        **more,
    }


EDGE = float(np.float32(logit(0.545)))
YUNET = {"cls": (-0.25, 1 / 128, 200), "obj": (-0.5, 1 / 128, 240), "bbox": (-1, 1 / 64, 192), "kps": (-2, 1 / 64, 256)}
LARGE = {"box": (2, 1 / 64, 128), "score": (-2, 1 / 16, 128)}
CASES: tuple[Case, ...] = (
    cells("weighted", decoding={"nms": "weighted"}, seed=1, image=(480, 640)),
    cells("best stays", seed=2, image=(333, 217)),
    cells("neither points nor gender", (96, 128), ("score", "box"), seed=3, geometry="resize", image=(100, 77)),
    cells("no gender", (128, 96), ("box", "points", "score"), seed=4, geometry="crop", image=(301, 200)),
    cells("groups of hundreds", drawn=LARGE, decoding={"nms": "weighted", "nms_iou": 0.02}, seed=5, image=(192, 192)),
    cells("sizes beyond all limits", (64, 64), drawn={"box": (-4, 1, 40)}, seed=6, image=(64, 64)),
    cells("every cell", (96, 96), seed=7, image=(48, 31), options={"score_threshold": 0.0, "max_faces": 5}),
    cells("no cell", (96, 96), seed=7, image=(48, 31), options={"score_threshold": 1.0}),
    cells("narrow ones dropped", seed=8, image=(192, 192), options={"min_size": 24.5, "nms_iou": 0.2}),
    cells(
        "a score of exactly the threshold",
        (64, 64),
        drawn={"score": (-20, 1, 1), "box": (0, 1, 1)},
        seed=9,
        image=(64, 64),
        planted=[["score", 3, EDGE], ["score", 9, float(np.nextafter(np.float32(EDGE), np.float32(9)))]],
    ),
    cells(
        "scores that weigh nothing",
        (64, 64),
        drawn={"score": (-200, 1, 1), "box": (0, 1 / 64, 64)},
        decoding={"nms": "weighted", "nms_iou": 0.1},
        seed=14,
        image=(64, 64),
        options={"score_threshold": 0.0},
    ),
    yunet("yunet", YUNET, seed=10, image=(200, 300)),
    yunet("yunet weighted", YUNET, decoding={"nms": "weighted", "nms_iou": 0.2}, seed=11, image=(64, 96)),
    blazeface("blazeface", seed=12, image=(96, 170)),
    blazeface("blazeface, its threshold raised", seed=13, image=(500, 400), options={"score_threshold": 0.61}),
)


def draw(case: Case) -> dict[str, np.ndarray]:
    """The raw outputs of a case."""
    draws, made = Draws(case["seed"]), {}
    for spec in case["manifest"].outputs:
        low, step, levels = case["drawn"][spec.name]
        values = [low + step * draws.below(levels) for _ in range(int(np.prod(spec.shape)))]
        made[spec.name] = np.array(values, np.float32).reshape(spec.shape)
    for name, index, value in case.get("planted", ()):
        made[name].reshape(-1)[index] = value
    return made


def answer(case: Case) -> Case:
    """What Python makes of it."""
    manifest, outputs = case["manifest"], draw(case)
    detector = FaceDetector(Told(outputs), manifest, DetectorOptions(**case.get("options", {})))
    options = detector.options
    found = decoder(manifest)(outputs, options.score_threshold)
    groups = suppress(found.boxes, found.scores, options.nms_iou, options.max_faces)
    faces = detector.detect(np.zeros((*case["image"], 3), np.uint8))
    return {
        "candidates": len(found.scores),
        "groups": [group.tolist() for group in groups],
        "nms": Decoding.of(manifest).nms,
        "faces": [
            {
                "box": [float(np.float32(value)) for value in face.box],
                "score": face.score,
                "points": None if face.points is None else [round(v, 4) for point in face.points for v in point],
                "gender": None if face.gender is None else [face.gender.label, round(face.gender.confidence, 7)],
            }
            for face in faces
        ],
    }


def overlapping(seed: int, count: int, side: int, levels: int) -> tuple[list[list[int]], list[float]]:
    """Boxes with whole coordinates, whose overlaps are fractions, and scores with many ties."""
    draws = Draws(seed)
    boxes = []
    for _ in range(count):
        x, y, w, h = (draws.below(side) for _ in range(4))
        boxes.append([x, y, x + w, y + h])
    return boxes, [(draws.below(levels) + 1) / 64 for _ in boxes]


# 2/5 as a float32 is above 2/5 as a float64: who compares in float64 calls the second box a double.
FIFTHS = [[0, 0, 10, 10], [0, 0, 10, 4], [20, 0, 30, 10], [20, 0, 30, 5], [0, 0, 0, 0], [0, 0, 0, 0]]
SUPPRESSED: tuple[Case, ...] = (
    {"boxes": FIFTHS, "scores": [0.5, 0.75, 0.5, 0.25, 0.125, 0.125], "iou": 0.4, "most": 9},
    {"boxes": FIFTHS, "scores": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], "iou": 0.5, "most": 9},
    {"boxes": [], "scores": [], "iou": 0.5, "most": 1},
    *(
        {"boxes": boxes, "scores": scores, "iou": iou, "most": most}
        for (boxes, scores), iou, most in (
            (overlapping(1, 60, 12, 8), 0.3, 99),
            (overlapping(2, 60, 12, 60), 0.0, 99),
            (overlapping(3, 200, 40, 3), 0.45, 20),
            (overlapping(4, 40, 9, 2), 1.0, 99),
        )
    ),
)


def plain(case: Case) -> Case:
    """The case as JSON."""
    return {key: json.loads(value.to_json()) if key == "manifest" else value for key, value in case.items()}


if __name__ == "__main__":
    rows = [plain(case) | answer(case) for case in CASES]
    (HERE / "decode.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
    rows = [
        case
        | {
            "groups": [
                group.tolist()
                for group in suppress(
                    np.array(case["boxes"], np.float32).reshape(-1, 4),
                    np.array(case["scores"], np.float32),
                    case["iou"],
                    case["most"],
                )
            ]
        }
        for case in SUPPRESSED
    ]
    (HERE / "nms.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
