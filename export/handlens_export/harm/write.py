"""Writes a sensitivity page with its data beside it, and finds such pages again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import handlens
from handlens.files import write_text
from handlens_export.harm.evidence import SCHEMA, Sensitivity
from handlens_export.harm.page import page


@dataclass(frozen=True, slots=True)
class Found:
    """A page in a folder: of which model, and after which recipe."""

    path: Path
    name: str
    recipe: str
    kind: str


def write(found: Sensitivity, out: Path) -> Path:
    """Writes the page to `out`, and what it shows to the `.json` beside it, whose path it returns."""
    made = f"Written by handlens {handlens.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. It fetches nothing."
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".json")
    write_text(beside, json.dumps(found.to_dict(), indent=1))
    write_text(out, page(found, made))
    return beside


def pages(folder: Path) -> Iterator[Found]:
    """The sensitivity pages below a folder, by path: `.html` files whose `.json` says that they are one."""
    for path in sorted(folder.rglob("*.html")):
        try:
            known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if known["schema"] == SCHEMA:
                yield Found(path, str(known["name"]), str(known["recipe"]), str(known["kind"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
