"""A table of ranges: what calibration saw in each tensor, as a file that is used again without the images."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from handlens.errors import DataError
from handlens.files import write_text

SCHEMA = 1
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTable:
    """Ranges, and the images they were measured on.

    Attributes:
        model: name of the model and the recipe.
        dataset: the images come from.
        split: of it; never one that is tested on.
        count: of images.
        seed: they were drawn with.
        images_sha256: of the prepared images, in order.
        ranges: tensor to (lowest, highest) value, zero included.
    """

    model: str
    dataset: str
    split: str
    count: int
    seed: int
    images_sha256: str
    ranges: dict[str, tuple[float, float]]

    def save(self, path: Path) -> None:
        """Writes JSON, atomically."""
        write_text(path, json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "RangeTable":
        """Reads what `save` wrote.

        Raises:
            DataError: missing, damaged, or of a newer schema.
        """
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts.pop("schema") != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            if set(facts) != {item.name for item in fields(cls)}:
                raise ValueError("its fields are others")
            ranges = {str(name): (float(low), float(high)) for name, (low, high) in facts.pop("ranges").items()}
            if not ranges or any(not (math.isfinite(a) and math.isfinite(b) and a <= b) for a, b in ranges.values()):
                raise ValueError("a range is not (low, high), finite, and rising")
            return cls(ranges=ranges, **facts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is no table of ranges ({error}). handlens export writes one beside each int8 artifact: "
                "NAME-RECIPE.ranges.json"
            ) from error


@dataclass(frozen=True, slots=True)
class Change:
    """One tensor in two tables; `growth` is the wider of the two ends' moves over the old range, 0 for none."""

    name: str
    old: tuple[float, float]
    new: tuple[float, float]
    growth: float


def compare(old: RangeTable, new: RangeTable) -> tuple[Change, ...]:
    """The tensors of both, the most moved first.

    Raises:
        DataError: the two are of different networks: they name other tensors.
    """
    if set(old.ranges) != set(new.ranges):
        names = sorted(set(old.ranges) ^ set(new.ranges))
        raise DataError(f"the tables are of two networks: {len(names)} tensors are in one alone, such as {names[0]}")
    found = []
    for name, (low, high) in old.ranges.items():
        now = new.ranges[name]
        span = max(high - low, 1e-12)
        found.append(Change(name, (low, high), now, max(abs(now[0] - low), abs(now[1] - high)) / span))
    return tuple(sorted(found, key=lambda change: -change.growth))
