"""Training images for a model from elsewhere: those to calibrate and fine-tune on, and some held out to compare on."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from handlens.errors import DataError, DataNotFound, EmptyFolder, ImageShapeError, OptionError
from handlens.image import load_image, prepare
from handlens.manifest import DataSource, InputSpec
from handlens_data.calibration import CalibrationSet, Pool
from handlens_data.calibration.lint import FEW
from handlens_data.calibration.pool import file_sha256
from handlens_data.calibration.sets import wrong_pixels
from handlens_export.bring.evaluation import Judge

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
LEAST = FEW
MOST_HELD = 256

Draw = Callable[[int, int], tuple[np.ndarray, DataSource]]
Pixels = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Images as the model's input wants them.

    Attributes:
        draw: (count, seed) -> (uint8 (at most count, H, W, C), their source); never one that is held out.
        source: where they came from.
        held: gives those held out, uint8 (M, H, W, C); always the same.
    """

    draw: Draw
    source: DataSource
    held: Callable[[], Pixels] = field(default=lambda: np.empty((0, 0, 0, 0), np.uint8))


def gather(
    spec: InputSpec, images: Path | None, calibration: Path | None, judge: Judge | None, *, hold_out: bool
) -> Given:
    """The images that were given: a folder, a picked set, or what the evaluation brings along.

    Args:
        spec: of the model's input.
        images: a folder, looked through with all folders in it.
        calibration: a file of `handlens calib pick`.
        judge: of the user, or a task of ours.
        hold_out: keep some back to compare outputs on: a quarter, at most `MOST_HELD`.

    Raises:
        OptionError: none were given, or two kinds.
        DataError: there are too few, or one cannot be used.
        SplitLeak: an image of the folder is among those that the task tests on.
    """
    if images is not None and calibration is not None:
        raise OptionError("--images and --calibration are both given; valid: a folder of images, or a picked set")
    if calibration is not None:
        return _picked(CalibrationSet.load(calibration), calibration, spec, hold_out)
    if images is not None:
        own = pool(images, () if judge is None or judge.pool is None else judge.pool.tested)
        own.refuse_leaks(range(len(own.paths)))
        source = DataSource(name=own.dataset, licence=own.licence, split=own.split, sha256="")
        return _of_files(own.paths, source, spec, hold_out)
    if judge is not None and judge.draw is not None:
        return Given(judge.draw, DataSource(name="the evaluation's own", licence="", split="train", sha256=""))
    if judge is not None and judge.pool is not None:
        return _pooled(judge.pool, spec)
    raise OptionError(
        "no images to measure ranges on: give --images DIR (training images), --calibration SET.npz (handlens calib "
        "pick), or an --evaluation that brings training_images"
    )


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder and of all folders in it, sorted.

    Raises:
        DataError: it is no folder, or there are too few.
    """
    if not folder.is_dir():
        raise DataNotFound(f"--images {folder} is not a folder; give one that holds {', '.join(SUFFIXES)} files")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise EmptyFolder(f"--images {folder} holds no image; valid: {', '.join(SUFFIXES)}, in it or in its folders")
    if len(paths) < LEAST:
        raise DataError(
            f"--images {folder} holds {len(paths)} images; at least {LEAST} are needed, 200 are good: ranges measured "
            "on fewer are luck"
        )
    return paths


def pool(folder: Path, tested: Sequence[Path] = ()) -> Pool:
    """The images of a folder as a pool to draw from.

    Args:
        folder: looked through with all folders in it.
        tested: files that may not be among them.

    Raises:
        DataError: it is no folder, or there are too few images.
    """
    paths = tuple(image_files(folder))
    return Pool(
        dataset=folder.resolve().name or "images",
        split="train",
        licence="the user's own",
        sha256=lambda: hashlib.sha256("".join(map(file_sha256, paths)).encode()).hexdigest(),
        paths=paths,
        tested=tuple(tested),
        prepare=prepared,
    )


def _of_files(paths: Sequence[Path], source: DataSource, spec: InputSpec, hold_out: bool) -> Given:
    # The same ones whatever the seed, so that two exports are compared on the same images.
    order = np.random.default_rng(0).permutation(len(paths))
    count = min(MOST_HELD, len(paths) // 4) if hold_out else 0
    held, free = order[:count], np.sort(order[count:])

    def draw(wanted: int, seed: int) -> tuple[Pixels, DataSource]:
        chosen = np.random.default_rng(seed).permutation(free)[:wanted]
        found = np.stack([prepared(paths[index], spec) for index in chosen])
        if wrong := wrong_pixels(found):
            raise DataError(f"the images of {source.name} would calibrate a model wrongly: {wrong}")
        return found, source

    return Given(draw, source, lambda: np.stack([prepared(paths[index], spec) for index in held]))


def _picked(picked: CalibrationSet, path: Path, spec: InputSpec, hold_out: bool) -> Given:
    wanted = (spec.height, spec.width, spec.channels)
    if picked.images.shape[1:] != wanted:
        raise DataError(
            f"{path}: the picked images are {picked.images.shape[1:]} each; the model takes {wanted}. Pick some for "
            "it: handlens calib pick FILE"
        )
    if len(picked.images) < LEAST:
        raise DataError(
            f"{path} holds {len(picked.images)} images; at least {LEAST} are needed, 200 are good: ranges measured on "
            "fewer are luck"
        )
    source = DataSource(name=picked.dataset, licence=picked.licence, split=picked.split, sha256=picked.split_sha256)
    order = np.random.default_rng(0).permutation(len(picked.images))
    count = min(MOST_HELD, len(order) // 4) if hold_out else 0
    held, free = np.sort(order[:count]), np.sort(order[count:])

    def draw(wanted: int, seed: int) -> tuple[Pixels, DataSource]:
        chosen = free if wanted >= len(free) else np.random.default_rng(seed).permutation(free)[:wanted]
        return picked.images[chosen], source

    return Given(draw, source, lambda: picked.images[held])


def _pooled(pool: Pool, spec: InputSpec) -> Given:
    source = DataSource(name=pool.dataset, licence=pool.licence, split=pool.split, sha256=pool.sha256())

    def draw(wanted: int, seed: int) -> tuple[Pixels, DataSource]:
        chosen, found = pool.usable(pool.turns(seed).tolist(), wanted, spec)
        pool.refuse_leaks(chosen)
        return found, source

    return Given(draw, source)


def prepared(path: Path, spec: InputSpec) -> Pixels:
    """An image as the model wants it; one that needs aligning has to be aligned, and of the right size, already."""
    image = load_image(path)
    if spec.geometry != "align":
        return prepare(image, spec)
    if image.shape[:2] != (spec.height, spec.width):
        raise ImageShapeError(
            f"{path} is {image.shape[0]} x {image.shape[1]}; a model that aligns faces is calibrated on aligned crops "
            f"of {spec.height} x {spec.width}: cut them with handlens.image.align"
        )
    return prepare(image, replace(spec, geometry="resize", template=()))
