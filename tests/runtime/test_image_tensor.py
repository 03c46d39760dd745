"""From pixels to the input tensor."""

import numpy as np
import pytest

from handlens.errors import ImageShapeError
from handlens.image import letterbox, prepare, preprocess, resize, to_grey, to_tensor
from handlens.manifest import InputSpec

SCALE, OFFSET = (1 / 58.4, 1 / 57.1, 1 / 57.4), (-2.12, -2.04, -1.8)


def spec(**changes) -> InputSpec:
    fields = {"name": "image", "height": 16, "width": 8, "channels": 3, "scale": SCALE, "offset": OFFSET}
    return InputSpec(**{**fields, **changes})


def grey_spec(**changes) -> InputSpec:
    return spec(channels=1, colour="GREY", scale=(1 / 255,), offset=(0.0,), **changes)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), np.uint8)


def test_float_is_scale_and_offset_a_channel():
    pixels = noise(16, 8)
    tensor = to_tensor(pixels, spec())
    assert tensor.shape == (1, 16, 8, 3) and tensor.dtype == np.float32
    assert np.allclose(tensor[0], pixels * np.array(SCALE) + np.array(OFFSET), atol=1e-6)


@pytest.mark.parametrize(("dtype", "zero_point", "low", "high"), [("int8", -3, -128, 127), ("uint8", 130, 0, 255)])
def test_integers_are_the_nearest_step_and_clip(dtype, zero_point, low, high):
    # The scale is too small for the range on purpose: both ends clip.
    pixels = noise(16, 8)
    tensor = to_tensor(pixels, spec(dtype=dtype, quant_scale=0.015, quant_zero_point=zero_point))
    assert tensor.dtype == np.dtype(dtype) and {int(tensor.min()), int(tensor.max())} == {low, high}
    exact = (pixels * np.array(SCALE) + np.array(OFFSET)) / 0.015 + zero_point
    assert np.abs(np.clip(exact, low, high) - tensor[0]).max() <= 0.5 + 1e-9


def test_halves_round_up():
    half = spec(dtype="int8", scale=(0.5,) * 3, offset=(-64.0,) * 3, quant_scale=1.0, quant_zero_point=0)
    pixels = np.tile(np.array([127, 128, 129], np.uint8)[:, None], (16, 8, 1)).reshape(16, 24)[:, :8, None].repeat(3, 2)
    expected = np.floor(pixels * 0.5 - 64 + 0.5)
    assert np.array_equal(to_tensor(pixels, half)[0], expected)


def test_nchw_is_the_same_numbers_channels_first():
    pixels = noise(16, 8)
    first = to_tensor(pixels, spec(layout="NCHW"))
    assert first.shape == (1, 3, 16, 8) and first.flags.c_contiguous
    assert np.array_equal(first.transpose(0, 2, 3, 1), to_tensor(pixels, spec()))


def test_a_tensor_may_be_written_to_without_harm_to_the_next():
    pixels = noise(16, 8)
    before = to_tensor(pixels, spec()).copy()
    to_tensor(pixels, spec())[:] = 0
    assert np.array_equal(to_tensor(pixels, spec()), before)


@pytest.mark.parametrize("pixels", [noise(8, 16), noise(16, 8, 1), noise(16, 8).astype(np.float32)])
def test_unprepared_pixels_are_refused(pixels):
    with pytest.raises(ImageShapeError, match=r"prepare\(\)"):
        to_tensor(pixels, spec())


@pytest.mark.parametrize("geometry", ["resize", "letterbox", "crop"])
@pytest.mark.parametrize("shape", [(40, 33), (5, 90), (90, 5), (16, 8), (1, 1)])
def test_every_geometry_gives_the_size_in_both_colours(geometry, shape):
    image = noise(*shape)
    prepared = prepare(image, spec(geometry=geometry))
    assert prepared.shape == (16, 8, 3) and prepared.dtype == np.uint8 and prepared.flags.c_contiguous
    assert np.array_equal(prepare(image, grey_spec(geometry=geometry)), to_grey(prepared))
    assert np.array_equal(prepare(prepared, spec(geometry=geometry)), prepared)


def test_geometries_are_what_they_say():
    image = noise(20, 40)
    assert np.array_equal(prepare(image, spec()), resize(image, 16, 8))
    assert np.array_equal(prepare(image, spec(geometry="letterbox")), letterbox(image, 16, 8)[0])
    assert np.array_equal(prepare(image, spec(geometry="crop")), resize(image[:, 15:25], 16, 8))


def test_grey_arrays_are_for_grey_models_only():
    grey = noise(30, 20, 1)
    assert np.array_equal(prepare(grey[:, :, 0], grey_spec()), prepare(grey, grey_spec()))
    assert preprocess(grey[:, :, 0], grey_spec()).shape == (1, 16, 8, 1)
    for image in (grey, grey[:, :, 0]):
        with pytest.raises(ImageShapeError, match="three equal channels"):
            preprocess(image, spec())
