"""Market-1501's attributes (Lin et al., Pattern Recognition 2019): 27 an identity, research use only.

`market_attribute.mat`, beside the images or above them, holds "train" and "test", each with a value an identity: 1 and
2. They become the six heads:

- gender: 1 male, 2 female. torso_type: `up`, 1 long, 2 short sleeve.
- leg_type: `clothes` 1 (dress) is a skirt; else trousers or shorts by `down`, 1 long, 2 short.
- torso_colour, leg_colour: where exactly one of `upblack`, ... or of `downblack`, ... is 2. Market names eight colours
  of the torso (no brown, orange or pink) and nine of the legs (no orange, no red); another colour, or several, has none
  of them set, and is missing.
- luggage: `backpack`; bag is `bag` or `handbag`; both kinds are missing; neither is none. There are no cases.

The labels are an identity's, not an image's: what one camera cannot see is labelled all the same. Counts here: 9,121
images of 751 identities, all of them a test: nothing of this set trains the attributes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import DataError, MissingExtra
from handlens_data.datasets import market1501
from handlens_data.datasets.attributes import HEADS, AttributeSample, AttributeSplit, only

NAME = "market1501-attributes"
LICENCE = "research use only (Market-1501 attributes, Lin et al. 2019)"
FILE = "market_attribute.mat"

_COLOURS = {"gray": "grey"}
YES = 2


def found(root: Path) -> bool:
    """Whether `root` holds Market-1501 and its attributes."""
    return _file(root) is not None


def load(root: Path) -> AttributeSplit:
    """Every image of Market-1501 under `root`, either layout, whose identity has attributes; the split is "test".

    Raises:
        UnknownLayout, EmptyFolder: Market-1501 is not there.
        DataError: the attributes are not there, or the file is not what it should be.
        MissingExtra: SciPy, which comes with scikit-learn, is not installed.
    """
    path = _file(root)
    if path is None:
        raise DataError(f"{root} holds no {FILE} beside or above Market-1501. Copy it there.")
    labels = read_labels(path)
    images = market1501.load(root)
    parts = [part for part in (images.train, images.val, images.probe, images.gallery) if part is not None]
    samples = [
        AttributeSample(sample.path, f"{sample.identity:04d}", labels[sample.identity])
        for part in parts
        for sample in part.samples
        if sample.identity in labels
    ]
    return AttributeSplit("test", tuple(sorted(samples, key=lambda sample: (sample.group, sample.path.name))))


def read_labels(path: Path) -> dict[int, tuple[int, ...]]:
    """Identity to its six labels.

    Raises:
        DataError: the file is not MATLAB's, or lacks an attribute.
        MissingExtra: SciPy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise MissingExtra("scipy", "train") from error
    try:
        parts = loadmat(path, simplify_cells=True)["market_attribute"]
        return {
            int(identity): labels_of({name: int(np.atleast_1d(values)[row]) for name, values in part.items()})
            for part in (parts["train"], parts["test"])
            for row, identity in enumerate(np.atleast_1d(part["image_index"]))
        }
    except Exception as error:  # SciPy's reader raises whatever a damaged file makes it stumble over.
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is no {FILE} of Market-1501 ({reason}). Copy it again.") from error


def labels_of(values: Mapping[str, int]) -> tuple[int, ...]:
    """One identity's values as one label a head; see the module for what is missing.

    Raises:
        KeyError: an attribute is not there.
    """
    short, dress = values["down"] == YES, values["clothes"] != YES
    luggage = [
        name for name, kinds in (("backpack", ("backpack",)), ("bag", ("bag", "handbag"))) if _any(values, kinds)
    ]
    named = {
        "gender": ["female" if values["gender"] == YES else "male"],
        "torso_type": ["short sleeve" if values["up"] == YES else "long sleeve"],
        "torso_colour": _colours(values, "up"),
        "leg_type": ["skirt" if dress else "shorts" if short else "trousers"],
        "leg_colour": _colours(values, "down"),
        "luggage": luggage or ["none"],
    }
    return tuple(only(named[head], head) for head in HEADS)


def _any(values: Mapping[str, int], names: tuple[str, ...]) -> bool:
    return any([values[name] == YES for name in names])


def _colours(values: Mapping[str, Any], part: str) -> list[str]:
    names = [name for name, value in values.items() if name.startswith(part) and name != part and value == YES]
    return [_COLOURS.get(name.removeprefix(part), name.removeprefix(part)) for name in names]


def _file(root: Path) -> Path | None:
    folders = (
        root,
        root / market1501.NAME,
        root / "Market-1501-v15.09.15",
        root / "Market-1501_Attribute",
        root.parent,
    )
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
