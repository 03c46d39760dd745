"""Which cell of the detector learns which face, and the loss that reads it. Cells: see `detector_nets`.

A face belongs to the strides whose range holds its size (ranges overlap), and there to the cells whose centre lies in
its middle, one at least (compare FCOS, Tian et al. 2019). Where two faces claim a cell the smaller one has it.
"""

from dataclasses import dataclass

import keras
import numpy as np

from handlens_data.datasets.boxes import UNKNOWN, Faces
from handlens_train.detector_nets import OUTPUTS, STRIDES

# Columns of a target row: kind (1 face, 0 background, -1 ignored), box (dx, dy, w, h), points, points known, female,
# gender known. Lengths in strides, seen from the cell's centre.
KIND, BOX, POINTS, POINTS_KNOWN, FEMALE, GENDER_KNOWN = 0, slice(1, 5), slice(5, 15), 15, 16, 17
COLUMNS = 18
# Size (geometric mean of width and height) in pixels of the input, for each stride: first and last.
RANGES = {8: (0.0, 44.0), 16: (28.0, 112.0), 32: (72.0, np.inf)}
MIDDLE, REACH = 0.25, 0.75  # of the face's width and height, of the stride; the larger counts


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Centres (N, 2) and strides (N,) of all cells of a size."""

    centres: np.ndarray
    strides: np.ndarray

    @classmethod
    def of(cls, height: int, width: int) -> "Cells":
        """Cells by ascending stride, then rows, then columns."""
        centres, strides = [], []
        for stride in STRIDES:
            y, x = np.mgrid[0 : height // stride, 0 : width // stride]
            centres.append((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride)
            strides.append(np.full(x.size, stride))
        return cls(np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32))


def encode(faces: Faces, cells: Cells, smallest: float = 8.0) -> np.ndarray:
    """Targets (N, COLUMNS) float32 of one image.

    Args:
        faces: in pixels of the input; those lower than `smallest` are ignored, not learnt.
        cells: of the input.
        smallest: pixels.
    """
    target = np.zeros((len(cells.strides), COLUMNS), np.float32)
    tiny = faces.heights < smallest
    for box in np.concatenate([faces.ignore, faces.boxes[tiny]]):
        inside = (cells.centres > box[:2] - cells.strides[:, None] / 2) & (
            cells.centres < box[2:] + cells.strides[:, None] / 2
        )
        target[inside.all(axis=1), KIND] = -1
    kept = faces.take(~tiny)
    sizes = kept.boxes[:, 2:] - kept.boxes[:, :2]
    scale = np.sqrt(sizes.prod(axis=1))
    for index in np.argsort(-scale, kind="stable"):  # the smaller overwrite the larger
        middle = (kept.boxes[index, :2] + kept.boxes[index, 2:]) / 2
        away = np.abs(cells.centres - middle)
        near = (away <= np.maximum(MIDDLE * sizes[index], REACH * cells.strides[:, None])).all(axis=1)
        low, high = (np.array([RANGES[int(s)][end] for s in STRIDES], np.float32) for end in (0, 1))
        level = np.searchsorted(np.array(STRIDES), cells.strides)
        mine = near & (scale[index] >= low[level]) & (scale[index] <= high[level])
        strides = cells.strides[mine, None]
        row = np.zeros((int(mine.sum()), COLUMNS), np.float32)
        row[:, KIND] = 1
        row[:, BOX] = np.hstack([(middle - cells.centres[mine]) / strides, sizes[index] / strides])
        points = kept.points[index]
        if np.isfinite(points).all():
            row[:, POINTS] = ((points[None] - cells.centres[mine][:, None]) / strides[..., None]).reshape(-1, 10)
            row[:, POINTS_KNOWN] = 1
        if kept.genders[index] != UNKNOWN:
            row[:, FEMALE], row[:, GENDER_KNOWN] = kept.genders[index], 1
        target[mine] = row
    return target


@keras.saving.register_keras_serializable("handlens")
class DetectorLoss(keras.losses.Loss):
    """Quality focal loss of the score, DIoU of the box, Huber of the points, cross-entropy of the gender.

    The score's target is the IoU that the box reaches (Li et al. 2020), so the best-placed cell of a face scores best.
    Everything is summed over faces and divided by their number in the batch; what is unknown weighs nothing.

    y_true (N, cells, COLUMNS); y_pred (N, cells, 16), the outputs side by side in the order of `OUTPUTS`.
    """

    def __init__(self, box: float = 2.0, points: float = 1.0, gender: float = 0.5, smoothing: float = 0.05) -> None:
        super().__init__(name="detector", reduction="sum")
        self.weights = {"box": box, "points": points, "gender": gender}
        self.smoothing = smoothing

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of a batch, a scalar."""
        ops = keras.ops
        score, box, points, female = ops.split(y_pred, np.cumsum(list(OUTPUTS.values()))[:-1].tolist(), axis=-1)
        face = ops.cast(y_true[..., KIND] > 0, "float32")
        counted = ops.cast(y_true[..., KIND] >= 0, "float32")
        number = ops.maximum(ops.sum(face), 1.0)
        overlap, distance = _overlap(y_true[..., BOX], box)
        quality = ops.stop_gradient(overlap) * face
        logit = score[..., 0]
        modulation = ops.square(ops.abs(ops.stop_gradient(ops.sigmoid(logit)) - quality))
        total = ops.sum(modulation * _cross_entropy(logit, quality) * counted)
        total += self.weights["box"] * ops.sum((1 - overlap + distance) * face)
        size = ops.sqrt(ops.maximum(y_true[..., 3] * y_true[..., 4], 1e-4))[..., None]
        error = ops.abs(points - y_true[..., POINTS]) / size
        huber = ops.where(error < 0.05, 10 * ops.square(error), error - 0.025)
        total += self.weights["points"] * ops.sum(ops.mean(huber, axis=-1) * y_true[..., POINTS_KNOWN]) * 10
        known = y_true[..., GENDER_KNOWN]
        label = y_true[..., FEMALE] * (1 - 2 * self.smoothing) + self.smoothing
        total += self.weights["gender"] * ops.sum(_cross_entropy(female[..., 0], label) * known)
        return total / number


def _cross_entropy(logit: keras.KerasTensor, target: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.maximum(logit, 0) - logit * target + keras.ops.log1p(keras.ops.exp(-keras.ops.abs(logit)))


def _overlap(true: keras.KerasTensor, raw: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """(IoU, squared distance of centres over squared diagonal around both): DIoU's terms (Zheng et al. 2020)."""
    ops = keras.ops
    size = ops.exp(ops.clip(raw[..., 2:], -4.0, 4.0))
    low, high = raw[..., :2] - size / 2, raw[..., :2] + size / 2
    true_low, true_high = true[..., :2] - true[..., 2:] / 2, true[..., :2] + true[..., 2:] / 2
    shared = ops.prod(ops.maximum(ops.minimum(high, true_high) - ops.maximum(low, true_low), 0.0), axis=-1)
    union = ops.prod(size, axis=-1) + ops.prod(true[..., 2:], axis=-1) - shared
    around = ops.sum(ops.square(ops.maximum(high, true_high) - ops.minimum(low, true_low)), axis=-1)
    apart = ops.sum(ops.square(raw[..., :2] - true[..., :2]), axis=-1)
    return shared / ops.maximum(union, 1e-6), apart / ops.maximum(around, 1e-6)
