"""Eileen Collins before a camera: scikit-image's public-domain photograph as a video, and models that know her face."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlens.errors import RateUnsupported
from handlens.face import Face, Gender
from handlens.manifest import Threshold

# Her face in the photograph, in pixels.
BOX = (180.0, 60.0, 270.0, 177.0)
POINTS = ((204.4, 105.1), (246.7, 105.1), (223.7, 128.2), (205.3, 145.1), (242.8, 145.1))
WIDTH, HEIGHT = 640, 480


def photograph() -> np.ndarray:
    """The photograph: uint8 (512, 512, 3), RGB."""
    import skimage.data

    return np.asarray(skimage.data.astronaut(), np.uint8)


def frame(moment: int, zoom: float = 2.0) -> np.ndarray:
    """One moment before the camera, uint8 (480, 640, 3): each has its own place and light, as enrolment asks for."""
    left, top = (62, 20) if moment == 0 else (70, 10) if moment == 1 else (54, 30)
    place = np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]])
    image = cv2.warpAffine(photograph(), place, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    across = np.linspace(0.1, 1.4, WIDTH)[None, :, None]
    down = np.linspace(1.4, 0.3, HEIGHT)[:, None, None]
    light = (across, across[:, ::-1], down)[moment]
    return np.clip(image * light, 0, 255).astype(np.uint8)


def write_video(path: Path, moments: tuple[int, ...] = (0, 1, 2), repeat: int = 10, rate: int = 10) -> Path:
    """Writes the moments, one after the other, as a .y4m that Chromium's fake camera plays in a circle."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT, rate))
        for moment in moments:
            planes = cv2.cvtColor(frame(moment), cv2.COLOR_RGB2YUV_I420).tobytes()
            file.write((b"FRAME\n" + planes) * repeat)
    return path


class Finder:
    """Finds her face, and no other, by its looks at a few sizes."""

    engine = "template matching"

    def __init__(self, manifest: Any) -> None:
        self.manifest = manifest
        x1, y1, x2, y2 = (int(value) for value in BOX)
        self.face = cv2.cvtColor(photograph()[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY)

    def detect(self, image: np.ndarray) -> tuple[Face, ...]:
        if min(image.shape[:2]) < 16:
            return ()
        small = cv2.resize(
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA
        )
        found: list[Face] = []
        for zoom in (1.0, 2.0):
            template = cv2.resize(self.face, None, fx=zoom / 4, fy=zoom / 4, interpolation=cv2.INTER_AREA)
            if template.shape[0] > small.shape[0] or template.shape[1] > small.shape[1]:
                continue
            scores = cv2.matchTemplate(small, template, cv2.TM_CCOEFF_NORMED)
            while scores.max() > 0.75 and len(found) < 9:
                score = float(scores.max())
                y, x = np.unravel_index(scores.argmax(), scores.shape)
                found.append(self._face(4.0 * x, 4.0 * y, zoom, score))
                scores[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20] = -1
        return tuple(found)

    def close(self) -> None:
        pass

    def _face(self, x: float, y: float, zoom: float, score: float) -> Face:
        width, height = (BOX[2] - BOX[0]) * zoom, (BOX[3] - BOX[1]) * zoom
        points = tuple((x + zoom * (px - BOX[0]), y + zoom * (py - BOX[1])) for px, py in POINTS)
        return Face((x, y, x + width, y + height), score, points, Gender("female", 0.97))


class Teller:
    """Tells people apart by the grey values around eyes and mouth: enough for one person."""

    engine = "grey values"
    model_id = "a" * 32
    dimension = 4 * 28 * 28

    def __init__(self, manifest: Any) -> None:
        self.manifest = manifest

    def embed(self, image: np.ndarray, faces: Any) -> np.ndarray:
        rows = []
        for face in faces:
            x1, y1, x2, y2 = (round(value) for value in face.box)
            grey = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (56, 56), interpolation=cv2.INTER_AREA).astype(np.float32)
            rows.append((small - small.mean()).reshape(-1))
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)

    def threshold(self, fmr: float) -> Threshold:
        for limit in self.manifest.thresholds:
            if limit.target_fmr == fmr:
                return limit
        raise RateUnsupported(f"no rate {fmr}")

    def close(self) -> None:
        pass
