"""Decoders of detectors trained elsewhere: YuNet and BlazeFace. See docs/bring-your-own.md."""

import numpy as np

from handlens._decode import (
    MAX_LOG,
    Candidates,
    Decoder,
    Decoding,
    Outputs,
    grid,
    logit,
    named,
    sigmoid,
)
from handlens.manifest import Manifest

# BlazeFace's anchors are all of the input's size, so its regressions are in pixels of the input.
_BLAZE_VALUES = 16


def yunet(manifest: Manifest, decoding: Decoding) -> Decoder:
    """YuNet (Wu, Peng, Yu 2023), as OpenCV's FaceDetectorYN reads it.

    For each stride s the outputs "cls_s" (1, N, 1), "obj_s" (1, N, 1), "bbox_s" (1, N, 4), "kps_s" (1, N, 10). The
    score is sqrt(cls * obj), both cut to 0..1. Positions count from the cell's corner, (column + dx) * s; sizes are
    s * exp(log w, log h).
    """
    levels = []
    for stride in decoding.strides:
        centres, _ = grid(manifest, (stride,), (1,))
        names = [
            named(manifest, decoding, f"{name}_{stride}", (1, len(centres), size))
            for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
        ]
        levels.append((stride, centres - np.float32(stride / 2), names))

    def decode(outputs: Outputs, threshold: float) -> Candidates:
        boxes, scores, points = [], [], []
        for stride, corners, (kind, thing, box, five) in levels:
            both = np.clip(outputs[kind].reshape(-1), 0, 1) * np.clip(outputs[thing].reshape(-1), 0, 1)
            (at,) = np.nonzero(both > threshold * threshold)
            raw, corner = outputs[box].reshape(-1, 4)[at], corners[at]
            middle = corner + stride * raw[:, :2]
            half = 0.5 * stride * np.exp(np.minimum(raw[:, 2:], MAX_LOG))
            boxes.append(np.concatenate([middle - half, middle + half], axis=1))
            scores.append(np.sqrt(both[at]))
            points.append(corner[:, None] + stride * outputs[five].reshape(-1, 10)[at].reshape(-1, 5, 2))
        return Candidates(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))

    return decode


def blazeface(manifest: Manifest, decoding: Decoding) -> Decoder:
    """BlazeFace (Bazarevsky et al. 2019), as MediaPipe's short-range graph reads it.

    Outputs: "score" (1, N, 1), a logit; "box" (1, N, 16): centre less the anchor's, size, six points less the anchor's
    centre, all in pixels of the input. An anchor is a cell's centre. The six points (eyes, nose, middle of the mouth,
    ears) lack the corners of the mouth, so the faces have no points.
    """
    anchors = decoding.anchors or (1,) * len(decoding.strides)
    centres, _ = grid(manifest, decoding.strides, anchors)
    score = named(manifest, decoding, "score", (1, len(centres), 1))
    box = named(manifest, decoding, "box", (1, len(centres), _BLAZE_VALUES))

    def decode(outputs: Outputs, threshold: float) -> Candidates:
        logits = outputs[score].reshape(-1)
        (at,) = np.nonzero(logits > logit(threshold))
        raw = outputs[box].reshape(-1, _BLAZE_VALUES)[at]
        middle, half = centres[at] + raw[:, :2], 0.5 * raw[:, 2:4]
        return Candidates(np.concatenate([middle - half, middle + half], axis=1), sigmoid(logits[at]))

    return decode
