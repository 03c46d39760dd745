"""Non-maximum suppression: of detections that overlap, the best stays (greedy, by score)."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Scores = NDArray[np.float32]


def overlaps(box: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one box with others.

    Args:
        box: (4,), x1, y1, x2, y2.
        boxes: (N, 4).

    Returns:
        (N,) 0..1; 0 where both are empty.
    """
    across = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    down = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    union = (box[2] - box[0]) * (box[3] - box[1]) + sizes - shared
    return np.where(union > 0, shared / np.maximum(union, 1e-12), 0).astype(np.float32)


def suppress(boxes: Boxes, scores: Scores, iou: float, most: int) -> list[NDArray[np.intp]]:
    """Groups detections: each group is the best one left and those that overlap it by more than `iou`.

    Args:
        boxes: (N, 4), x1, y1, x2, y2.
        scores: (N,); of equal ones, the earlier is better.
        iou: above it a detection is taken for the better one's double, 0..1.
        most: groups to return.

    Returns:
        Indices of each group, the best first; the groups' best, by falling score.
    """
    if len(scores) == 1:
        return [np.zeros(1, np.intp)][:most]
    order = np.argsort(-scores, kind="stable")
    sorted_boxes = boxes[order]
    groups: list[NDArray[np.intp]] = []
    while len(order) and len(groups) < most:
        double = overlaps(sorted_boxes[0], sorted_boxes) > iou
        double[0] = True  # an empty box overlaps nothing, itself included
        groups.append(order[double])
        order, sorted_boxes = order[~double], sorted_boxes[~double]
    return groups
