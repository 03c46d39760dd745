"""The gates with the zoo's own detector, on the public-domain photograph of an astronaut."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens import errors
from handlens.access import Door, DoorOptions
from handlens.face import FaceDetector, FaceVerifier
from handlens.store import Store

zoo = pytest.importorskip("handlens_zoo")
data = pytest.importorskip("skimage.data")


def artifact(name: str) -> Path:
    if name not in zoo.names():
        pytest.skip(f"the zoo has no {name} yet")
    path: Path = zoo.path(name)
    return path


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    verifier = FaceVerifier.load(artifact("face-verifier"))
    rates = [limit.target_fmr for limit in verifier.manifest.thresholds]
    store = Store.open(tmp_path_factory.mktemp("door") / "store", use_keyring=False)
    return Door(FaceDetector.load(artifact("face-detector")), verifier, store, DoorOptions(fmr=max(rates)))


def astronaut() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:, :, :3])


def test_a_good_photograph_passes_every_gate(door: Door) -> None:
    seen = door.examine(astronaut())
    assert seen.passed, [str(verdict.refusal) for verdict in seen.verdicts if verdict.refusal]


def smaller(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(image, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda image: image[330:], errors.NoFace),
        (lambda image: np.concatenate([image, image[:, ::-1]], axis=1), errors.SeveralFaces),
        (smaller, errors.FaceTooSmall),
        (lambda image: (image // 6).astype(np.uint8), errors.FaceTooDark),
        (lambda image: np.clip(image * 1.5, 0, 255).astype(np.uint8), errors.FaceTooBright),
        (lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8), errors.FaceBlurred),
    ],
)
def test_each_spoilt_copy_is_refused_for_what_was_spoilt(
    door: Door, change: object, expected: type[errors.FaceRefused]
) -> None:
    spoilt = np.ascontiguousarray(change(astronaut()))  # type: ignore[operator]
    with pytest.raises(expected):
        door.verify("Eileen", spoilt)


def test_a_brightened_copy_makes_no_enrolment(door: Door) -> None:
    image = astronaut()
    with pytest.raises(errors.EnrolmentTooAlike):
        door.enrol("Eileen", [image, np.clip(image * 1.1, 0, 255).astype(np.uint8)])
