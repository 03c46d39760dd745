"""The study of one network's harm: its units ranked, some measured by the task's metric, and the fewest given back.

What was measured is kept in a file, so that a study that was interrupted goes on where it was.
"""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import EngineError, GoldenInvalid
from handlens.files import write_text
from handlens.metrics import Interval
from handlens_export.harm.error import output_error
from handlens_export.harm.lane import Lane
from handlens_export.progress import Bar
from handlens_train.exportable import Match

IMAGES = 32  # that units are ranked on
_FEW = 4  # layers that are taken back one by one


@dataclass(frozen=True, slots=True)
class Tried:
    """A file with some units in float, measured.

    Attributes:
        floats: the units asked for in float, in order of execution.
        bytes: of the model.
        drop: what it loses against float32, in points of the primary metric, with the interval of the paired
            difference; None where it was refused.
        refused: why the file is no artifact at all: an engine answers it wrongly, or its outputs never change.
    """

    floats: tuple[str, ...]
    bytes: int
    drop: Interval | None
    refused: str = ""

    def holds(self, max_drop: float) -> bool:
        """Whether it loses no more than so many points."""
        return self.drop is not None and self.drop.value <= max_drop


class Study:
    """What is known of a lane's harm, and what finds out more."""

    def __init__(
        self,
        lane: Lane,
        images: np.ndarray,
        matching: Mapping[str, Match],
        measure: Callable[[bytes], Interval],
        keep: Path,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Opens a study, or goes on with one.

        Args:
            lane: the network.
            images: (N, ...) float32 as the network takes them; the first 32 are ranked on.
            matching: what the outputs are.
            measure: what a file loses against float32, in points; raises EngineWrong or GoldenInvalid for one that
                cannot be let out.
            keep: folder for the file of what was measured.
            say: takes one line of progress at a time.
        """
        self.lane, self.images, self.matching = lane, images[:IMAGES], matching
        self._measure, self._say = measure, say
        digest = hashlib.sha256(lane.model(lane.ends))
        digest.update(np.ascontiguousarray(self.images).tobytes())
        self._path = keep / f"harm-{digest.hexdigest()[:16]}.json"
        self._known = _read(self._path)

    @cached_property
    def errors(self) -> dict[str, float]:
        """The output error that each unit alone in int8 makes, in order of execution."""
        known = self._known["errors"]
        missing = [unit.name for unit in self.lane.units if unit.name not in known]
        if missing:
            wanted = self.lane.answers((), self.images)
            try:
                with Bar("each layer alone in int8", len(missing)) as bar:
                    for done, name in enumerate(missing, 1):
                        known[name] = output_error(wanted, self.lane.answers([name], self.images), self.matching)
                        bar.update(done)
            finally:
                self._save()
        return {unit.name: known[unit.name] for unit in self.lane.units}

    @property
    def ranking(self) -> tuple[str, ...]:
        """The units that can be given back, those that do most harm first."""
        free = [name for name in self.errors if name not in {*self.lane.left, *self.lane.ends}]
        return tuple(sorted(free, key=lambda name: -self.errors[name]))

    def tried(self, floats: Collection[str]) -> Tried:
        """The file with these units (and the lane's `ends`) in float, measured; from what is kept, if it is there."""
        chosen = tuple(unit.name for unit in self.lane.units if unit.name in {*floats, *self.lane.ends})
        key = "\n".join(chosen)
        if key not in self._known["tries"]:
            model = self.lane.model(chosen)
            ends: list[float] | None
            try:
                drop = self._measure(model)
                ends, refused = [drop.value, drop.low, drop.high], ""
            except (EngineError, GoldenInvalid) as error:
                ends, refused = None, str(error)
            self._known["tries"][key] = {"bytes": len(model), "drop": ends, "refused": refused}
            self._save()
        found = self._known["tries"][key]
        drop = None if found["drop"] is None else Interval(*found["drop"])
        return Tried(chosen, found["bytes"], drop, found["refused"])

    def alone(self, name: str) -> Tried:
        """The file with this unit alone in int8."""
        return self.tried([unit.name for unit in self.lane.units if unit.name != name])

    def repaired(self, max_drop: float, max_minutes: float) -> Tried:
        """The fewest units found in float so that no more than `max_drop` points are lost; all, if that never is.

        So many of the most harmful as it takes; then these are taken back, the least harmful first, where the budget
        holds without them.

        Args:
            max_drop: points of the primary metric.
            max_minutes: nothing more is taken back then.
        """
        began = time.monotonic()
        ranking = self.ranking
        found = self._told(self.tried(()))
        low, high = 0, 0  # too few, enough
        while not found.holds(max_drop) and high < len(ranking):
            low, high = high, min(len(ranking), max(1, 2 * high))
            found = self._told(self.tried(ranking[:high]))
        if not high or not found.holds(max_drop):
            return found
        while high - low > 1:
            middle = (low + high) // 2
            tried = self._told(self.tried(ranking[:middle]))
            low, high, found = (low, middle, tried) if tried.holds(max_drop) else (middle, high, found)
        return self._taken_back(found, list(ranking[: high - 1]), max_drop, began + 60 * max_minutes)

    def _taken_back(self, found: Tried, floats: list[str], max_drop: float, until: float) -> Tried:
        """What holds with as many of `floats` as possible in int8 again, the least harmful (the last) first.

        Many are taken back by halves, then quarters, and so on, so that a few culprits among them are found soon.
        """
        size = len(floats) // 2 if len(floats) > _FEW else 1
        while floats:
            free = floats[::-1]
            for start in range(0, len(free), size):
                if time.monotonic() > until:
                    self._say(f"the time is over: {len(found.floats)} layers stay in float without another look")
                    return found
                chunk = free[start : start + size]
                tried = self._told(self.tried([name for name in found.floats if name not in chunk]))
                if tried.holds(max_drop):
                    found, floats = tried, [name for name in floats if name not in chunk]
            if size == 1:
                break
            size //= 2
        return found

    def _told(self, tried: Tried) -> Tried:
        count, total = len(tried.floats), len(self.lane.units)
        if tried.drop is None:
            self._say(f"{count} of {total} layers in float: refused, {tried.refused}")
        else:
            change = f"{tried.drop.value:.2f} points lost ({tried.drop.low:.2f} to {tried.drop.high:.2f})"
            self._say(f"{count} of {total} layers in float: {change}, {tried.bytes:,} bytes")
        return tried

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._path, json.dumps(self._known, indent=1))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """What is kept; nothing where there is none, or the file is damaged (it is then measured again)."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(known["errors"], dict) and isinstance(known["tries"], dict):
            return {"errors": known["errors"], "tries": known["tries"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"errors": {}, "tries": {}}
