from pathlib import Path

import cv2
import numpy as np

from handlens_data.datasets import copies


def test_a_copy_is_found_whatever_its_size_light_and_compression(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (64, 64)) for _ in range(6)]
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    cv2.imwrite(str(tmp_path / "small.jpg"), cv2.resize(pictures[1], (40, 40)), [cv2.IMWRITE_JPEG_QUALITY, 40])
    cv2.imwrite(str(tmp_path / "dark.png"), pictures[2] // 2)
    cv2.imwrite(str(tmp_path / "other.png"), pictures[3][::-1])
    held = copies.thumbnails([tmp_path / f"{index}.png" for index in range(6)])
    candidates = copies.thumbnails([tmp_path / name for name in ("small.jpg", "dark.png", "other.png")])
    assert copies.has_copy(candidates, held).tolist() == [True, True, False]
    assert copies.has_copy(candidates, held[:0]).tolist() == [False, False, False]


def test_a_picture_of_one_colour_copies_nothing(tmp_path: Path) -> None:
    for name, value in (("grey.png", 100), ("white.png", 255)):
        cv2.imwrite(str(tmp_path / name), np.full((20, 20, 3), value, np.uint8))
    rows = copies.thumbnails([tmp_path / "grey.png", tmp_path / "white.png"])
    assert not copies.has_copy(rows[:1], rows[1:]).any()
