"""Templates of known people: add, search one against all, save as one file bound to the model that made them.

The search is exact (NumPy, cosine similarity); an approximate index plugs in at `Gallery.search` where a gallery
outgrows it.
"""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handlens import files
from handlens.errors import GalleryError, GalleryInvalid, GalleryMismatch, InputError, OptionError

Templates = NDArray[np.float32]

_SCHEMA = 1
_SEAL = b"handlens-gallery sha256="
_TEMPLATES, _INDEX = "templates.npy", "gallery.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BLOCK_SCORES = 2**24


@dataclass(frozen=True, slots=True)
class Match:
    """One gallery template that resembles a probe.

    Attributes:
        name: it was added under.
        score: cosine similarity, -1..1; higher is more alike.
    """

    name: str
    score: float


class Gallery:
    """Named templates of one model. A name may have several templates; each is searched on its own.

    Attributes:
        model_id: of the model that makes the templates (`PersonReidentifier.model_id`).
        dimension: numbers in a template.
    """

    def __init__(self, model_id: str, dimension: int) -> None:
        """Makes an empty gallery.

        Raises:
            OptionError: the model id is empty, or the dimension below 1.
        """
        if not model_id or dimension < 1:
            raise OptionError(f"model_id is {model_id!r}, dimension is {dimension}; valid: an id, and 1 or more")
        self.model_id = model_id
        self.dimension = dimension
        self._names: list[str] = []
        self._blocks: list[Templates] = []

    def __len__(self) -> int:
        """Returns the number of templates."""
        return len(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each template, in the order they were added."""
        return tuple(self._names)

    @property
    def templates(self) -> Templates:
        """The templates, (N, dimension) float32, L2-normalised, read-only."""
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate([np.empty((0, self.dimension), np.float32), *self._blocks])]
        view = self._blocks[0].view()
        view.setflags(write=False)
        return view

    def add(self, names: Sequence[str], templates: ArrayLike) -> None:
        """Adds templates, all of them or (on an error) none.

        Args:
            names: (N,) non-empty texts.
            templates: (N, dimension), such as `PersonReidentifier.embed` returns; normalised here to length 1.

        Raises:
            InputError: the counts differ, a name is no text, or a template is of another size, zero, or not finite.
        """
        if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
            raise InputError(f"names are {names!r:.80}; expected a list of non-empty texts, one a template")
        block = self._normalised(templates)
        if len(names) != len(block):
            raise InputError(f"{len(names)} names for {len(block)} templates; give one name each")
        self._names.extend(names)
        self._blocks.append(block)

    def search(self, templates: ArrayLike, top_k: int = 5) -> list[list[Match]]:
        """Finds the most similar templates of the whole gallery; exact.

        Args:
            templates: (N, dimension) of the probes.
            top_k: matches wanted for each; a smaller gallery gives all it has.

        Returns:
            N lists, best first; equal scores in the order they were added.

        Raises:
            OptionError: `top_k` is below 1.
            InputError: a template is of another size, zero, or not finite.
        """
        if top_k < 1:
            raise OptionError(f"top_k is {top_k}; valid: 1 or more")
        probes, known = self._normalised(templates), self.templates
        result: list[list[Match]] = []
        step = max(1, _BLOCK_SCORES // max(1, len(known)))
        for start in range(0, len(probes), step):
            for scores in probes[start : start + step] @ known.T:
                best = _best(scores, top_k)
                result.append([Match(self._names[index], float(scores[index])) for index in best])
        return result

    def save(self, path: str | Path) -> None:
        """Writes the gallery to one file, atomically.

        It is a ZIP of `templates.npy` (float32) and `gallery.json`, readable by `numpy.load` and `unzip`, without
        pickle. Its comment holds the SHA-256 of every byte before the comment, so a damaged file is noticed. That is no
        protection against somebody who rewrites the file on purpose.

        Raises:
            OSError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        np.lib.format.write_array(
            buffer, np.ascontiguousarray(self.templates, "<f4"), version=(1, 0), allow_pickle=False
        )
        index = {"schema": _SCHEMA, "model_id": self.model_id, "dimension": self.dimension, "names": self._names}
        parts = {_TEMPLATES: buffer.getvalue(), _INDEX: json.dumps(index, ensure_ascii=False, indent=1).encode()}
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as writer:
            for name, part in parts.items():
                writer.writestr(zipfile.ZipInfo(name, _EPOCH), part)
            writer.comment = _SEAL + b"0" * 64
        body = archive.getvalue()[: -len(_SEAL) - 64]
        files.write_bytes(Path(path), body + _SEAL + hashlib.sha256(body).hexdigest().encode())

    @classmethod
    def load(cls, path: str | Path, model_id: str) -> "Gallery":
        """Reads a gallery, and refuses one of another model: templates of two models cannot be compared.

        Args:
            path: of a file that `save` wrote.
            model_id: of the model that will make the probes.

        Raises:
            GalleryInvalid: no such file, not a gallery, cut short, or changed since it was written.
            GalleryMismatch: made by another model.
        """
        try:
            data = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise GalleryInvalid(f"{path}: the gallery cannot be read ({error})") from None
        try:
            index, templates = _parse(data)
            gallery = cls(index["model_id"], index["dimension"])
            if gallery.model_id == model_id:
                gallery.add(index["names"], templates)
        except (GalleryError, InputError) as error:
            raise GalleryInvalid(f"{path}: {error}") from None
        if gallery.model_id != model_id:
            raise GalleryMismatch(
                f"{path}: made by the model {gallery.model_id}, not by {model_id}; load the artifact it was made with, "
                "or enrol the images again with this one"
            )
        return gallery

    def _normalised(self, templates: ArrayLike) -> Templates:
        try:
            array = np.asarray(templates, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"templates are no array of numbers ({error}); expected (N, {self.dimension})") from None
        if array.ndim != 2 or array.shape[1] != self.dimension:
            raise InputError(f"templates have shape {array.shape}; expected (N, {self.dimension}), as the model embeds")
        # In float64: the squares of large float32 numbers would overflow.
        wide = array.astype(np.float64)
        length = np.sqrt(np.sum(wide * wide, axis=1, keepdims=True))
        bad = np.flatnonzero(~(np.isfinite(length[:, 0]) & (length[:, 0] > 0)))
        if len(bad):
            raise InputError(f"template {bad[0]} is zero or not finite; it cannot be compared")
        unit: Templates = (wide / length).astype(np.float32)
        return unit


def _best(scores: Templates, top_k: int) -> NDArray[np.int64]:
    """Returns the indices of the `top_k` highest scores, best first, ties by index."""
    if top_k < len(scores):
        # Everything at or above the k-th score, so that ties at the edge are settled by index, not by the partition.
        edge = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        candidates = np.flatnonzero(scores >= edge)
    else:
        candidates = np.arange(len(scores))
    order = np.argsort(-scores[candidates], kind="stable")
    return np.asarray(candidates[order][:top_k], np.int64)


def _parse(data: bytes) -> tuple[dict[str, Any], Templates]:
    """Reads a gallery's bytes; the seal first, and nothing in it that could unpack to more than the file's own size."""
    seal = len(_SEAL) + 64
    body, comment = data[:-seal], data[-seal:]
    if not data.startswith(b"PK\x03\x04"):
        raise GalleryInvalid("not a gallery file; expected one that Gallery.save wrote")
    if not comment.startswith(_SEAL) or comment[len(_SEAL) :] != hashlib.sha256(body).hexdigest().encode():
        raise GalleryInvalid("the gallery was cut short or changed since it was written; restore it or enrol again")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(
                item.compress_type != zipfile.ZIP_STORED or item.file_size > len(data) for item in archive.infolist()
            ):
                raise GalleryInvalid("the gallery holds a compressed part; none is expected")
            index = json.loads(archive.read(_INDEX))
            stream = io.BytesIO(archive.read(_TEMPLATES))
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("its .npy part is not of version 1.0")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
        values = stream.read()
    except (KeyError, ValueError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        raise GalleryInvalid(f"the gallery's parts cannot be read ({error})") from None
    if not isinstance(index, dict) or index.get("schema") != _SCHEMA:
        raise GalleryInvalid(f"the gallery's schema is not {_SCHEMA}; it was written by another version of handlens")
    names, dimension = index.get("names"), index.get("dimension")
    if not isinstance(index.get("model_id"), str) or not isinstance(names, list) or type(dimension) is not int:
        raise GalleryInvalid("the gallery's index lacks its model_id, dimension or names")
    # Before anything is allocated for it: the shape is only what the header claims.
    expected = (len(names), dimension)
    if dtype != np.dtype("<f4") or by_columns or shape != expected or len(values) != 4 * len(names) * dimension:
        raise GalleryInvalid(f"the gallery's templates are {dtype} {shape}; its index says float32 {expected}")
    return index, np.frombuffer(values, "<f4").reshape(expected)
