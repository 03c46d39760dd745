"""A calibration set: prepared images of a training split, where they came from, and how they were chosen."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from handlens.errors import DataError
from handlens.files import write_bytes

SCHEMA = 2
LEAST_SPAN = 16  # levels between the darkest and the brightest pixel of a whole set


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Images and where they came from.

    Attributes:
        images: uint8 (N, H, W, C), prepared as the model's input wants them.
        dataset: such as "market1501".
        split: the training split's name.
        licence: of the images.
        seed: they were drawn with.
        by: "random" or "diversity".
        split_sha256: hash of the whole split.
        files: name of each image's file.
        files_sha256: hash of each file's bytes, hex.
        groups: what each shows (a person, a breed), where the data set says; empty otherwise.
    """

    images: np.ndarray
    dataset: str
    split: str
    licence: str
    seed: int
    by: str
    split_sha256: str
    files: tuple[str, ...]
    files_sha256: tuple[str, ...]
    groups: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the pixels, in order."""
        return hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest()

    def save(self, path: Path) -> None:
        """Write one .npz without pickled objects, atomically."""
        facts = {name: value for name, value in asdict(self).items() if name != "images"} | {"schema": SCHEMA}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=self.images, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "CalibrationSet":
        """Read what `save` wrote.

        Raises:
            DataError: missing, damaged, of a newer schema, empty, or not of pixels of 0 to 255.
        """
        if path.suffix == ".npy":
            raise DataError(
                f"{path} holds tensors, and a calibration set holds pixels and where they came from. Look at the "
                f"tensors with handlens calib lint, and draw a set with handlens calib pick FILE --out SET.npz"
            )
        try:
            content = path.read_bytes()
            if not zipfile.is_zipfile(io.BytesIO(content)):
                raise ValueError("it is no .npz file")
            with np.load(io.BytesIO(content), allow_pickle=False) as saved:
                images, facts = saved["images"], json.loads(saved["facts"].tobytes())
            if facts.pop("schema") != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            facts |= {name: tuple(facts[name]) for name in ("files", "files_sha256", "groups")}
            found = cls(images=images, **facts)
            if images.dtype != np.uint8 or images.ndim != 4 or not len(images) == len(found.files):
                raise ValueError(f"its images are {images.dtype} {images.shape}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} is no calibration set ({error}). Make one with handlens calib pick FILE --out {path}"
            ) from error
        if not len(images):
            raise DataError(f"{path} holds no image. Draw some: handlens calib pick FILE --count 200 --out {path}")
        if wrong := wrong_pixels(images):
            raise DataError(f"{path} would calibrate a model wrongly: {wrong}")
        return found


def wrong_pixels(images: np.ndarray) -> str:
    """What is wrong with the range of uint8 (N, ...) pixels, and what to do; empty when nothing is."""
    low, high = int(images.min()), int(images.max())
    if high <= 1:
        return (
            f"its pixels are {low} to {high}, as if they had been over 255 already when they became integers. "
            "Keep pixels of 0 to 255; the manifest's scale and offset are applied later"
        )
    if high - low < LEAST_SPAN:
        return (
            f"all its pixels lie between {low} and {high}, and pixels go from 0 to 255. Look at the images, and draw "
            "others: handlens calib pick FILE"
        )
    return ""
