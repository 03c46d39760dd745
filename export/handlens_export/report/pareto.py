"""The Pareto front: which artifacts nobody beats in both cost and gain."""

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another when it costs no more and gains no less, and is better in at least one of the two. Points
    that tie in both are all on the front or all off it. O(N log N).

    Args:
        costs: (N,) smaller is better, such as bytes or milliseconds.
        gains: (N,) larger is better, such as rank-1.

    Returns:
        Indices, by rising cost (and so by rising gain); ties keep the order they came in.

    Raises:
        ValueError: the lengths differ.
    """
    if len(costs) != len(gains):
        raise ValueError(f"{len(costs)} costs and {len(gains)} gains; expected as many of each")
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -gains[i]))
    front: list[int] = []
    for index in order:
        if not front or gains[index] > gains[front[-1]] or _same(index, front[-1], costs, gains):
            front.append(index)
    return front


def _same(a: int, b: int, costs: Sequence[float], gains: Sequence[float]) -> bool:
    return costs[a] == costs[b] and gains[a] == gains[b]
