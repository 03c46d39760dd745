"""YuNet through our decoder and through OpenCV's own, on real photographs (HANDLENS_DATA)."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens._nms import overlaps
from handlens.commands.import_model import read_manifest, wrap
from handlens.face import DetectorOptions, FaceDetector
from handlens.image import load_image, place

MANIFEST = Path(__file__).parents[2] / "docs" / "manifests" / "yunet.json"


@pytest.mark.data
def test_yunet_finds_what_opencv_finds(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    root = Path(os.environ.get("HANDLENS_DATA", ""))
    peers, photos = root / "peers", sorted((root / "faces_one").glob("*.jpg"))[:40]
    if not photos or not (peers / "yunet_n_320_320.onnx").exists():
        pytest.skip("HANDLENS_DATA holds no peers/ and faces_one/")
    made = wrap(peers / "yunet_n_320_320.onnx", read_manifest(MANIFEST), tmp_path / "yunet.onnx")
    theirs = cv2.FaceDetectorYN.create(str(peers / "yunet_n_dynamic.onnx"), "", (320, 320), 0.6, 0.3, 5000)
    found = expected = 0
    with FaceDetector.load(made.path, options=DetectorOptions(score_threshold=0.6, nms_iou=0.3)) as ours:
        for photo in photos:
            image = load_image(photo)
            pixels, transform = place(image, made.manifest.input)
            rows = theirs.detect(pixels)[1]
            faces = ours.detect(image)
            expected += 0 if rows is None else len(rows)
            for row in () if rows is None else rows:
                ends = transform.inverse([row[0], row[1], row[0] + row[2], row[1] + row[3]])
                box = np.clip(ends, 0, [image.shape[1], image.shape[0]] * 2).astype(np.float32)
                same = [face for face in faces if overlaps(box, np.array([face.box], np.float32))[0] > 0.99]
                found += bool(same) and np.allclose(
                    same[0].points, transform.inverse(row[4:14]).reshape(5, 2), atol=0.01
                )
    assert expected >= 40 and found >= expected - 1
