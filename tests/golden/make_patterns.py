"""Writes patterns.json beside this file: what every language's generator of golden inputs must produce.

Run `python tests/golden/make_patterns.py` only when a pattern is added; a recorded line never changes.
"""

import hashlib
import json
from pathlib import Path

from handlens.golden import GENERATORS, generate

SIZES = ((128, 64, 3), (64, 32, 1), (7, 5, 3))

if __name__ == "__main__":
    rows = []
    for generator in GENERATORS:
        for seed in (1, 2**53):
            for height, width, channels in SIZES:
                image = generate(generator, seed, height, width, channels)
                digest = hashlib.sha256(image.tobytes()).hexdigest()
                size = {"height": height, "width": width, "channels": channels}
                rows.append({"generator": generator, "seed": seed, **size, "sha256": digest})
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (Path(__file__).parent / "patterns.json").write_text(text, encoding="utf-8")
