"""Writes docs/anchors.md from export/handlens_export/pareto/anchors.json; `--check` only compares the two."""

import sys
from collections.abc import Iterable
from pathlib import Path

from handlens_export.pareto.anchors import Anchor, anchors, float_of
from handlens_export.report import words
from handlens_export.report.rows import metric_label

PAGE = Path(__file__).parents[1] / "docs" / "anchors.md"
HEAD = """# Anchors: what others have published

Marks on the page of [`handlens pareto`](pareto.md), so that a reader sees where the field stands. **Nothing here was
measured by handlens.** The data, protocols, input sizes and devices are those of the sources; only two figures of one
source and one data set can be compared with each other, and none decides which of our artifacts is better.

*Looked up* is the day on which the figure was found in a stored copy of its source, which may be older than the source
of today. A figure without a day is from memory: verify it before you quote it. A size marked ~ is four bytes for each
parameter.

This page is made from `export/handlens_export/pareto/anchors.json` by `python scripts/write_anchors.py`.
"""
TITLES = {
    "face-detector": "Face detection",
    "face-verifier": "Face verification",
    "reid": "Re-identification of persons",
    "attributes": "Attributes of persons",
    "gender": "Gender of a face",
    "": "What compression costs elsewhere",
}


def main(arguments: list[str]) -> int:
    """Writes the page, or checks it. Returns the exit status."""
    text = page()
    if arguments == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.name} is not what its data says: run python scripts/write_anchors.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """The whole document."""
    parts = [HEAD]
    for task, title in TITLES.items():
        listed = [anchor for anchor in anchors() if anchor.task == task]
        parts.append(f"## {title}\n\n{_table(listed, lost=not task)}\n")
    sources = {anchor.source.url: anchor.source for anchor in anchors()}
    parts.append("## Sources\n\n" + "\n".join(_source(source) for source in sources.values()) + "\n")
    return "\n".join(parts)


def _table(listed: Iterable[Anchor], *, lost: bool) -> str:
    title = "points lost" if lost else "size"
    heads = ("model", "data and protocol", "metric", "value", title, "looked up", "more")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for anchor in listed:
        cells = (
            f"[{anchor.name}]({anchor.source.url})",
            anchor.dataset,
            metric_label(anchor.metric),
            words.trim(f"{anchor.value * 100:.2f}") if anchor.value is not None else words.NONE,
            _lost(anchor) if lost else _size(anchor),
            anchor.checked or "from memory",
            "; ".join(part for part in (_time(anchor), anchor.note) if part),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _lost(anchor: Anchor) -> str:
    parent = float_of(anchor)
    if parent is None or parent.value is None or anchor.value is None:
        return ""
    return words.trim(f"{(parent.value - anchor.value) * 100:.2f}")


def _size(anchor: Anchor) -> str:
    size = anchor.size
    return (f"~{words.SPACE}" if size[1] else "") + words.bytes_(size[0]) if size else words.NONE


def _time(anchor: Anchor) -> str:
    return f"{words.milliseconds(anchor.ms)}, {anchor.device}" if anchor.ms is not None else ""


def _source(source: object) -> str:
    title, url, revision = (getattr(source, name) for name in ("title", "url", "revision"))
    return f"- {title}{f' (revision {revision})' if revision else ''}: <{url}>"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
