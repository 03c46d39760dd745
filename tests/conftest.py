"""What several parts of the tests need: a small folder in Market-1501's layout, made of nothing but arithmetic."""

from pathlib import Path

import cv2
import numpy as np
import pytest


def person(identity: int, camera: int, shot: int) -> np.ndarray:
    """A figure 128x64 (RGB uint8) whose clothes follow from the identity, light from the camera."""
    look = np.random.default_rng(identity)
    shirt, trousers, skin = look.integers(30, 226, (3, 3))
    image = np.full((128, 64, 3), (90, 100, 110), np.int64)
    dx = shot % 3 - 1
    image[10:28, 24 + dx : 40 + dx] = skin
    image[28:72, 16 + dx : 48 + dx] = shirt
    image[72:120, 20 + dx : 44 + dx] = trousers
    if look.random() < 0.5:
        image[40:48, 16 + dx : 48 + dx] = 255 - shirt
    noise = np.random.default_rng((identity, camera, shot)).integers(-12, 13, image.shape)
    return np.clip(image * (0.8 + 0.1 * camera) + noise, 0, 255).astype(np.uint8)


def write_market(root: Path, train: int, test: int) -> Path:
    """The small protocol: `train` identities of 2 cameras x 3 shots, `test` others of one probe and gallery image."""
    for identity in range(1, train + test + 1):
        for camera in (1, 2):
            shots = range(3) if identity <= train else range(1)
            folder = "train" if identity <= train else ("probe", "gallery")[camera - 1]
            (root / folder).mkdir(parents=True, exist_ok=True)
            for shot in shots:
                path = root / folder / f"{identity:04}_c{camera}s1_{shot:06}_01.png"
                cv2.imwrite(str(path), person(identity, camera, shot)[..., ::-1])
    return root


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 training identities (50 of them go into validation) and 12 tested ones; 444 images."""
    return write_market(tmp_path_factory.mktemp("market") / "market1501", train=70, test=12)
