"""Trained handlens artifacts, by name.

    >>> import handlens_zoo
    >>> handlens_zoo.names()          # doctest: +SKIP
    ('face-detector', 'face-detector-nano', 'face-verifier', ...)
    >>> handlens_zoo.path("reid-small")   # doctest: +SKIP
    PosixPath('.../handlens_zoo/artifacts/reid-small.tflite')

An artifact carries its own manifest, so a path is all that a task class or the ``handlens`` command needs. The weights
are for research only; each model's card (:func:`card`) names the data that they were trained on and its terms.

This package has no dependencies: it holds files and knows where they lie.
"""

from pathlib import Path

__version__ = "0.1.0"
__all__ = ["ZooError", "card", "names", "path", "ranges"]

_HOME = Path(__file__).parent
_SUFFIXES = (".tflite", ".onnx")


class ZooError(LookupError):
    """A name that the zoo does not hold, or a form that the artifact does not come in."""


def names() -> tuple[str, ...]:
    """The names of every artifact that ships, sorted. Each is one model, in one or more formats."""
    return tuple(sorted({file.stem for file in _files()}))


def path(name: str, kind: str | None = None) -> Path:
    """Where the artifact ``name`` lies.

    Args:
        name: one of :func:`names`.
        kind: ``"tflite"`` or ``"onnx"``; None prefers ``.tflite``.

    Raises:
        ZooError: no artifact has that name, or it does not come in that format.
    """
    found = {file.suffix.lstrip("."): file for file in _files() if file.stem == name}
    if not found:
        raise ZooError(f"no artifact is called {name!r} · there are {', '.join(names()) or 'none'}")
    if kind is None:
        return found.get("tflite") or next(iter(found.values()))
    if kind not in found:
        raise ZooError(f"{name!r} does not come as {kind!r} · it comes as {', '.join(sorted(found))}")
    return found[kind]


def card(name: str) -> Path:
    """Where the model card of ``name`` lies: Markdown, with data, terms, figures and limits.

    Raises:
        ZooError: no artifact has that name.
    """
    path(name)
    return _HOME / "cards" / f"{name}.md"


def ranges(name: str) -> Path:
    """Where the table of ranges of ``name`` lies: JSON, what int8 was calibrated to, without the images.

    ``handlens export RUN --recipe int8 --ranges TABLE`` makes the artifact of that run again from it, and
    ``handlens calib compare`` shows how far another calibration is from it.

    Raises:
        ZooError: no artifact has that name, or it needed no calibration.
    """
    path(name)
    table = _HOME / "ranges" / f"{name}.ranges.json"
    if not table.is_file():
        raise ZooError(f"{name!r} ships without a table of ranges: it was not calibrated")
    return table


def _files() -> list[Path]:
    return sorted(file for file in (_HOME / "artifacts").glob("*") if file.suffix in _SUFFIXES)
