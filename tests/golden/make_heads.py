"""Writes heads.json and labels.json beside this file: what every language reads from heads and from maps of classes.

Run `python tests/golden/make_heads.py` only when a case is added; a recorded line never changes. Outputs are drawn as
make_decode.py draws them, all of a row from one stream in the order of the manifest's outputs; a mirrored view is drawn
after the first. Labels, boxes and bytes must be equal; confidences hang on the last digit of an exponential.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from make_decode import Told

from handlens._patterns import Draws
from handlens.face import Face, GenderClassifier, face_crop
from handlens.golden import generate
from handlens.manifest import Compression, InputSpec, Manifest, OutputSpec, Provenance, Tolerance
from handlens.person import AttributeClassifier
from handlens.segment import Segmenter

HERE = Path(__file__).parent
Row = dict[str, Any]
COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
HEADS = {"gender": ("male", "female"), "colour": COLOURS, "luggage": ("none", "backpack", "bag", "case")}
ATTRIBUTES: tuple[Row, ...] = (
    {"seed": 1, "mirror": False, "drawn": (-4, 1 / 32, 256)},
    {"seed": 2, "mirror": True, "drawn": (-4, 1 / 32, 256)},
    {"seed": 3, "mirror": True, "drawn": (-1, 1, 3)},  # ties: the first label of equals
    {"seed": 4, "mirror": False, "drawn": (-900, 60, 31)},
)
GENDERS = (-80.0, -3.25, -0.0078125, 0.0, 0.0078125, 0.5, 17.0, 120.0)
# Boxes, or points; the sides and corners of some lie halfway between whole numbers.
CROPS: tuple[tuple[float, ...], ...] = (
    (10, 10, 60, 55),
    (10, 10, 59.5, 55),
    (11, 12, 80.25, 60),
    (-30, 5, 40, 95),
    (60, 60, 100, 110),
    (31, 33, 32, 34),
    (20, 25, 50, 24, 36, 40, 23, 55, 48, 54),
    (60, 20, 75, 55, 50, 48, 35, 40, 45, 68),
    (30, 30, 31, 30, 30.5, 31, 30, 32, 31, 32),
    (10, 12, 59, 55),
)
CLASSES = ("background", "hair", "upper", "lower", "shoes", "bag", "skin", "skirt", "hat")
LOGITS, SHARES = (-6, 1 / 16, 192), (-0.125, 1 / 64, 90)
MAPS: tuple[Row, ...] = (
    # outputs with their shapes, "drawn" for each, decoding, size of the input, geometry, of the image
    {
        "outputs": {"mask": (1, 8, 7, 1), "classes": (1, 4, 4, 9)},
        "drawn": {"mask": LOGITS, "classes": LOGITS},
        "decoding": {"labels_of": "classes"},
        "size": (32, 28),
        "geometry": "resize",
        "image": (61, 47),
    },
    {
        "outputs": {"cut": (1, 1, 12, 16), "kinds": (1, 6, 8, 3)},
        "drawn": {"cut": SHARES, "kinds": SHARES},
        "decoding": {"activation": "none", "outputs": {"mask": "cut", "classes": "kinds"}},
        "size": (48, 64),
        "geometry": "letterbox",
        "image": (90, 50),
    },
    {
        "outputs": {"class": (1, 9), "mask": (1, 10, 10)},
        "drawn": {"class": LOGITS, "mask": LOGITS},
        "decoding": {"labels_of": "class"},
        "size": (20, 20),
        "geometry": "crop",
        "image": (33, 50),
    },
    {
        "outputs": {"mask": (1, 5, 5, 1), "class": (1, 4)},
        "drawn": {"mask": (-9, 1, 1), "class": (0, 1, 1)},
        "decoding": {},
        "size": (20, 20),
        "geometry": "resize",
        "image": (7, 9),
    },
    {  # nothing is foreground, whatever the classes say
        "outputs": {"mask": (1, 5, 5, 1), "classes": (1, 5, 5, 3)},
        "drawn": {"mask": (-9, 1, 1), "classes": LOGITS},
        "decoding": {},
        "size": (20, 20),
        "geometry": "letterbox",
        "image": (12, 9),
    },
)


def describe(outputs: Mapping[str, tuple[int, ...]], decoding: Row, task: str, **changes: Any) -> Manifest:
    """A manifest with no more in it than the task reads."""
    size, geometry = changes.get("size", (4, 4)), changes.get("geometry", "resize")
    return Manifest(
        task=task,
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
            OutputSpec(name=name, meaning="-", shape=shape, tolerance=Tolerance(absolute=0.1, relative=0.0))
            for name, shape in outputs.items()
        ),
        labels=changes.get("labels", ()),
        decoding=decoding,
        compression=Compression(
            recipe="none", format="tflite", weights="float32", activations="float32", parameters=0, sparsity=0.0
        ),
        provenance=Provenance(data=(), weights_licence="none", seed=0, run="none", trained_seconds=0.0),
    )


def draw(draws: Draws, shape: tuple[int, ...], low: float, step: float, levels: int) -> np.ndarray:
    """One output."""
    values = [low + step * draws.below(levels) for _ in range(int(np.prod(shape)))]
    return np.array(values, np.float32).reshape(shape)


class Views(Told):
    """Answers a view at a time."""

    def __init__(self, answers: list[dict[str, np.ndarray]]) -> None:
        """Keeps them."""
        super().__init__({})
        self.answers = list(answers)

    def run(self, feeds: Any) -> dict[str, np.ndarray]:
        """Answers the next."""
        return self.answers.pop(0)


def attributes(row: Row) -> Row:
    """A crop's attributes."""
    shapes = {head: (1, len(labels)) for head, labels in HEADS.items()}
    decoding = {"kind": "heads", "labels": {k: list(v) for k, v in HEADS.items()}, "mirror": row["mirror"]}
    manifest, draws = describe(shapes, decoding, "attributes"), Draws(row["seed"])
    views = [
        {head: draw(draws, shape, *row["drawn"]) for head, shape in shapes.items()} for _ in range(1 + row["mirror"])
    ]
    (found,) = AttributeClassifier(Views(views), manifest).classify([generate("noise", 1, 4, 4, 3)])
    answers = {head: [found[head].label, found[head].confidence, *found[head].confidences.values()] for head in found}
    return row | {"manifest": json.loads(manifest.to_json()), "answers": answers}


def gender(logit: float) -> Row:
    """A crop's gender."""
    manifest = describe({"gender": (1, 1)}, {}, "gender", labels=("male", "female"))
    classifier = GenderClassifier(Told({"gender": np.array([[logit]], np.float32)}), manifest)
    (found,) = classifier.classify([generate("noise", 1, 4, 4, 3)])
    return {"logit": logit, "label": found.label, "confidence": found.confidence}


def crop(place: tuple[float, ...]) -> Row:
    """A face cut out by its box (four numbers) or its points (ten)."""
    image = generate("figure", 5, 90, 80, 3)
    points = tuple(zip(place[0::2], place[1::2], strict=True))
    box = place if len(place) == 4 else (0.0, 0.0, 80.0, 90.0)
    cut = face_crop(image, Face(box, 1.0, points if len(points) == 5 else None))  # type: ignore[arg-type]
    return {"place": place, "side": len(cut), "sha256": hashlib.sha256(cut.tobytes()).hexdigest()}


def segmented(row: Row, seed: int) -> Row:
    """An image's masks."""
    labels = CLASSES if "labels_of" in row["decoding"] else ()
    decoding = {"kind": "mask"} | row["decoding"]
    manifest = describe(
        row["outputs"], decoding, "person-mask", labels=labels, size=row["size"], geometry=row["geometry"]
    )
    draws = Draws(seed)
    outputs = {name: draw(draws, shape, *row["drawn"][name]) for name, shape in row["outputs"].items()}
    found = Segmenter(Told(outputs), manifest).segment(np.zeros((*row["image"], 3), np.uint8))
    return {
        "seed": seed,
        "manifest": json.loads(manifest.to_json()),
        "drawn": row["drawn"],
        "image": row["image"],
        "alpha": hashlib.sha256(found.alpha.tobytes()).hexdigest(),
        "row": found.alpha[row["image"][0] // 2].tolist(),
        "labels": None if found.labels is None else hashlib.sha256(found.labels.tobytes()).hexdigest(),
        "masked": [int(found.mask(threshold).sum()) for threshold in (0.0, 0.5, 0.75, 1.0)],
        "box": found.box,
        "areas": found.areas(),
        "class": found.class_name,
        "confidence": found.confidence,
    }


if __name__ == "__main__":
    heads = {
        "attributes": [attributes(row) for row in ATTRIBUTES],
        "genders": [gender(logit) for logit in GENDERS],
        "crops": [crop(place) for place in CROPS],
    }
    (HERE / "heads.json").write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
    rows = [segmented(row, seed) for seed, row in enumerate(MAPS, 1)]
    (HERE / "labels.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")
