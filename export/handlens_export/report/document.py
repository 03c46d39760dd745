"""What every page of ours begins with: a head that lets nothing in from outside, and styles and scripts within."""

from importlib.resources import files

from handlens_export.report.markup import Markup, el

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def head(title: str, *styles: Markup) -> Markup:
    """The head of a page that fetches nothing."""
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("title", title),
        el("style", *styles),
    )


def inline(package: str, name: str) -> Markup:
    """A file of a package of handlens_export, such as ("report", "style.css"), to stand within a page."""
    return cdata((files("handlens_export") / package / name).read_text(encoding="utf-8"))


def cdata(text: str) -> Markup:
    """Style or script that is well-formed as XML, too."""
    return Markup(f"/*<![CDATA[*/\n{text}/*]]>*/")
