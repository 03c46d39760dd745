"""The page that ties a run's pictures and tables together; it opens offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from handlens.files import write_text

_CSS = """
body{font:15px/1.5 system-ui,sans-serif;color:#20242a;max-width:1100px;margin:2em auto;padding:0 1em}
h1{font-size:1.6em;margin-bottom:.2em}h2{font-size:1.15em;margin:2em 0 .3em}p{margin:.3em 0 .7em;max-width:75ch}
img{max-width:100%;border:1px solid #e3e6ea;border-radius:4px}table{border-collapse:collapse;font-size:.9em}
th,td{padding:.3em .7em;border-bottom:1px solid #e3e6ea;text-align:left;font-variant-numeric:tabular-nums}
th{font-weight:600}.facts{color:#5b626c}nav a{margin-right:1em}
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with a caption, then a picture and a table (header and rows of text), each optional.

    files: further files, offered as links.
    """

    title: str
    caption: str
    picture: Path | None = None
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    files: Sequence[Path] = ()


def write_page(output: Path, title: str, facts: Sequence[str], sections: Sequence[Section]) -> None:
    """Writes index.html; pictures and files are linked relative to it, all text escaped."""
    links = "".join(f'<a href="#s{i}">{escape(section.title)}</a>' for i, section in enumerate(sections))
    body = "".join(_section(section, i, output.parent) for i, section in enumerate(sections))
    notes = "".join(f'<p class="facts">{escape(fact)}</p>' for fact in facts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    html = f'<!doctype html><html lang="en"><head>{head}<style>{_CSS}</style></head><body><h1>{escape(title)}</h1>'
    write_text(output, f"{html}{notes}<nav>{links}</nav>{body}</body></html>\n")


def _section(section: Section, index: int, base: Path) -> str:
    parts = [f'<h2 id="s{index}">{escape(section.title)}</h2><p>{escape(section.caption)}</p>']
    if section.picture is not None:
        source = escape(section.picture.relative_to(base).as_posix(), quote=True)
        parts.append(f'<img src="{source}" alt="{escape(section.title, quote=True)}" loading="lazy">')
    if section.rows:
        header = "".join(f"<th>{escape(cell)}</th>" for cell in section.header)
        lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
        parts.append(f"<table><tr>{header}</tr>{lines}</table>")
    for file in section.files:
        name = file.relative_to(base).as_posix()
        parts.append(f'<p><a href="{escape(name, quote=True)}">{escape(name)}</a></p>')
    return "".join(parts)
