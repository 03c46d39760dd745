"""Evidence of a pets run: its masks, what an autoencoder rebuilds, and a map of its features (t-SNE)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlens.image import load_image, resize
from handlens_data.datasets import pets
from handlens_data.datasets.pets import FOREGROUND, IGNORED, PetSplit
from handlens_train.evidence.drawing import figure
from handlens_train.evidence.matches import Crowd
from handlens_train.evidence.page import Section
from handlens_train.evidence.tsne import draw_tsne
from handlens_train.images import load_prepared, scaled
from handlens_train.recipe import of_run
from handlens_train.run import Run
from handlens_train.tasks.pets import EMBEDDING, TASK, Recipe

SHOWN = 12
THUMBNAIL = 64


def sections(run: Run, data: Path, split: str, out: Path) -> list[Section]:
    """The sections of a pets run's page, their pictures in `out`; `split` is "val" or "test".

    Raises:
        RunError: the run does not fit this version's network. MissingExtra: matplotlib or scikit-learn is missing.
    """
    import keras

    from handlens_train.pets_nets import network

    how, found = of_run(run, Recipe, TASK), pets.unseen(pets.load(data))
    model, spec, part = network(how), how.input(), found.split(split)
    run.fill(model)
    made = []
    if how.network == "autoencoder":
        images = load_prepared(part.paths[:SHOWN], spec)
        rebuilt = model.predict(scaled(images, spec), verbose=0)["picture"]
        pixels = np.clip(rebuilt * 128 + 128.5, 0, 255).astype(np.uint8)
        _sheet(out / "rebuilt.png", [list(images), list(pixels)])
        words = f"Images of {split}, and what the bottleneck kept of them."
        made.append(Section("Rebuilt", words, out / "rebuilt.png"))
    masked = found.splits.get(f"masked-{split}")
    if masked and how.network != "autoencoder":
        shown = PetSplit(masked.name, masked.pets[:SHOWN])
        logits = model.predict(scaled(load_prepared(shown.paths, spec), spec), verbose=0)["mask"]
        _sheet(out / "masks.png", [[_outlined(*pair) for pair in zip(shown.pets, logits[..., 0], strict=True)]])
        words = "The mask found is lit, the trimap's pet outlined in white, its border in grey."
        made.append(Section("Masks", words, out / "masks.png"))
    name = EMBEDDING if how.network == "autoencoder" else "feature"
    trunk = keras.Model(model.input, model.get_layer(name).output)
    rows = trunk.predict(scaled(load_prepared(part.paths, spec), spec), verbose=0)
    pictures = [resize(load_image(path), THUMBNAIL, THUMBNAIL) for path in part.paths]
    crowd = Crowd(pictures, part.breeds + 1, np.ones(len(part), int))
    title = f"t-SNE of {run.recipe}'s {name}"
    caption = draw_tsne(rows, crowd, out / "tsne.png", title=title, of=("breed", "breeds"))
    return [*made, Section("t-SNE", caption, out / "tsne.png")]


def _outlined(pet: pets.Pet, logit: np.ndarray) -> np.ndarray:
    assert pet.mask is not None
    image, trimap = load_image(pet.path), pets.read_mask(pet.mask)
    found = cv2.resize(logit, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR) > 0
    shown = np.where(found[..., None], image, image // 4)
    for values, colour in (((FOREGROUND, IGNORED), (128, 128, 128)), ((FOREGROUND,), (255, 255, 255))):
        lines, _ = cv2.findContours(
            np.isin(trimap, values).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        shown = cv2.drawContours(np.ascontiguousarray(shown), lines, -1, colour, 1)
    return np.asarray(shown)


def _sheet(path: Path, lines: Sequence[Sequence[np.ndarray]]) -> None:
    """Lines of images, side by side."""
    wide = max(len(line) for line in lines)
    with figure(path, 1.0 * wide, 1.05 * len(lines)) as fig:
        grid: Any = fig.subplots(len(lines), wide, squeeze=False)
        for axes in grid.ravel():
            axes.axis("off")
        for row, line in zip(grid, lines, strict=True):
            for axes, image in zip(row, line, strict=False):
                axes.imshow(image, interpolation="lanczos")
