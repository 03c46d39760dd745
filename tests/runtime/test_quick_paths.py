"""The quick ways through pre- and post-processing give the very values of the plain ones."""

import dataclasses

import numpy as np
import pytest

from handlens import _levels
from handlens._detector import _mean
from handlens._geometry import Transform
from handlens._nms import suppress
from handlens.image import place, to_tensor
from handlens.manifest import InputSpec

PIXELS = np.random.default_rng(5).integers(0, 256, (6, 10, 3)).astype(np.uint8)
FLOAT = InputSpec(name="x", height=6, width=10, channels=3, scale=(1 / 255,) * 3, offset=(0.0,) * 3)
INT8 = dataclasses.replace(FLOAT, dtype="int8", quant_scale=1 / 255, quant_zero_point=-128)


@pytest.mark.parametrize(
    ("spec", "how"),
    [
        (INT8, "shift"),
        (dataclasses.replace(INT8, quant_zero_point=-127), "line"),
        (dataclasses.replace(INT8, dtype="uint8", quant_zero_point=0), "line"),
        (FLOAT, "line"),
        (dataclasses.replace(FLOAT, scale=(1 / 255, 1 / 255, 1 / 200)), "channels"),
        (dataclasses.replace(INT8, offset=(0.0, 0.3, 0.0)), "channels"),
    ],
)
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_tensor_is_the_formula_s_by_each_way(spec, how, layout):
    spec = dataclasses.replace(spec, layout=layout)
    assert _levels.table(spec)[1] == how
    expected = PIXELS.astype(np.float64) * np.array(spec.scale) + np.array(spec.offset)
    if spec.quant_scale is not None:
        limits = np.iinfo(spec.dtype)
        steps = np.floor(expected / spec.quant_scale + 0.5) + spec.quant_zero_point
        expected = np.clip(steps, limits.min, limits.max)
    expected = expected.astype(spec.dtype)[None]
    if layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    # Pixels that do not lie in a row in memory, too.
    for pixels in (PIXELS, np.asfortranarray(PIXELS), PIXELS[::-1][::-1]):
        tensor = to_tensor(pixels, spec)
        assert tensor.dtype == spec.dtype and tensor.flags.c_contiguous
        np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize("geometry", ["letterbox", "resize", "crop"])
def test_an_image_of_the_model_s_size_stays_as_it_is(geometry):
    placed, transform = place(PIXELS, dataclasses.replace(FLOAT, geometry=geometry))
    np.testing.assert_array_equal(placed, PIXELS)
    assert transform == Transform(1.0, 1.0, 0.0, 0.0)
    swapped, _ = place(PIXELS, dataclasses.replace(FLOAT, geometry=geometry, colour="BGR"))
    np.testing.assert_array_equal(swapped, PIXELS[:, :, ::-1])


def test_going_back_without_arrays_is_the_inverse():
    transform = Transform(320 / 511, 240 / 383, 0.0, 40.0)
    values = np.random.default_rng(1).normal(100, 90, 10).astype(np.float32)
    assert transform.back(values.tolist()) == transform.inverse(values).tolist()


def test_the_mean_of_detections_is_numpy_s_to_the_bit():
    draw = np.random.default_rng(2)
    for count in (1, 2, 3, 9, 40):
        values, weights = (draw.random(shape).astype(np.float32) for shape in ((count, 10), count))
        np.testing.assert_array_equal(_mean(values, weights), np.average(values, axis=0, weights=weights))


def test_a_single_detection_is_its_own_group():
    box, score = np.array([[1, 1, 5, 5]], np.float32), np.array([0.5], np.float32)
    assert [group.tolist() for group in suppress(box, score, 0.4, 10)] == [[0]]
    assert suppress(box, score, 0.4, 0) == []
