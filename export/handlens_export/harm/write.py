"""Writes a sensitivity page with its data beside it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import handlens
from handlens.files import write_text
from handlens_export.harm.evidence import Sensitivity
from handlens_export.harm.page import page


def write(found: Sensitivity, out: Path) -> Path:
    """Writes the page to `out`, and what it shows to the `.json` beside it, whose path it returns."""
    made = f"Written by handlens {handlens.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. It fetches nothing."
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".json")
    write_text(beside, json.dumps(found.to_dict(), indent=1))
    write_text(out, page(found, made))
    return beside
