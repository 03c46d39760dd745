"""A detector and a verifier made of arithmetic: the first pixel of an image says who is in it and how many."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from handlens.errors import RateUnsupported
from handlens.face import Face, Gender
from handlens.manifest import Threshold

SIZE = 240
POINTS = np.array([(90.0, 100.0), (150.0, 100.0), (120.0, 136.0), (96.0, 170.0), (144.0, 170.0)])
MODEL, OTHER_MODEL = "a" * 32, "b" * 32
DIMENSION = 32


def shot(person: int, moment: int = 0, faces: int = 1) -> np.ndarray:
    """A textured image (240, 240, 3) that passes every gate; the same person and moment give the same one."""
    rng = np.random.default_rng((person, moment))
    coarse = rng.integers(40, 216, (30, 30, 3)).astype(np.uint8)
    image = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    image[0, 0] = (person, moment, faces)
    return image


@dataclass
class FakeDetector:
    """Finds as many faces as the image says, all in the middle."""

    gender: Gender | None = None
    points: np.ndarray | None = field(default_factory=POINTS.copy)
    calls: int = 0

    def detect(self, image: np.ndarray) -> tuple[Face, ...]:
        self.calls += 1
        points = None if self.points is None else tuple((float(x), float(y)) for x, y in self.points)
        return tuple(Face((70.0, 60.0, 170.0, 200.0), 0.9, points, self.gender) for _ in range(image[0, 0, 2]))

    def close(self) -> None:
        pass


@dataclass
class FakeVerifier:
    """A person's templates are one direction with a little of another, by moment."""

    model_id: str = MODEL
    dimension: int = DIMENSION
    rates: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    calls: int = 0

    @property
    def manifest(self) -> SimpleNamespace:
        return SimpleNamespace(thresholds=tuple(self._limit(rate) for rate in self.rates))

    def threshold(self, fmr: float) -> Threshold:
        if fmr not in self.rates:
            raise RateUnsupported(f"no threshold for {fmr:g}; measured ones: {self.rates}")
        return self._limit(fmr)

    def embed(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        self.calls += 1
        person, moment = int(image[0, 0, 0]), int(image[0, 0, 1])
        own = np.random.default_rng(person).normal(size=self.dimension)
        light = np.random.default_rng((person, moment, 7)).normal(size=self.dimension)
        template = own / np.linalg.norm(own) + 0.3 * light / np.linalg.norm(light)
        return np.stack([template / np.linalg.norm(template)] * len(faces)).astype(np.float32)

    def close(self) -> None:
        pass

    def _limit(self, rate: float) -> Threshold:
        value = {1e-1: 0.3, 1e-2: 0.5, 1e-3: 0.7}.get(rate, 0.8)
        return Threshold(target_fmr=rate, value=value, comparisons=100_000, low=0.0, high=2 * rate)
