"""The figures of a difference as rows of text: name, old, new, change. For the page and for the terminal."""

from handlens_export.diff.compare import Difference, Side
from handlens_export.report import words

Row = tuple[str, str, str, str]


def rows(found: Difference) -> tuple[Row, ...]:
    """Metric, bytes, bytes after gzip, time."""
    old, new = found.old, found.new
    return (
        (found.metric, _value(old), _value(new), f"{100 * found.change.value:+.2f} points"),
        ("bytes", words.bytes_(old.size), words.bytes_(new.size), _ratio(old.size, new.size)),
        (
            "bytes, gzip -9",
            words.bytes_(old.gzip_size),
            words.bytes_(new.gzip_size),
            _ratio(old.gzip_size, new.gzip_size),
        ),
        ("p50, model alone", _ms(old.p50_ms), _ms(new.p50_ms), _ratio(old.p50_ms, new.p50_ms)),
    )


def text(found: Difference) -> str:
    """The verdict, the rows, and how many answers flipped, for a terminal."""
    table = (("", found.old.name, found.new.name, "change"), *rows(found))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    lines = [found.sentence(), f"{found.dataset}/{found.split}: {found.protocol}", ""]
    lines += [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    if found.items:
        lost = sum(flip.change < 0 for flip in found.flips)
        won = len(found.flips) - lost
        lines += ["", f"{lost:,} of {found.items:,} answers became wrong, {won:,} became right"]
    return "\n".join(lines)


def _value(side: Side) -> str:
    return f"{side.value.value:.4f} [{side.value.low:.4f}, {side.value.high:.4f}]"


def _ms(value: float | None) -> str:
    return "not timed" if value is None else f"{words.milliseconds(value)}"


def _ratio(old: float | None, new: float | None) -> str:
    return "" if not old or new is None else words.ratio(new / old)
