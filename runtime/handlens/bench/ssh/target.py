"""Another machine behind ssh: the running handlens goes there as a zip, measures, and nothing of it stays.

The other side needs Python 3.11 or newer with NumPy, OpenCV and an engine; handlens itself need not be installed.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self

from handlens._backends import PACKAGES
from handlens.artifact import Artifact
from handlens.bench.conversation import ENTRY, converse
from handlens.bench.figures import Figure, Order
from handlens.bench.machine import Host
from handlens.bench.ssh.shell import Shell, zipped
from handlens.bench.target import Options, Progress
from handlens.engine import ENGINES
from handlens.errors import ArtifactTampered, DeviceLost, DeviceUnsuitable, EngineError, HandlensError

_LEAST_PYTHON = (3, 11)
_PIP = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "ai_edge_litert": "ai-edge-litert",
    "tflite_runtime": "tflite-runtime",
    "onnxruntime": "onnxruntime",
}
_PROBE = f"""
import importlib.util, json, sys
names = {tuple(_PIP)!r}
print(json.dumps({{"python": sys.version_info[:3], "has": [n for n in names if importlib.util.find_spec(n)]}}))
"""
_ZIP = "handlens.zip"


class SshTarget:
    """A machine behind ssh; see `handlens.bench.target.Target`."""

    def __init__(self, where: str, remote_python: str) -> None:
        """Notes where; nothing is connected yet.

        Args:
            where: HOST, USER@HOST or HOST:PORT, as `ssh` knows it (its own configuration applies).
            remote_python: the Python over there, a name or a path.

        Raises:
            OptionError: `where` is no such place.
        """
        self.name = f"ssh:{where}"
        self.host: Host | None = None
        self._where = where
        self._python = remote_python
        self._shell = Shell(where)
        self._has: frozenset[str] = frozenset()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Connects, makes a folder over there, and sends the runtime.

        Raises:
            DeviceNotFound: no connection.
            DeviceUnsuitable: no Python, one too old, or without what handlens needs.
            DeviceFull: no space for the runtime.
            DeviceLost: the connection broke.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._shell)
            if "/" in self._python:  # a path is meant from the home folder, where ssh would have begun
                self._python = str(PurePosixPath(self._shell.home, self._python))
            self._has = self._probe()
            self._shell.send(zipped(), _ZIP)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the folder over there and hangs up."""
        self._open.close()

    def measure(self, order: Order, progress: Progress) -> Iterator[Figure]:
        """Sends each file, measures it at each number of threads, and removes it.

        Raises:
            ArtifactError: a file is refused, here or over there.
            OptionError: an unknown engine, or one that does not read the file.
            EngineError: the engine answers wrongly, or its process died.
            DeviceUnsuitable: the engine is not installed over there.
            DeviceFull: no space for the file.
            DeviceLost: the connection broke.
        """
        for path in order.files:
            artifact = Artifact.open(path)
            self._has_engine(artifact.kind, order.engine)
            progress(f"sending {path.name}")
            self._shell.send(path.read_bytes(), path.name)
            for threads in order.threads:
                for figure, host in converse(
                    self._shell.command(
                        [self._python, "-P", "-c", ENTRY],
                        PYTHONPATH=_ZIP,
                        PYTHONDONTWRITEBYTECODE="1",
                        HANDLENS_CACHE="cache",
                    ),
                    PurePosixPath(path.name),
                    order,
                    threads,
                    target=self.name,
                    progress=progress,
                    ended=self._ended,
                ):
                    if figure.model_id != artifact.manifest.model_id:
                        raise ArtifactTampered(
                            f"{self._where} measured {path.name} as model {figure.model_id}, sent was "
                            f"{artifact.manifest.model_id}: it was exchanged on the way; look who else writes there"
                        )
                    self.host = host
                    yield figure
            self._shell.remove(path.name)

    def _probe(self) -> frozenset[str]:
        """Which of the packages are there.

        Raises:
            DeviceUnsuitable: no Python, one too old, or NumPy or OpenCV missing.
        """
        code, out, words = self._shell.run([self._python, "-"], _PROBE.encode())
        if code:
            raise DeviceUnsuitable(
                f"{self._where} cannot run {self._python!r} ({words}); "
                "name another Python of that machine: --remote-python PATH"
            )
        try:
            found: dict[str, Any] = json.loads(out)
            version, has = tuple(int(part) for part in found["python"]), frozenset(map(str, found["has"]))
        except (ValueError, KeyError, TypeError):
            raise DeviceUnsuitable(f"{self._python!r} on {self._where} is no Python: it said {out[:80]!r}") from None
        if version < _LEAST_PYTHON:
            raise DeviceUnsuitable(
                f"{self._python!r} on {self._where} is Python {'.'.join(map(str, version))}; handlens needs "
                f"{'.'.join(map(str, _LEAST_PYTHON))} or newer: --remote-python PATH"
            )
        self._missing([name for name in ("numpy", "cv2") if name not in has], has)
        return has

    def _has_engine(self, kind: str, engine: str | None) -> None:
        readers = [engine] if engine in PACKAGES else [name for name, reads in ENGINES.items() if reads == kind]
        if not any(PACKAGES[name] in self._has for name in readers):
            self._missing([PACKAGES[readers[0]]], self._has)

    def _missing(self, names: list[str], has: frozenset[str]) -> None:
        if not names:
            return
        if not has & set(PACKAGES.values()) and not any(name in PACKAGES.values() for name in names):
            names = [*names, PACKAGES["litert"]]
        packages = " ".join(_PIP[name] for name in names)
        raise DeviceUnsuitable(
            f"{self._python!r} on {self._where} lacks {packages}; run there: {self._python} -m pip install {packages} "
            "(or name the Python of an environment that has them: --remote-python PATH)"
        )

    def _ended(self, code: int, words: str) -> HandlensError:
        if code == 255:
            return DeviceLost(f"the connection to {self._where} broke: {words}; nothing is left there once it notices")
        if code in (137, -9):
            return EngineError(f"the worker on {self._where} was killed; is there enough memory for this model?")
        if re.search(r"ImportError|ModuleNotFoundError", words):
            return DeviceUnsuitable(f"{self._python!r} on {self._where} cannot import what it has: {words}")
        return EngineError(f"the worker on {self._where} ended with code {code}: {words}")


def open_target(where: str | None, options: Options) -> SshTarget:
    """Makes the target, not yet connected.

    Raises:
        OptionError: `where` is no place that ssh knows.
    """
    return SshTarget(where or "", options.remote_python)
