"""Writes mask.json beside this file: how every language must bring a map of scores to an image.

Run `python tests/golden/make_mask.py` only when a case is added; a recorded line never changes. The scores are a grey
pattern of the golden inputs, so that nothing is stored; docs/artifact-format.md has the recipe.
"""

import hashlib
import json
from pathlib import Path

from handlens._mask import to_image
from handlens.golden import generate
from handlens.manifest import InputSpec

CASES = (
    # generator, seed, size of the map, of the input, geometry, of the image
    ("figure", 1, (64, 64), (256, 256), "letterbox", (480, 640)),
    ("figure", 2, (64, 64), (256, 256), "resize", (333, 217)),
    ("figure", 3, (48, 48), (192, 192), "crop", (301, 200)),
    ("blobs", 4, (40, 40), (160, 160), "letterbox", (37, 90)),
    ("blobs", 5, (256, 256), (256, 256), "letterbox", (1000, 750)),
    ("noise", 6, (24, 32), (96, 128), "letterbox", (128, 96)),
    ("stripes", 7, (60, 60), (120, 120), "resize", (50, 400)),
    ("gradient", 8, (7, 9), (56, 72), "crop", (1, 1)),
)

if __name__ == "__main__":
    rows = []
    for generator, seed, (h, w), (input_height, input_width), geometry, (height, width) in CASES:
        spec = InputSpec(
            name="image",
            height=input_height,
            width=input_width,
            channels=3,
            scale=(1.0,) * 3,
            offset=(0.0,) * 3,
            geometry=geometry,
        )
        result = to_image(generate(generator, seed, h, w, 1)[:, :, 0], spec, height, width)
        rows.append(
            {
                "generator": generator,
                "seed": seed,
                "map": [h, w],
                "input": [input_height, input_width],
                "geometry": geometry,
                "image": [height, width],
                "row": [int(value) for value in result[height // 2, :: max(1, width // 16)]],
                "sha256": hashlib.sha256(result.tobytes()).hexdigest(),
            }
        )
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (Path(__file__).parent / "mask.json").write_text(text, encoding="utf-8")
