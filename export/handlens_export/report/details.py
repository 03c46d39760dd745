"""What rides along beside the metrics: `evaluation.json`, the older `cmc.json`; what does not read well is left out."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from handlens.artifact import Artifact
from handlens.errors import InputError
from handlens_train.evaluation import Breakdown, Matrix, Points, Row

DETAIL = "evaluation.json"
OLD_CURVES = "cmc.json"
MOST = 1000  # points of a curve, rows of a table: more is no measurement of ours
WIDEST = 64  # classes of a matrix


@dataclass(frozen=True, slots=True)
class Detail:
    """Of one evaluation; see `Measured` for what each part is."""

    curve: tuple[float, ...] = ()
    primary: str = ""
    protocol: str = ""
    beside: str = ""
    curves: Mapping[str, Points] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    breakdowns: tuple[Breakdown, ...] = ()
    matrices: tuple[Matrix, ...] = ()


def details_of(artifact: Artifact) -> dict[str, Detail]:
    """By "dataset/split"; one under "" is an older file's only curve."""
    old = _read(artifact, OLD_CURVES)
    named = old if isinstance(old, dict) else {"": old}
    found = {key: Detail(curve=curve) for key, value in named.items() if (curve := _shares(value))}
    new = _read(artifact, DETAIL)
    if isinstance(new, dict):
        found |= {key: _detail(value) for key, value in new.items() if isinstance(value, dict)}
    return found


def _read(artifact: Artifact, name: str) -> object:
    try:
        found: object = json.loads(artifact.extras[name])
    except (KeyError, ValueError, RecursionError):
        return None
    return found


def _detail(content: dict[str, object]) -> Detail:
    curves, counts, tables, matrices = (content.get(key) for key in ("curves", "counts", "breakdowns", "matrices"))
    read = {name: _points(value) for name, value in curves.items()} if isinstance(curves, dict) else {}
    return Detail(
        curve=_shares(content.get("curve")),
        primary=_text(content.get("primary")),
        protocol=_text(content.get("protocol")),
        beside=_text(content.get("beside")),
        curves={name: points for name, points in read.items() if points},
        counts={k: v for k, v in counts.items() if type(v) is int and v >= 0} if isinstance(counts, dict) else {},
        breakdowns=tuple(t for table in _list(tables) if (t := _breakdown(table)) is not None),
        matrices=tuple(m for matrix in _list(matrices) if (m := _matrix(matrix)) is not None),
    )


def _breakdown(content: object) -> Breakdown | None:
    if not isinstance(content, dict):
        return None
    rows = []
    for row in _list(content.get("rows")):
        cells = _list(row)
        if len(cells) != 5 or not isinstance(cells[0], str) or type(cells[1]) is not int:
            return None
        value, low, high = (_number(cell) for cell in cells[2:])
        rows.append(Row(cells[0], cells[1], value, low, high))
    return Breakdown(_text(content.get("name")), tuple(rows), _text(content.get("metric"))) if rows else None


def _matrix(content: object) -> Matrix | None:
    if not isinstance(content, dict):
        return None
    labels = tuple(label for label in _list(content.get("labels")) if isinstance(label, str))
    rows = [_list(row) for row in _list(content.get("counts"))]
    counts = tuple(tuple(cell for cell in row if type(cell) is int and cell >= 0) for row in rows)
    try:
        return Matrix(_text(content.get("name")), labels, counts) if labels and len(labels) <= WIDEST else None
    except InputError:
        return None


def _points(value: object) -> Points:
    points = []
    for pair in _list(value):
        x, y = (_number(cell) for cell in cells) if len(cells := _list(pair)) == 2 else (None, None)
        if x is None or y is None:
            return ()
        points.append((x, y))
    return tuple(points)


def _shares(value: object) -> tuple[float, ...]:
    numbers = [_number(item) for item in _list(value)]
    return tuple(min(max(n, 0.0), 1.0) for n in numbers if n is not None) if None not in numbers else ()


def _list(value: object) -> list[object]:
    return value[:MOST] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
