"""Figures that others have published, with their sources: `anchors.json`, which docs/anchors.md is made from.

None was measured by this program. Data and protocols are those of the source, so an anchor shows where a field stands,
and decides nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure was read: a page's title and address, and its revision where one is known."""

    title: str
    url: str
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One published figure.

    Attributes:
        name: of the model.
        task: of handlens that it belongs to; empty where it is of none, such as ImageNet.
        recipe: how it was compressed, "float32" where it was not.
        dataset: and protocol, as the source says.
        metric: the name that handlens has for it.
        value: of it, a fraction; None where the source measures none that compares.
        parameters: count, as precise as the source gives it; None where it does not.
        bytes: of the file; None where the source does not say.
        ms: milliseconds of one run; None where the source gives none.
        device: that ran it.
        of: name of the float anchor that this one compresses.
        note: what else a reader should know.
        source: where it was read.
        checked: the day on which the figure was looked up at its source, ISO; empty where nobody has.
    """

    name: str
    task: str
    recipe: str
    dataset: str
    metric: str
    value: float | None
    parameters: int | None
    bytes: int | None
    ms: float | None
    device: str
    of: str
    note: str
    source: Source
    checked: str

    @property
    def size(self) -> tuple[float, bool] | None:
        """Bytes, and whether they were worked out from the count of float32 parameters; None where nobody can."""
        if self.bytes is not None:
            return float(self.bytes), False
        if self.parameters is not None and self.recipe == "float32":
            return float(FLOAT_BYTES * self.parameters), True
        return None


@cache
def anchors() -> tuple[Anchor, ...]:
    """All of them, in the order of the file."""
    facts = json.loads((files("handlens_export.pareto") / "anchors.json").read_text(encoding="utf-8"))
    sources = {key: Source(**source) for key, source in facts["sources"].items()}
    return tuple(Anchor(**row | {"source": sources[row["source"]]}) for row in facts["anchors"])


def of_task(task: str) -> tuple[Anchor, ...]:
    """Those of a task of handlens."""
    return tuple(anchor for anchor in anchors() if task and anchor.task == task)


def float_of(anchor: Anchor, among: Sequence[Anchor] | None = None) -> Anchor | None:
    """The float32 anchor that one compresses, or None."""
    return next((other for other in (among or anchors()) if anchor.of and other.name == anchor.of), None)
