"""Places text beside points so that no two labels, and no label and point, lie on each other.

Greedy: in the order given, each at the nearest free place around its point; a label without a free place is left
out (its point keeps its tooltip and its row in the table). Pixels, x to the right, y down.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

NARROW = frozenset("iljtfrI.,:;|!'()[] -")
BROAD = frozenset("mwMW@%")
REACHES = (9.0, 16.0, 26.0, 38.0, 54.0, 72.0)
ANGLES = (0, 180, -35, 35, 215, 145, -90, 90, -65, 65, 245, 115)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with left <= right and top <= bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def hits(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other: "Box") -> bool:
        """Whether this lies wholly in the other."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A label wanted: its text and its point."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A label placed: whose it is (index), its box, the end of it nearest the point, whether it needs a line to it."""

    index: int
    box: Box
    anchor: str
    leader: bool

    @property
    def x(self) -> float:
        """Where the text is anchored: `start` at the left end, `end` at the right one, else the middle."""
        return {"start": self.box.left, "end": self.box.right}.get(self.anchor, (self.box.left + self.box.right) / 2)


def text_width(text: str, size: float) -> float:
    """Width of text in pixels, estimated a little wide, since the reader's font is not known here."""
    units = sum(0.34 if c in NARROW else 0.92 if c in BROAD else 0.68 if c.isupper() else 0.59 for c in text)
    return units * size


def place(
    requests: Sequence[Request], frame: Box, obstacles: Sequence[Box] = (), *, size: float = 12.0, radius: float = 6.0
) -> list[Placed]:
    """Places as many labels as fit.

    Args:
        requests: all labels, the most important first; every one's point is an obstacle too.
        frame: labels stay inside.
        obstacles: what labels must not cover.
        size: of the text, in pixels.
        radius: of a point.

    Returns:
        The placed ones, in the order of `requests`; their boxes are disjoint.
    """
    points = [Box(r.x - radius, r.y - radius, r.x + radius, r.y + radius) for r in requests]
    taken = [*points, *obstacles]
    placed: list[Placed] = []
    for index, request in enumerate(requests):
        found = _nearest(request, frame, taken, size)
        if found is not None:
            taken.append(found[0])
            placed.append(Placed(index, *found))
    return placed


def _nearest(request: Request, frame: Box, taken: Sequence[Box], size: float) -> tuple[Box, str, bool] | None:
    width, height = text_width(request.text, size), size * 1.2
    for reach in REACHES:
        for angle in ANGLES:
            dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            # The label's near edge touches the ring; a steep direction centres it.
            centre_x = request.x + dx * reach + (width / 2) * max(-1.0, min(1.0, dx * 1.6))
            centre_y = request.y + dy * (reach + height / 2)
            box = Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
            if box.inside(frame) and not any(box.hits(other) for other in taken):
                anchor = "start" if dx > 0.4 else "end" if dx < -0.4 else "middle"
                return box, anchor, reach > REACHES[1]
    return None


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Moves positions apart to at least `gap`, keeping their order and near to where they want to be.

    Args:
        wanted: positions, in any order.
        gap: least distance between two.
        low: least position.
        high: greatest position; exceeded when they do not fit.

    Returns:
        New positions, in the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[list[float]] = []  # [sum of wanted starts, members, start]
    for index in order:
        groups.append([wanted[index], 1, max(low, wanted[index])])
        while len(groups) > 1 and groups[-2][2] + groups[-2][1] * gap > groups[-1][2]:
            total, members, _ = groups.pop()
            before = groups[-1]
            before[0] += total - members * before[1] * gap
            before[1] += members
            before[2] = max(low, min(before[0] / before[1], high - (before[1] - 1) * gap))
    moved = [0.0] * len(wanted)
    flat = [start + gap * step for _, members, start in groups for step in range(int(members))]
    for index, position in zip(order, flat, strict=True):
        moved[index] = position
    if moved and max(moved) > high:
        shift = max(moved) - high
        moved = [max(low + gap * order.index(i), m - shift) for i, m in enumerate(moved)]
    return moved
