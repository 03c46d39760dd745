"""Networks kept between runs of `handlens export`: fine-tuning that was finished once is not done again.

Each is one file, RUN/export/STAGE-KEY.npz, where the key is a hash of all that decided the outcome.
"""

import fcntl
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.files import write_bytes
from handlens_export.graph import Graph, Weights
from handlens_export.ranges import Ranges

SCHEMA = 1  # raise it when the same key would lead to other weights


@dataclass(frozen=True, slots=True)
class Kept:
    """Weights by call, ranges by tensor (empty before quantization), and a note for the manifest."""

    weights: dict[str, Weights]
    ranges: Ranges
    note: str


class Store:
    """The kept networks of one run folder."""

    def __init__(self, folder: Path) -> None:
        """Keeps files in `folder`, which is made when there is something to keep."""
        self.folder = folder

    def path(self, stage: str, facts: Mapping[str, Any]) -> Path:
        """Where the outcome of a stage is kept, given all that decides it."""
        text = json.dumps({"schema": SCHEMA, "stage": stage, **facts}, sort_keys=True)
        return self.folder / f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"

    @contextmanager
    def alone(self, path: Path) -> Iterator[None]:
        """Only one process at a time is inside for a path: the second finds what the first has kept.

        The system opens the lock when its holder ends, however it ends.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self.folder / f".{path.stem}.lock"
        while True:
            with lock.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is(file.fileno(), lock):
                    continue  # it was removed by the one who had it before
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return

    def load(self, path: Path) -> Kept | None:
        """What is kept there; None when nothing is, or the file is damaged (it is then made again)."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as saved:
                facts = json.loads(saved["facts"].tobytes())
                weights = {
                    name: tuple(saved[f"{index}/{part}"] for part in range(count))
                    for index, (name, count) in enumerate(facts["calls"])
                }
            return Kept(weights, {k: (low, high) for k, (low, high) in facts["ranges"].items()}, facts["note"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def save(self, path: Path, kept: Kept) -> None:
        """Keeps an outcome, whole or not at all."""
        arrays = {
            f"{index}/{part}": array
            for index, weights in enumerate(kept.weights.values())
            for part, array in enumerate(weights)
        }
        calls = [(name, len(weights)) for name, weights in kept.weights.items()]
        facts = json.dumps({"calls": calls, "ranges": kept.ranges, "note": kept.note})
        buffer = io.BytesIO()
        np.savez(buffer, facts=np.frombuffer(facts.encode(), np.uint8), **arrays)
        write_bytes(path, buffer.getvalue())


def _is(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False


def weights_of(graph: Graph) -> dict[str, Weights]:
    """The weights of every call that has some."""
    return {node.name: node.weights for node in graph.nodes if node.weights}


def graph_sha256(graph: Graph) -> str:
    """A hash of a network's calls and weights."""
    digest = hashlib.sha256()
    for node in graph.nodes:
        digest.update(f"{node.name} {node.cls.__name__}\n".encode())
        for array in node.weights:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
