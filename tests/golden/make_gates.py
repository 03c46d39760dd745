"""Writes gates.json beside this file: what every language's gates must measure, say and decide.

Run `python tests/golden/make_gates.py` only when a case is added; a recorded line never changes. An image is a pattern
of the golden inputs, each pixel of which becomes zoom x zoom pixels of `clip((pixel * gain) // 256 + lift, 0, 255)`.
"pairs" compares two rows' small crops: the correlation as they are, and with the second one mirrored.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from handlens._enrolment import correlation, small_crop
from handlens.face import Face
from handlens.gates import judge, measure
from handlens.golden import generate
from handlens.image import Pixels

POINTS = ((90.0, 100.0), (150.0, 100.0), (120.0, 136.0), (96.0, 170.0), (144.0, 170.0))
NOISE = {"generator": "noise", "seed": 2, "size": [15, 15], "zoom": 16, "gain": 176, "lift": 40}


def turned(degrees: float, scale: float = 1.0, dx: float = 0.0, dy: float = 0.0) -> list[list[float]]:
    """The points turned and scaled about (120, 130), then shifted; to 1/64 pixel, which any language reads exactly."""
    angle = np.radians(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = (np.array(POINTS) - (120, 130)) @ matrix.T + (120, 130) + (dx, dy)
    return [[float(x), float(y)] for x, y in np.round(placed * 64) / 64]


def nose(dx: float, dy: float) -> list[list[float]]:
    """The points with another nose."""
    points = [list(point) for point in POINTS]
    points[2][0] += dx
    points[2][1] += dy
    return points


CASES: tuple[dict[str, Any], ...] = (
    {},
    {"points": turned(4, 1.3)},
    {"points": turned(-11, 0.9, 5.5, -3.25)},
    {"points": turned(0, 0.34)},
    {"points": turned(0, 0.33)},
    {"points": turned(14.9)},
    {"points": turned(-15.2)},
    {"points": turned(180)},
    {"points": turned(0, 1, -60)},
    {"points": turned(0, 1, -47.5)},
    {"points": turned(0, 1, 0, 95)},
    {"points": nose(17, 0)},
    {"points": nose(-19, 0)},
    {"points": nose(0, -7)},
    {"points": nose(0, 15)},
    {"points": nose(0, -100)},
    {"gain": 60, "lift": 10},
    {"gain": 100, "lift": 0},
    {"gain": 176, "lift": 110},
    {"gain": 400, "lift": 90},
    {"seed": 1, "zoom": 8, "size": [30, 30]},
    {"seed": 3, "zoom": 24, "size": [10, 10]},
    {"seed": 4, "zoom": 40, "size": [6, 6]},
    {"seed": 5, "zoom": 1, "size": [240, 240]},
    {"gain": 150, "lift": 60, "points": turned(2, 1.02)},
    {"generator": "gradient", "seed": 6, "zoom": 1, "size": [240, 240]},
    {"generator": "blobs", "seed": 7, "zoom": 2, "size": [120, 140]},
    {"generator": "stripes", "seed": 8, "zoom": 1, "size": [300, 260]},
    {"generator": "figure", "seed": 9, "zoom": 3, "size": [90, 80]},
    {"generator": "face", "seed": 10, "zoom": 2, "size": [150, 130], "points": turned(0, 1.1)},
    {"seed": 11, "zoom": 64, "size": [30, 30], "points": turned(3, 7.7, 800, 790)},
    {"seed": 12, "zoom": 3, "size": [20, 30], "points": turned(0, 0.4, -80, -100)},
    {"points": turned(7, 1, -78.5, 31)},
    {"points": turned(-9, 1.2, 74, 40)},
    {"points": turned(3, 1.1, -82, -66)},
)
PAIRS = ((0, 1), (0, 24), (1, 2), (0, 20), (20, 21), (25, 26), (28, 29), (5, 5), (16, 17), (23, 27))


def draw(case: dict[str, Any]) -> Pixels:
    """The image (H, W, 3) of a row."""
    height, width = case["size"]
    image = generate(case["generator"], case["seed"], height, width, 3).astype(np.int64)
    image = np.clip(image * case["gain"] // 256 + case["lift"], 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(np.repeat(image, case["zoom"], axis=0), case["zoom"], axis=1))


def face(case: dict[str, Any]) -> Face:
    """The face of a row."""
    return Face((70.0, 60.0, 170.0, 200.0), 0.9, tuple((x, y) for x, y in case["points"]))


def record(case: dict[str, Any]) -> dict[str, Any]:
    """A row with what the gates make of it."""
    image, one = draw(case), face(case)
    seen = measure(image, case["points"])
    names = ("eyes", "inside", "yaw", "pitch", "roll", "highlights", "clipped", "sharpness")
    return {
        **case,
        "measures": [getattr(seen, name) for name in names],
        "verdicts": [verdict.to_dict() for verdict in judge(image, [one])],
        "crop": hashlib.sha256(small_crop(image, one).tobytes()).hexdigest(),
    }


def compare(first: dict[str, Any], second: dict[str, Any]) -> list[float]:
    """The correlations of two rows' crops: as they are, and with the second one mirrored."""
    one, other = (small_crop(draw(case), face(case)) for case in (first, second))
    return [correlation(one, other), correlation(one, np.ascontiguousarray(other[:, ::-1]))]


if __name__ == "__main__":
    cases = [{**NOISE, "points": [list(point) for point in POINTS], **case} for case in CASES]
    rows = ",\n".join(json.dumps(record(case)) for case in cases)
    pairs = ",\n".join(json.dumps([one, other, *compare(cases[one], cases[other])]) for one, other in PAIRS)
    text = f'{{"rows": [\n{rows}\n], "pairs": [\n{pairs}\n]}}\n'
    (Path(__file__).parent / "gates.json").write_text(text, encoding="utf-8")
