"""The sentences at the top: which artifact to take, computed from the rows and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from handlens_export.report import words
from handlens_export.report.boards import Board, Entry
from handlens_export.report.rows import Score, metric_label

EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Card:
    """One answer: the question, the artifact's path, the figure that answers it, and what else to know."""

    question: str
    path: str
    label: str
    figure: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence, up to three cards, one line a model where a board holds several, and one a peer brought along."""

    sentence: str
    cards: tuple[Card, ...]
    models: tuple[str, ...]
    peers: tuple[str, ...] = ()


def label_of(entry: Entry, board: Board) -> str:
    """A short name that tells this artifact from the others of its board: model, recipe, format where they differ."""
    if entry.row.foreign:
        return family_label(entry, board)
    short = short_label(entry, board)
    return f"{family_label(entry, board)} {short}" if len(board.families) > 1 else short


def short_label(entry: Entry, board: Board) -> str:
    """Recipe and format, for where the model is plain to see."""
    several = len({other.row.format for other in board.entries}) > 1
    return f"{entry.row.recipe} {entry.row.format}" if several and entry.row.format != "tflite" else entry.row.recipe


def family_label(entry: Entry, board: Board) -> str:
    """The model's name; with its run where two families share the name."""
    twins = {other.row.family for other in board.entries if other.row.name == entry.row.name}
    return entry.row.name if len(twins) == 1 else entry.row.family


def judge(board: Board, max_drop: float) -> Verdict:
    """Works the verdict out.

    Args:
        board: with at least one entry that has the primary metric.
        max_drop: the budget, points of the primary metric.
    """
    scored = [entry for entry in board.own if entry.primary] or [e for e in board.entries if e.primary]
    metric = metric_label(board.primary)
    best = max(scored, key=_gain)
    floats = [entry for entry in scored if entry.row.recipe == "float32"]
    base = max(floats, key=_gain, default=best)
    within = [entry for entry in scored if _gain(entry) >= _gain(base) - max_drop / 100 - EPSILON]
    smallest = min(within, key=lambda entry: (entry.row.size, -_gain(entry)))
    cards = [_smallest_card(smallest, base, board, max_drop, metric)]
    timed = [entry for entry in scored if entry.row.timing]
    if timed:
        cards.append(_fastest_card(timed, within, board, metric))
    cards.append(_best_card(best, scored, board, metric))
    several = len({entry.row.family for entry in scored}) > 1
    models = _models(scored, board, max_drop, metric) if several else ()
    peers = tuple(_peer(peer, smallest, board, metric) for peer in board.peers if peer.primary and peer not in scored)
    return Verdict(_sentence(smallest, base, board, max_drop, metric), tuple(cards), models, peers)


def budget(max_drop: float) -> str:
    """The budget in words: "1.0 point"."""
    return f"{max_drop:.1f}{words.SPACE}point{'' if abs(max_drop - 1) < EPSILON else 's'}"


def _gain(entry: Entry) -> float:
    return entry.primary.value if entry.primary else float("-inf")


def _figure(entry: Entry, metric: str) -> str:
    score = entry.primary
    if score is None:
        return ""
    sign = "%" if score.unit == "fraction" else f" {score.unit}"
    return f"{metric} {words.value_of(score)}{sign} (95% interval {words.interval_of(score)})"


def _against(entry: Entry) -> str:
    """Share of bytes and time of its float32: "27% of the bytes and 0.51x the time of its float32"."""
    reference = entry.reference
    if reference is None:
        return ""
    parts = [f"{words.share(entry.row.size / reference.size)} of the bytes"]
    if entry.row.timing and reference.timing:
        parts.append(f"{words.ratio(entry.row.timing.ratio(reference.timing))} the time")
    return " and ".join(parts) + f" of its {reference.recipe}"


def _at_what_price(entry: Entry, metric: str) -> str:
    if entry.drop is None:
        return ""
    value, interval = words.drop_of(entry.drop)
    sure = f" (95% interval {interval})" if interval else ""
    if value == "0.0":
        return f", at the same {metric}{sure}"
    if entry.drop.value > 0:
        return f", and gains {value.lstrip('+')} points of {metric}{sure}"
    return f", for {value} points of {metric}{sure}"


def _sentence(smallest: Entry, base: Entry, board: Board, max_drop: float, metric: str) -> str:
    name = label_of(smallest, board)
    if len(board.families) == 1 and not smallest.row.foreign:
        name = f"{smallest.row.name} {name}"
    if len([entry for entry in board.own if entry.primary]) == 1:
        return f"{name}: {_figure(smallest, metric)} in {words.bytes_(smallest.row.size)}."
    if smallest is base or smallest.reference is None:
        return (
            f"{name} is the smallest within {budget(max_drop)} of the best {metric}: "
            f"{words.bytes_(smallest.row.size)}, {_figure(smallest, metric)}."
        )
    return f"{name} takes {_against(smallest)}{_at_what_price(smallest, metric)}."


def _smallest_card(entry: Entry, base: Entry, board: Board, max_drop: float, metric: str) -> Card:
    notes = [_figure(entry, metric)]
    if entry.reference is not None:
        notes.append(_against(entry))
    if entry is not base:
        notes.append(f"the bar: {label_of(base, board)}, {metric} {_value(base)}, less {budget(max_drop)}")
    question = f"Smallest within {budget(max_drop)}"
    return Card(question, entry.row.path, label_of(entry, board), words.bytes_(entry.row.size), tuple(notes))


def _fastest_card(timed: Sequence[Entry], within: Sequence[Entry], board: Board, metric: str) -> Card:
    fastest = min(timed, key=_p50)
    notes = [_figure(fastest, metric)]
    if fastest.row.timing and fastest.reference and fastest.reference.timing:
        ratio = words.ratio(fastest.row.timing.ratio(fastest.reference.timing))
        notes.append(f"{ratio} the time of its {fastest.reference.recipe}")
    allowed = [entry for entry in within if entry.row.timing]
    if allowed and fastest not in allowed:
        other = min(allowed, key=_p50)
        notes.append(f"within the budget: {label_of(other, board)}, {words.milliseconds(_p50(other))}")
    return Card("Fastest", fastest.row.path, label_of(fastest, board), words.milliseconds(_p50(fastest)), tuple(notes))


def _best_card(best: Entry, scored: Sequence[Entry], board: Board, metric: str) -> Card:
    score = best.primary
    low = score.low if score else 0.0
    inside = sum(entry is not best and _gain(entry) >= low for entry in scored)
    notes = [f"95% interval {words.interval_of(score)}, {score.n} items" if score else ""]
    if inside:
        notes.append(f"{inside} other{'s' if inside > 1 else ''} inside that interval")
    notes.append(words.bytes_(best.row.size))
    return Card("Most accurate", best.row.path, label_of(best, board), f"{metric} {_value(best)}", tuple(notes))


def _models(scored: Sequence[Entry], board: Board, max_drop: float, metric: str) -> tuple[str, ...]:
    """One line a model: its smallest artifact within the budget of its own float32."""
    lines = []
    for family in board.families:
        members = [entry for entry in scored if entry.row.family == family]
        allowed = [e for e in members if e.drop is None or e.drop.value * 100 >= -max_drop - EPSILON]
        if not allowed:
            continue
        pick = min(allowed, key=lambda entry: entry.row.size)
        price = f" ({words.points(pick.drop.value)} points)" if pick.drop else ""
        lines.append(f"{label_of(pick, board)}: {words.bytes_(pick.row.size)}, {metric} {_value(pick)}{price}")
    return tuple(lines)


def _peer(peer: Entry, ours: Entry, board: Board, metric: str) -> str:
    """One of ours beside a peer, measured on the same items and timed in the same run.

    Our whole file against the peer's model part: what rides along in its artifact is our doing, not its cost.
    """
    size = peer.row.model_size or peer.row.size
    line = f"{family_label(peer, board)}: {metric} {_value(peer)}, {words.bytes_(size)}"
    parts = [f"{words.share(ours.row.size / size)} of its bytes"]
    if ours.row.timing and peer.row.timing:
        parts.append(f"{words.ratio(ours.row.timing.ratio(peer.row.timing))} its time")
    if ours.primary and peer.primary and ours.primary.unit == "fraction":
        parts.append(f"{words.points(ours.primary.value - peer.primary.value)} points")
    return f"{line}. {label_of(ours, board)}: {', '.join(parts)}"


def _p50(entry: Entry) -> float:
    return entry.row.timing.p50_ms if entry.row.timing else float("inf")


def _value(entry: Entry) -> str:
    score: Score | None = entry.primary
    if score is None:
        return words.NONE
    return words.value_of(score) + ("%" if score.unit == "fraction" else f" {score.unit}")
