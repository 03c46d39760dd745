"""Calibration sets: images drawn from a training split with a seed, their provenance, a check against test splits."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from handlens.errors import DataError, SplitLeak
from handlens.files import write_bytes
from handlens.image import load_image, resize
from handlens_data.datasets.identity import IdentitySplit

SCHEMA = 1


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Images and where they came from.

    Attributes:
        images: RGB uint8 (N, H, W, 3).
        dataset: such as "market1501".
        split: the training split's name.
        licence: of the images.
        seed: they were drawn with.
        split_sha256: hash of the whole split.
        files: name of each image's file.
        files_sha256: hash of each file's bytes, hex.
    """

    images: np.ndarray
    dataset: str
    split: str
    licence: str
    seed: int
    split_sha256: str
    files: tuple[str, ...]
    files_sha256: tuple[str, ...]

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
            facts["files"], facts["files_sha256"] = tuple(facts["files"]), tuple(facts["files_sha256"])
            found = cls(images=images, **facts)
            if images.dtype != np.uint8 or images.ndim != 4 or not len(images) == len(found.files):
                raise ValueError(f"its images are {images.dtype} {images.shape}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} is no calibration set ({error}). Make one with handlens calib pick --data DIR --out {path}"
            ) from error
        return found


def pick(
    split: IdentitySplit,
    count: int,
    seed: int,
    size: tuple[int, int],
    dataset: str,
    licence: str,
    tested: Iterable[IdentitySplit] = (),
) -> CalibrationSet:
    """Draw `count` images of `split` at random with `seed`, spread over identities: one of each before a second of any.

    Args:
        split: to draw from.
        count: of images.
        seed: of the draw.
        size: (height, width) in pixels the images are stored at.
        dataset: its name, recorded.
        licence: recorded.
        tested: splits that models are judged on; no drawn image may be in one, compared by the bytes of the files.

    Raises:
        DataError: `count` is not within 1 and the size of the split.
        SplitLeak: a drawn image is also in a tested split.
    """
    if not 1 <= count <= len(split):
        raise DataError(
            f"cannot pick {count} of the {len(split)} images of {dataset}/{split.name}; valid: 1 to {len(split)}."
        )
    rng = np.random.default_rng(seed)
    identities = split.identities
    turn = np.empty(len(split), np.int64)  # which image of its identity this is, in a random order
    shuffled = rng.permutation(len(split))
    seen: dict[int, int] = {}
    for index in shuffled:
        turn[index] = seen[identities[index]] = seen.get(identities[index], -1) + 1
    chosen = shuffled[np.argsort(turn[shuffled], kind="stable")][:count]
    paths = [split.paths[index] for index in chosen]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    check_leak(dict(zip(hashes, paths, strict=True)), tested)
    images = np.stack([resize(load_image(path), *size) for path in paths])
    return CalibrationSet(
        images=images,
        dataset=dataset,
        split=split.name,
        licence=licence,
        seed=seed,
        split_sha256=split.sha256(),
        files=tuple(path.name for path in paths),
        files_sha256=tuple(hashes),
    )


def check_leak(drawn: dict[str, Path], tested: Iterable[IdentitySplit]) -> None:
    """Refuse images that a tested split holds, too. `drawn` maps the SHA-256 of a file to its path.

    Raises:
        SplitLeak: names the first image found in both.
    """
    for split in tested:
        for path in split.paths:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in drawn:
                raise SplitLeak(
                    f"{drawn[digest].name} is also in the tested split {split.name} (as {path.name}). A figure "
                    "measured after calibrating on it would flatter. Remove it from one of the two."
                )
