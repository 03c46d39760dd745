"""Writes matching.json beside this file: templates, comparisons and thresholds that every language must agree on.

Run `python tests/golden/make_matching.py` only when a case is added; a recorded line never changes. Embeddings are
drawn as make_decode.py draws outputs: value i is float32(low + step * draw below levels). "match" is what counts:
whether the similarity reaches the threshold of a rate.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from make_decode import Told

from handlens._embed import template
from handlens._patterns import Draws
from handlens.errors import RateUnsupported
from handlens.face import FaceVerifier
from handlens.manifest import Compression, InputSpec, Manifest, OutputSpec, Provenance, Threshold, Tolerance

ARCFACE = (38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041)
Row = dict[str, Any]
DRAWN: tuple[Row, ...] = (
    # seed, count, low, step, levels of each of two embeddings
    {"first": (1, 128, -1, 1 / 64, 128), "second": (2, 128, -1, 1 / 64, 128)},
    {"first": (3, 256, -0.25, 1 / 64, 64), "second": (4, 256, -0.25, 1 / 64, 64)},
    {"first": (5, 128, -1, 1 / 64, 128), "second": (5, 128, -1, 1 / 64, 128)},
    {"first": (6, 3, -2, 1, 5), "second": (7, 3, -2, 1, 5)},
    {"first": (8, 64, 1, 1 / 1024, 64), "second": (9, 64, 1, 1 / 1024, 64)},
    {"first": (10, 512, -4, 1 / 16, 128), "second": (11, 512, -4, 1 / 16, 128)},
    {"first": (12, 16, -64, 1, 129), "second": (12, 16, 64, -1, 129)},
)
LIMITS = tuple(
    Threshold(target_fmr=rate, value=value, comparisons=comparisons, low=0.0, high=1.0)
    for rate, value, comparisons in (
        (0.1, 0.25, 5000),
        (0.01, 0.9375, 300),
        (0.001, 0.99, 2999),
        (0.0001, 0.999, 30000),
        (0.0, 1.0, 10**9),
    )
)
RATES = (0.1, 0.01, 0.001, 0.0001, 0.05, 0.0, 1.0, 0.1 * (1 + 5e-7), 0.1 * (1 + 5e-6), 0.0001 * (1 - 9e-7))


def describe(dimension: int) -> Manifest:
    """A verifier's manifest."""
    return Manifest(
        task="face-verifier",
        name="drawn",
        version="1",
        input=InputSpec(
            name="face",
            height=112,
            width=112,
            channels=3,
            scale=(1.0,) * 3,
            offset=(0.0,) * 3,
            geometry="align",
            template=ARCFACE,
        ),
        outputs=(
            OutputSpec(
                name="embedding", meaning="-", shape=(1, dimension), tolerance=Tolerance(absolute=0.1, relative=0.0)
            ),
        ),
        thresholds=LIMITS,
        compression=Compression(
            recipe="none", format="tflite", weights="float32", activations="float32", parameters=0, sparsity=0.0
        ),
        provenance=Provenance(data=(), weights_licence="none", seed=0, run="none", trained_seconds=0.0),
    )


def embedding(seed: int, count: int, low: float, step: float, levels: int) -> np.ndarray:
    """What a model would answer."""
    draws = Draws(seed)
    return np.array([low + step * draws.below(levels) for _ in range(count)], np.float32)


def compared(row: Row) -> Row:
    """Both templates (their first numbers), how alike they are, and whether that is a match at 0.1 and at 0.01."""
    pair = []
    for side in ("first", "second"):
        engine = Told({"embedding": embedding(*row[side])[None]})
        pair.append(template(engine, "face", np.empty(0), "embedding", side))
    verifier = FaceVerifier(Told({}), describe(len(pair[0])))
    score = verifier.compare(*pair)
    limits = [verifier.threshold(rate).value for rate in (0.1, 0.01)]
    head = {
        f"{side}_template": [float(v) for v in unit[:6]] for side, unit in zip(("first", "second"), pair, strict=True)
    }
    return row | head | {"score": score, "match": [score >= limit for limit in limits]}


def supported(rate: float) -> Row:
    """The threshold of a rate; null where none can be told."""
    try:
        return {"rate": rate, "value": FaceVerifier(Told({}), describe(4)).threshold(rate).value}
    except RateUnsupported:
        return {"rate": rate, "value": None}


def made() -> Row:
    """All of it."""
    return {
        "manifest": json.loads(describe(4).to_json()),
        "pairs": [compared(row) for row in DRAWN],
        "rates": [supported(rate) for rate in RATES],
    }


if __name__ == "__main__":
    (Path(__file__).parent / "matching.json").write_text(json.dumps(made(), indent=1) + "\n", encoding="utf-8")
