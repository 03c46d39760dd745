"""The columns of a sortable table: what a cell shows and sorts by, and how heading and cell are drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handlens_export.report.markup import Markup, el


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows, a second, smaller line below it, what it sorts by (None: last), and an extra CSS class."""

    main: object
    below: object = ""
    sort: float | str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: heading, its unit, an explanation, how to fill a cell from a row, whether it holds numbers."""

    title: str
    unit: str
    hint: str
    cell: Callable[[Any], Cell]
    numeric: bool = True


def heading(column: Column) -> Markup:
    """The heading of a column, a button that sorts."""
    return titled(column.title, column.unit, column.hint, column.numeric)


def titled(title: str, unit: str, hint: str, numeric: bool) -> Markup:
    """A heading that sorts, of a column whose cells are drawn elsewhere."""
    below = el("span", unit, class_="unit") if unit else None
    button = el("button", el("span", title), below, type="button", title=hint)
    return el("th", button, scope="col", aria_sort="none", class_="num" if numeric else None)


def cell(column: Column, row: Any) -> Markup:
    """A row's cell of a column."""
    found = column.cell(row)
    below = el("small", found.below) if found.below else None
    kind = " ".join(k for k in ("num" if column.numeric else "", found.kind) if k)
    sort = "" if found.sort is None else repr(found.sort) if isinstance(found.sort, float) else found.sort
    return el("td", found.main, below, class_=kind or None, data_sort=sort)
