"""HTML and SVG from one small element builder that escapes everything, so that a hostile name stays text.

The output is well-formed XML as well as HTML 5, which lets a strict parser check it.
"""

import unicodedata
from collections.abc import Iterable

VOID = frozenset({"br", "col", "hr", "input", "link", "meta"})
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_TABLE = str.maketrans(ENTITIES)
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Markup(str):
    """Text that is markup already; everything else is escaped when it becomes a child or an attribute."""

    __slots__ = ()


def escape(text: str) -> str:
    r"""Escapes text for element content and quoted attributes.

    Control, format (such as a right-to-left override) and surrogate characters, which can hide or reorder what a reader
    sees, are written out as their code: `\u202e`. Line ends and tabs become spaces.
    """
    if text.isascii() and text.isprintable():  # nearly all of it, and thousands of rows are many characters
        return text.translate(_TABLE)
    out = []
    for character in text:
        if character in "\t\n\r":
            out.append(" ")
        elif unicodedata.category(character) in HIDDEN:
            out.append(f"\\u{ord(character):04x}")
        else:
            out.append(ENTITIES.get(character, character))
    return "".join(out)


def el(tag: str, /, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        tag: its name.
        children: markup, text, numbers, or iterables of these; None is left out.
        attributes: a trailing underscore is dropped (`class_`), other underscores become hyphens (`data_row`); None and
            False leave the attribute out, True writes its bare form.
    """
    parts = [f"<{tag}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        parts.append(f' {name}="{escape(name if value is True else number(value))}"')
    if tag in VOID:
        return Markup("".join([*parts, " />"]))
    return Markup("".join([*parts, ">", join(children), f"</{tag}>"]))


def join(children: Iterable[object]) -> Markup:
    """Children in a row, escaped where they are not markup."""
    out: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            out.append(child)
        elif isinstance(child, str):
            out.append(escape(child))
        elif isinstance(child, Iterable):
            out.append(join(child))
        else:
            out.append(escape(number(child)))
    return Markup("".join(out))


def number(value: object) -> str:
    """Text of an attribute's value; floats get two decimals at most, which is a hundredth of a pixel."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if value == value else "0"
    return str(value)
