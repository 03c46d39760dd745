"""Figures that the early reports published for re-ID on Market-1501, 301 probes against 301 gallery images.

They are printed for comparison and marked as published: nothing here was measured by this program, and no interval,
size or latency is known for them.
"""

from dataclasses import dataclass

from handlens_export.report.boards import Board

PROBES = 301


@dataclass(frozen=True, slots=True)
class Published:
    """One published row.

    Attributes:
        model: what it was.
        source: which of the early reports.
        ranks: (rank, fraction) pairs, rising ranks.
    """

    model: str
    source: str
    ranks: tuple[tuple[int, float], ...]


REID_301 = (
    Published("triplet network, 64×32 colour, 300-d", "early report 001", ((1, 0.25), (5, 0.48), (10, 0.62))),
    Published("VGG triplet, 64×32 grey, 32-d", "early report 000", ((1, 0.20),)),
    Published("VGG triplet, 64×32 grey, 32-d", "early report 002", ((1, 0.19),)),
    Published("PCA", "early reports 000, 002", ((1, 0.14), (5, 0.23), (10, 0.35))),
)


def published_for(board: Board) -> tuple[Published, ...]:
    """The published rows of a board's protocol: re-ID, Market-1501, test split, 301 probes; none for any other."""
    market = "market" in board.dataset.lower()
    if "reid" in board.task and market and board.split == "test" and board.n == (PROBES,) and board.primary == "rank1":
        return REID_301
    return ()
