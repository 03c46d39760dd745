"""The manifests of segmenters in the documentation are those of masks that the runtime reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from handlens._mask import MaskDecoding
from handlens.manifest import Manifest

MANIFESTS = Path(__file__).parents[2] / "docs" / "manifests"
NAMES = sorted(path.name for path in MANIFESTS.glob("*.json") if '"person-mask"' in path.read_text())


def test_there_are_two() -> None:
    assert NAMES == ["selfie-segmentation-landscape.json", "selfie-segmentation.json"]


@pytest.mark.parametrize("name", NAMES)
def test_a_probability_stays_one(name: str) -> None:
    described = Manifest.from_json((MANIFESTS / name).read_text())
    decoding = MaskDecoding.of(described)
    (output,) = described.outputs
    assert decoding.output(described, "mask") == output and decoding.output(described, "classes") is None
    assert output.shape == (1, described.input.height, described.input.width, 1)
    half = decoding.probabilities(np.full(output.shape, 0.25, np.float32))
    assert half.shape == output.shape[1:3] and (half == 0.25).all()
    assert json.loads(described.to_json())["provenance"]["weights_licence"] == "Apache-2.0"
