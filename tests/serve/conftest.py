"""A running server for the tests: real HTTP on a free port, with a detector and a door made of arithmetic."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from handlens.errors import AlreadyEnrolled, NoFace, SeveralFaces, TooManyAttempts, UnknownName
from handlens.face import Face, Gender
from handlens.manifest import (
    Compression,
    DataSource,
    InputSpec,
    Manifest,
    OutputSpec,
    Provenance,
    Threshold,
    Tolerance,
)
from handlens.serve.app import make_app
from handlens.serve.guard import Guard
from handlens.serve.limits import Limits
from handlens.serve.run import Address, bind, run
from handlens.serve.service import Service


def picture(*faces: tuple[int, int], kind: str = ".png", size: tuple[int, int] = (120, 160)) -> bytes:
    """A grey picture with white squares of 40 pixels at (x, y): the fake detector's faces."""
    image = np.full((*size, 3), 90, np.uint8)
    for x, y in faces:
        image[y : y + 40, x : x + 40] = 255
    done, data = cv2.imencode(kind, image)
    assert done
    return data.tobytes()


ONE, TWO, NONE = picture((60, 40)), picture((20, 40), (100, 40)), picture()


def send(client: httpx.Client, path: str, image: bytes | list[bytes] = ONE, **fields: str) -> httpx.Response:
    """Posts a form of one or several pictures and text fields."""
    pictures = image if isinstance(image, list) else [image]
    return client.post(path, data=fields, files=[("image", ("x.png", each, "image/png")) for each in pictures])


def manifest(task: str) -> Manifest:
    return Manifest(
        task=task,
        name=task,
        version="1",
        model_id="0" * 32,
        input=InputSpec(
            name="x", height=128, width=160, channels=3, dtype="float32", scale=(1.0,) * 3, offset=(0.0,) * 3
        ),
        outputs=(
            OutputSpec(
                name="y", meaning="none", shape=(1, 4), dtype="float32", tolerance=Tolerance(absolute=0.1, relative=0.1)
            ),
        ),
        compression=Compression(
            recipe="int8", format="tflite", weights="int8", activations="int8", parameters=1, sparsity=0.0
        ),
        provenance=Provenance(
            data=(DataSource(name="none", licence="CC0-1.0", split="all", sha256=""),),
            weights_licence="CC0-1.0",
            seed=1,
            run="",
            versions={},
            trained_seconds=0.0,
        ),
    )


class Model:
    engine = "arithmetic 1"

    def __init__(self, task: str = "face-detector") -> None:
        self.manifest = manifest(task)


class Detector(Model):
    """A face is a white square."""

    def detect(self, image: np.ndarray) -> tuple[Face, ...]:
        count, _, stats, _ = cv2.connectedComponentsWithStats((image.min(axis=2) > 250).astype(np.uint8))
        faces = []
        for x, y, w, h, area in stats[1:count]:
            if area > 100:
                points = tuple(
                    (float(x + w * a), float(y + h * b))
                    for a, b in ((0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.3, 0.8), (0.7, 0.8))
                )
                faces.append(Face((float(x), float(y), float(x + w), float(y + h)), 0.9, points, Gender("female", 0.8)))
        return tuple(faces)


class Door:
    """Admits whoever is enrolled; after five failures it makes everybody wait."""

    def __init__(self, detector: Detector) -> None:
        self.detector, self.names, self.failures = detector, {}, 0

    def examine(self, image: np.ndarray) -> Any:
        faces = self.detector.detect(image)
        right = len(faces) == 1
        seen = SimpleNamespace(
            gate="one face",
            passed=right,
            measured=f"{len(faces)} faces",
            refusal=None if right else SeveralFaces("2 faces", "show one"),
            advice="" if right else "show one",
        )
        return SimpleNamespace(faces=faces, verdicts=(seen,), passed=right)

    def enrol(self, name: str, images: Any) -> Any:
        for image in images:
            self._one(image)
        if name in self.names:
            raise AlreadyEnrolled(f"{name} is enrolled", "Choose another name.")
        self.names[name] = len(images)
        return SimpleNamespace(name=name, images=len(images))

    def verify(self, name: str, image: np.ndarray) -> Any:
        if self.failures >= 5:
            raise TooManyAttempts("five attempts failed", "Wait.", retry_after=29.2)
        self._one(image)
        same = name in self.names
        self.failures = 0 if same else self.failures + 1
        return SimpleNamespace(
            outcome="admitted" if same else "not admitted", name=name, reason="", target_fmr=0.01, score=0.123456
        )

    def identify(self, image: np.ndarray) -> Any:
        self._one(image)
        name = next(iter(self.names), None)
        return SimpleNamespace(outcome="admitted" if name else "not admitted", name=name, reason="", target_fmr=0.01)

    def delete(self, name: str) -> None:
        if self.names.pop(name, None) is None:
            raise UnknownName("nobody of that name", "Look at the list.")

    def _one(self, image: np.ndarray) -> None:
        faces = self.detector.detect(image)
        if not faces:
            raise NoFace("no face", "Step in front of the camera.")
        if len(faces) > 1:
            raise SeveralFaces(f"{len(faces)} faces", "show one")


def make_service(limits: Limits, *, door: bool = True, detector: Any = None) -> Service:
    detector = detector or Detector()
    return Service(detector, Door(detector) if door else None, (detector, Model("face-verifier")), limits)


THRESHOLDS = tuple(Threshold(target_fmr=rate, value=0.6, comparisons=10**6, low=0, high=1) for rate in (0.01, 0.001))


def real_door(folder: Path, limits: Limits) -> Service:
    """The real door, gates and store around models that know one face: the astronaut's."""
    from handlens import access, store

    from . import astronaut

    finder = astronaut.Finder(manifest("face-detector"))
    teller = astronaut.Teller(dataclasses.replace(manifest("face-verifier"), thresholds=THRESHOLDS))
    door = access.Door(finder, teller, store.Store.open(folder, use_keyring=False))
    return Service(finder, door, (finder, teller), limits)


@contextlib.contextmanager
def serving(app: Guard) -> Iterator[str]:
    """Runs an application in a thread; gives its address."""
    servers: list[Any] = []
    address = Address(port=0)
    bound = bind(address)
    port = bound.getsockname()[1]
    thread = threading.Thread(target=run, args=(app, address, bound), kwargs={"on_start": servers.append})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not end"


@pytest.fixture
def start() -> Iterator[Callable[..., httpx.Client]]:
    """Starts servers of a service with limits and a token; gives a client of each."""
    with contextlib.ExitStack() as stack:

        def begin(
            *,
            token: str | None = None,
            hosts: Any = ("localhost", "127.0.0.1"),
            door: bool = True,
            detector: Any = None,
            **limits: Any,
        ) -> httpx.Client:
            held = Limits(**limits)
            app = make_app(make_service(held, door=door, detector=detector), held, token=token, hosts=hosts)
            base = stack.enter_context(serving(app))
            return stack.enter_context(httpx.Client(base_url=base, timeout=20, trust_env=False))

        yield begin


@pytest.fixture
def client(start: Callable[..., httpx.Client]) -> httpx.Client:
    """A client of a server of the test's own, with a door and the default limits."""
    return start()


@pytest.fixture(scope="session")
def shared() -> Iterator[httpx.Client]:
    """A client of one server for all tests that enrol nobody and fail nothing."""
    limits = Limits()
    app = make_app(make_service(limits), limits, hosts=("localhost", "127.0.0.1", "::1"))
    with serving(app) as base, httpx.Client(base_url=base, timeout=20, trust_env=False) as client:
        yield client
