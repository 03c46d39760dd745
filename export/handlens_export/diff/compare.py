"""Two artifacts of a task on the same items: what metric, bytes and time became, and whose answers changed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.artifact import Artifact
from handlens.errors import InputError, ManifestInvalid
from handlens.metrics import Interval
from handlens_export.gate import paired_drop
from handlens_export.report.collect import gzip_size
from handlens_export.report.measure import measure_all
from handlens_train.evaluation import Evaluation, Item

# An answer has flipped when it became right or wrong by more than half.
FLIP = 0.5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two artifacts.

    Attributes:
        name: of the file.
        value: the primary metric, a fraction, with its 95% interval.
        size: bytes of the file.
        gzip_size: bytes of it after gzip -9.
        p50_ms: median of the model alone, one thread, in turns with the other; None where it was not timed.
        engine: name and version of what ran.
    """

    name: str
    value: Interval
    size: int
    gzip_size: int
    p50_ms: float | None
    engine: str


@dataclass(frozen=True, slots=True, eq=False)
class Flip:
    """One item whose answer became right, or wrong.

    Attributes:
        name: of the item, for a person.
        old: the old artifact's answer, in words.
        new: the new one's.
        change: how much righter the new one is, -1 to 1.
        pictures: as `Item` has them.
    """

    name: str
    old: str
    new: str
    change: float
    pictures: tuple[Path | NDArray[np.uint8], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What a new artifact is beside an old one.

    Attributes:
        task: of both.
        dataset: they were measured on.
        split: of it.
        protocol: in words.
        n: items.
        metric: the primary one; higher is better.
        old: artifact.
        new: artifact.
        change: new less old, a fraction, with the 95% interval of the paired difference.
        allowed: points (hundredths) that the new one may lose.
        flips: items whose answer became wrong, the worst first, then those that became right.
        items: that a flip could have been seen among; 0 where the task names none.
    """

    task: str
    dataset: str
    split: str
    protocol: str
    n: int
    metric: str
    old: Side
    new: Side
    change: Interval
    allowed: float
    flips: tuple[Flip, ...]
    items: int

    @property
    def worse(self) -> bool:
        """Whether the loss is beyond noise: the whole interval lies below what is allowed."""
        return 100 * self.change.high < -self.allowed

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.change.low > 0

    def sentence(self) -> str:
        """The verdict, for a person."""
        value, low, high = (100 * end for end in (self.change.value, self.change.low, self.change.high))
        figures = (
            f"{value:+.2f} points of {self.metric} (95% interval of the paired difference {low:+.2f} to {high:+.2f})"
        )
        if self.worse:
            beyond = f"beyond the {self.allowed:g} points allowed" if self.allowed else "beyond noise"
            return f"{self.new.name} is worse than {self.old.name}, {beyond}: {figures}, n {self.n:,}"
        word = "better than" if self.better else "not worse beyond noise than"
        return f"{self.new.name} is {word} {self.old.name}: {figures}, n {self.n:,}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; flips without their pictures."""
        facts = {
            name: getattr(self, name) for name in ("task", "dataset", "split", "protocol", "n", "metric", "allowed")
        }
        flips = [{"name": f.name, "old": f.old, "new": f.new, "change": round(f.change, 6)} for f in self.flips]
        sides = {"old": asdict(self.old), "new": asdict(self.new)}
        return facts | sides | {"change": asdict(self.change), "worse": self.worse, "items": self.items, "flips": flips}


def compare(
    old: Path,
    new: Path,
    evaluate: Callable[[Path], Evaluation],
    *,
    allowed: float = 0.0,
    rounds: int = 12,
    progress: Callable[[str], None] = lambda text: None,
) -> Difference:
    """Measures both artifacts on the same items, and times them in turns.

    Args:
        old: artifact to compare with.
        new: artifact in question.
        evaluate: from an artifact's path to its evaluation.
        allowed: points of the primary metric that the new one may lose.
        rounds: visits to each when they are timed; 0 times nothing.
        progress: told what happens now.

    Raises:
        ManifestInvalid: the two are of different tasks.
        InputError: they were judged on different items.
        HandlensError: what the evaluation raises.
    """
    artifacts = (Artifact.open(old), Artifact.open(new))
    first, second = (artifact.manifest.task for artifact in artifacts)
    if first != second:
        raise ManifestInvalid(f"{old} is for task {first!r}, {new} for {second!r}; a difference needs one task")
    found = []
    for path in (old, new):
        progress(f"evaluating {path.name}")
        found.append(evaluate(path))
    drop = paired_drop(new.name, found[1], old.name, found[0])
    names = ("old", "new")  # the two files may bear one name, in two folders
    timed = measure_all(list(zip(names, artifacts, strict=True)), rounds=rounds, progress=progress) if rounds else {}
    sides = []
    for key, path, evaluation in zip(names, (old, new), found, strict=True):
        timing = timed.get(key)
        data = path.read_bytes()
        sides.append(
            Side(
                name=path.name if old.name != new.name else str(path),
                value=evaluation.metrics[evaluation.primary],
                size=len(data),
                gzip_size=gzip_size(data),
                p50_ms=None if timing is None or isinstance(timing, str) else timing.p50_ms,
                engine=evaluation.engine,
            )
        )
    before, after = found
    return Difference(
        task=first,
        dataset=after.dataset,
        split=after.split,
        protocol=after.protocol,
        n=after.n,
        metric=after.primary,
        old=sides[0],
        new=sides[1],
        change=Interval(-drop.value, -drop.high, -drop.low),
        allowed=allowed,
        flips=flips(before.items, after.items),
        items=len(after.items),
    )


def flips(old: tuple[Item, ...], new: tuple[Item, ...]) -> tuple[Flip, ...]:
    """The items whose answer became wrong (the worst first), then those whose answer became right.

    Raises:
        InputError: the two are not of the same items in the same order.
    """
    if [item.name for item in old] != [item.name for item in new]:
        raise InputError("the two artifacts were asked about different items; nothing to pair")
    changed = [
        Flip(now.name, was.answer, now.answer, now.right - was.right, now.pictures)
        for was, now in zip(old, new, strict=True)
        if abs(now.right - was.right) >= FLIP
    ]
    lost = sorted((flip for flip in changed if flip.change < 0), key=lambda flip: flip.change)
    return (*lost, *sorted((flip for flip in changed if flip.change > 0), key=lambda flip: -flip.change))
