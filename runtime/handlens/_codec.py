"""Strict conversion between frozen dataclasses and JSON: exact types, no unknown keys, no duplicates, no NaN.

One walker serves both doors: `normalise` runs when a dataclass is built in Python, `build` when it comes from JSON.
"""

import dataclasses
import json
import math
import numbers
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from handlens.errors import ManifestInvalid

T = TypeVar("T")

# Integers beyond 2^53 do not survive a JSON reader that uses doubles (Kotlin's, JavaScript's).
MAX_INTEGER = 2**53
MAX_TEXT = 65_536
MAX_ITEMS = 4_096
MAX_DEPTH = 16


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def normalise(instance: Any) -> None:
    """Checks every field of a frozen dataclass against its annotation, and stores it in canonical form.

    Lists become tuples where a tuple is declared, NumPy scalars become Python's, integers become floats where a float
    is declared. To be called first in `__post_init__`.

    Raises:
        ManifestInvalid: a field has the wrong type; named as `Class.field`.
    """
    cls = type(instance)
    for field in dataclasses.fields(instance):
        value = coerce(_hints(cls)[field.name], getattr(instance, field.name), f"{cls.__name__}.{field.name}")
        object.__setattr__(instance, field.name, value)


def build(cls: type[T], data: object, where: str) -> T:
    """Builds a dataclass from a parsed JSON object.

    Raises:
        ManifestInvalid: no object, an unknown or missing key, or a wrong value; the message names the place.
    """
    if not isinstance(data, Mapping):
        raise ManifestInvalid(f"{where} is {_show(data)}; expected an object")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, cls))}
    unknown = sorted(str(key) for key in data if key not in fields)
    if unknown:
        raise ManifestInvalid(f"{where} has unknown key {_show(unknown[0])}; valid keys: {', '.join(fields)}")
    missing = [
        name
        for name, field in fields.items()
        if name not in data and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ManifestInvalid(f"{where} lacks {', '.join(missing)}")
    hints = _hints(cls)
    return cls(**{name: coerce(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def coerce(hint: Any, value: Any, where: str) -> Any:
    """Returns `value` as the annotation `hint` wants it.

    Raises:
        ManifestInvalid: it cannot be; the message names the place, the value and what would be valid.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is object:
        return _plain(value, where, 0)
    if origin is types.UnionType or origin is typing.Union:
        if value is None:
            return None
        (only,) = (argument for argument in arguments if argument is not types.NoneType)
        return coerce(only, value, where)
    if origin is typing.Literal:
        if value not in arguments or isinstance(value, bool):
            raise ManifestInvalid(f"{where} is {_show(value)}; valid: {', '.join(map(str, arguments))}")
        return arguments[arguments.index(value)]
    if origin is tuple:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise ManifestInvalid(f"{where} is {_show(value)}; expected a list")
        _bounded(value, where)
        return tuple(coerce(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ManifestInvalid(f"{where} is {_show(value)}; expected an object")
        _bounded(value, where)
        return {_text(key, where): coerce(arguments[1], item, f"{where}.{_show(key)}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, typing.cast(type, hint)) else build(typing.cast(type, hint), value, where)
    return _scalar(hint, value, where)


def to_plain(value: Any) -> Any:
    """Returns a dataclass (and all in it) as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def parse_json(text: str, what: str) -> Any:
    """Parses strict JSON: no duplicate keys, no NaN or infinity, bounded nesting.

    Raises:
        ManifestInvalid: the text is not such JSON; `what` names it in the message.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            raise ManifestInvalid(f"{what} repeats a key among {', '.join(sorted({key for key, _ in items}))[:200]}")
        return result

    def constant(name: str) -> Any:
        raise ManifestInvalid(f"{what} holds {name}, which is no JSON number")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"{what} is not JSON: {str(error)[:200]}") from None


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is str:
        return _text(value, where)
    if hint is int:
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or abs(int(value)) > MAX_INTEGER:
            raise ManifestInvalid(f"{where} is {_show(value)}; expected a whole number")
        return int(value)
    if hint is float:
        if not isinstance(value, numbers.Real) or isinstance(value, bool) or not _finite(value):
            raise ManifestInvalid(f"{where} is {_show(value)}; expected a finite number")
        return float(value)
    if hint is bool:
        if not isinstance(value, bool):
            raise ManifestInvalid(f"{where} is {_show(value)}; expected true or false")
        return value
    raise TypeError(f"{where}: no rule for the annotation {hint!r}")


def _finite(value: numbers.Real) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ManifestInvalid(f"{where} is {_show(value)}; expected text of at most {MAX_TEXT} characters")
    # No control characters (a terminal would obey them) and no lone surrogates (they cannot be printed).
    if any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in value):
        raise ManifestInvalid(f"{where} is {_show(value)}; text must not hold control characters")
    return value


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ManifestInvalid(f"{where} nests deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, Mapping):
        _bounded(value, where)
        return {_text(key, where): _plain(item, f"{where}.{_show(key)}", depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        _bounded(value, where)
        return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _scalar(int if isinstance(value, numbers.Integral) else float, value, where)


def _bounded(value: Any, where: str) -> None:
    if len(value) > MAX_ITEMS:
        raise ManifestInvalid(f"{where} has {len(value)} items; at most {MAX_ITEMS}")


def _show(value: object) -> str:
    return ascii(value)[:80]
