"""A segmenter without weights: its "network" is a function of the prepared pixels."""

from collections.abc import Callable, Mapping

import numpy as np
from fake_engine import FakeEngine

from handlens.manifest import Compression, DataSource, InputSpec, Manifest, OutputSpec, Provenance, Tolerance
from handlens.segment import Segmenter

CLASSES = ("background", "upper", "lower")


def manifest(
    outputs: Mapping[str, tuple[int, ...]],
    *,
    size: tuple[int, int] = (48, 64),
    geometry: str = "letterbox",
    decoding: Mapping[str, object] | None = None,
    labels: tuple[str, ...] = (),
    task: str = "person-mask",
) -> Manifest:
    """What an artifact of such a segmenter would say; pixels reach the network as they are, 0..255."""
    return Manifest(
        task=task,
        name="fake",
        version="1",
        input=InputSpec(
            name="image",
            height=size[0],
            width=size[1],
            channels=3,
            scale=(1.0,) * 3,
            offset=(0.0,) * 3,
            geometry=geometry,
            template=tuple(range(10)) if geometry == "align" else (),
        ),
        outputs=tuple(
            OutputSpec(name=name, meaning="-", shape=shape, tolerance=Tolerance(absolute=1e-3, relative=1e-3))
            for name, shape in outputs.items()
        ),
        labels=labels,
        decoding={"kind": "mask"} if decoding is None else dict(decoding),
        compression=Compression(
            recipe="float32", format="tflite", weights="float32", activations="float32", parameters=1, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="drawn", licence="CC0-1.0", split="all", sha256=""),),
            weights_licence="CC0-1.0",
            seed=0,
            run="fake",
            trained_seconds=0.0,
        ),
    )


def bright_segmenter(geometry: str = "letterbox", size: tuple[int, int] = (48, 64)) -> Segmenter:
    """Foreground where red is above 127, "upper" where green is above blue there, else "lower"."""
    height, width = size

    def answer(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        red, green, blue = (feeds["image"][..., channel : channel + 1] for channel in range(3))
        upper = (green - blue) / 16
        return {"mask": (red - 127.5) / 8, "classes": np.concatenate([-(red - 127.5) / 8, upper, -upper], axis=-1)}

    made = manifest(
        {"mask": (1, height, width, 1), "classes": (1, height, width, 3)},
        size=size,
        geometry=geometry,
        decoding={"kind": "mask", "labels_of": "classes"},
        labels=CLASSES,
    )
    return Segmenter(FakeEngine(answer), made)


def fixed_segmenter(answer: Mapping[str, np.ndarray] | Callable, made: Manifest) -> Segmenter:
    """A segmenter whose network answers the same whatever it sees."""
    return Segmenter(FakeEngine(answer), made)
