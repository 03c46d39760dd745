"""Finds the sensitivity pages of a folder, for the report to link to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCHEMA = "handlens-sensitivity-1"


@dataclass(frozen=True, slots=True)
class Page:
    """A page in a folder.

    Attributes:
        path: of the `.html`.
        label: of which model, after which recipe, in which format.
    """

    path: Path
    label: str


def pages(folder: Path) -> Iterator[Page]:
    """The sensitivity pages below a folder, by path: `.html` files whose `.json` says that they are one."""
    for path in sorted(folder.rglob("*.html")):
        try:
            known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if known["schema"] == SCHEMA:
                yield Page(path, f"{known['name']}, {known['recipe']}, {known['kind']}")
        except (OSError, ValueError, KeyError, TypeError):
            continue
