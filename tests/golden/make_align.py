"""Writes align.json beside this file: what every language's alignment must produce.

Run `python tests/golden/make_align.py` only when a case is added; a recorded line never changes. Points and the image
are integers; "matrix" holds the inverse similarity's A, B, TX, TY in units of 2^-24 (docs/artifact-format.md).
"""

import hashlib
import json
from pathlib import Path

from handlens._align import fit_similarity, fixed, warp
from handlens.golden import generate

ARCFACE = (38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041)
UPRIGHT = ((60, 70), (96, 70), (78, 92), (64, 110), (92, 110))
CASES = (
    # generator, seed, height, width, points, size of the template
    ("face", 1, 200, 160, UPRIGHT, 112),
    ("face", 2, 200, 160, ((40, 60), (110, 85), (65, 100), (35, 130), (85, 150)), 112),
    ("noise", 3, 400, 500, ((150, 130), (330, 140), (235, 240), (165, 320), (310, 325)), 112),
    ("stripes", 4, 700, 900, ((250, 150), (610, 170), (430, 360), (290, 560), (560, 570)), 112),
    ("figure", 5, 61, 47, ((10, 12), (26, 13), (17, 22), (11, 30), (24, 31)), 56),
    ("blobs", 6, 90, 90, ((-20, 10), (30, 0), (10, 30), (-10, 60), (35, 55)), 112),
    ("stripes", 7, 90, 120, ((100, 80), (60, 90), (82, 60), (95, 35), (68, 42)), 112),
    ("gradient", 8, 33, 1000, ((300, 5), (700, 8), (500, 15), (350, 28), (650, 30)), 64),
)

if __name__ == "__main__":
    rows = []
    for generator, seed, height, width, points, size in CASES:
        template = [value * size / 112 for value in ARCFACE]
        image = generate(generator, seed, height, width, 3)
        similarity = fit_similarity(points, template)
        block, matrix = fixed(similarity)
        result = warp(image, similarity, size, size)
        rows.append(
            {
                "generator": generator,
                "seed": seed,
                "height": height,
                "width": width,
                "points": points,
                "template": template,
                "size": size,
                "block": block,
                "matrix": matrix,
                "row": [int(value) for value in result[size // 2, ::16].reshape(-1)],
                "sha256": hashlib.sha256(result.tobytes()).hexdigest(),
            }
        )
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (Path(__file__).parent / "align.json").write_text(text, encoding="utf-8")
