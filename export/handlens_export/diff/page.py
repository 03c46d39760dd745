"""The difference as one HTML page that opens offline: the verdict, a table, and the images whose answers flipped."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.image import load_image, resize
from handlens_export.diff.compare import Difference, Flip
from handlens_export.diff.rows import rows
from handlens_export.report import document
from handlens_export.report.markup import Markup, el
from handlens_export.report.page import task_label

# A page with thousands of pictures does not open; the JSON has every flip.
SHOWN = 60
_SIDE = 160
_CSS = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em}
h1{font-size:1.35em;line-height:1.35;max-width:46em}h2{font-size:1.1em;margin:2em 0 .5em}p{max-width:75ch}
.facts{opacity:.75}.worse h1{border-left:.35em solid #c0392b;padding-left:.6em}
.scroll{overflow-x:auto}table{border-collapse:collapse}
th,td{padding:.35em .9em;border-bottom:1px solid #8884;text-align:right;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}
.flips{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:1em;padding:0}
.flips li{list-style:none;border:1px solid #8884;border-radius:6px;padding:.6em;font-size:.85em;overflow-wrap:anywhere}
.flips img{max-width:100%;max-height:160px;margin-right:4px}.flips img+img{max-width:48%}
.flips b{display:block}
"""


def page(found: Difference, created: str) -> str:
    """The whole document, well-formed as XML too, pictures within; `created` says when and by what."""
    lost = [flip for flip in found.flips if flip.change < 0]
    won = [flip for flip in found.flips if flip.change > 0]
    facts = f"{task_label(found.task)}, {found.dataset}/{found.split}: {found.protocol}. {found.new.engine}."
    body = el(
        "main",
        el("h1", found.sentence()),
        el("p", facts, class_="facts"),
        el("div", _table(found), class_="scroll"),
        _flips("Became wrong", lost, found),
        _flips("Became right", won, found),
        el("footer", el("p", created, class_="facts")),
        class_="worse" if found.worse else None,
    )
    head = document.head(f"{found.old.name} to {found.new.name}: handlens diff", document.cdata(_CSS))
    return "<!DOCTYPE html>\n" + el("html", head, el("body", body), lang="en") + "\n"


def _table(found: Difference) -> Markup:
    head = el("tr", (el("th", text) for text in ("", found.old.name, found.new.name, "change")))
    return el("table", head, (el("tr", (el("td", cell) for cell in row)) for row in rows(found)))


def _flips(title: str, flips: Sequence[Flip], found: Difference) -> Markup:
    if not found.items:
        said = "This task names no items, so no flips can be shown."
        return el("section", el("h2", title), el("p", said)) if title == "Became wrong" else Markup("")
    more = f"; the first {SHOWN} are shown" if len(flips) > SHOWN else ""
    count = el("p", f"{len(flips):,} of {found.items:,} items{more}.")
    return el("section", el("h2", title), count, el("ul", map(_flip, flips[:SHOWN]), class_="flips"))


def _flip(flip: Flip) -> Markup:
    shown = (el("img", src=_picture(picture), alt=flip.name) for picture in flip.pictures)
    return el("li", shown, el("b", flip.name), el("div", f"old: {flip.old}"), el("div", f"new: {flip.new}"))


def _picture(picture: Path | NDArray[np.uint8]) -> str:
    """A thumbnail as a data address; its long side has `_SIDE` pixels at most."""
    pixels = load_image(picture)
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small = resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    done, jpeg = cv2.imencode(".jpg", small[:, :, ::-1] if small.shape[2] == 3 else small)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode() if done else ""
