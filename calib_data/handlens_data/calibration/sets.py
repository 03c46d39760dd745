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
            DataError: missing, damaged, or of a newer schema.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as saved:
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
        return found
