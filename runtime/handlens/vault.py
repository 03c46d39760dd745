"""Templates at rest: one sealed file for each model, read and written whole.

The model's id is in the file's header, which is the associated data of its encryption: templates of another model
cannot be read by mistake, let alone compared. Names are inside, encrypted. A record cannot be moved from one name to
another, dropped or brought back without the key, because there is one tag over all of them.
"""

import base64
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlens.errors import AlreadyEnrolled, InputError, StoreTampered, UnknownName
from handlens.store import Store

LONGEST_NAME = 80
TAKEN = "choose another name, forget that one first, or say that it is to be replaced (--replace)"


@dataclass(frozen=True, slots=True)
class Record:
    """A person's templates.

    Attributes:
        name: as enrolled.
        templates: (N, D) float32, each of length 1.
        enrolled: when, ISO 8601 in UTC.
    """

    name: str
    templates: NDArray[np.float32]
    enrolled: str


def clean_name(name: str) -> str:
    """Brings a name to one spelling (Unicode NFC, spaces at the ends removed).

    Raises:
        InputError: it is empty, too long, or holds control characters.
    """
    cleaned = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    if not 0 < len(cleaned) <= LONGEST_NAME or not cleaned.isprintable():
        raise InputError(f"the name is {name!r:.100}; expected 1 to {LONGEST_NAME} printable characters")
    return cleaned


class Vault:
    """The templates that one model made, in a store. Every method wants the store's lock held by the caller."""

    def __init__(self, store: Store, model_id: str, dimension: int) -> None:
        """Takes the store, and the id and the template size of the model."""
        self._store = store
        self._model_id = model_id
        self._dimension = dimension

    def read(self) -> dict[str, Record]:
        """Decrypts all records, by name.

        Raises:
            StoreError: the file was changed, is open to others, or its key is gone.
        """
        plain = self._store.read_vault(self._model_id)
        return {} if plain is None else _parse(plain, self._dimension, str(self._store.folder))

    def put(self, record: Record, *, replace: bool = False) -> None:
        """Adds a person.

        Replacing deletes the old templates as `forget` does, with a new key.

        Raises:
            AlreadyEnrolled: the name is taken, and `replace` is off.
            StoreError: the file was changed, is open to others, or its key is gone.
        """
        records = self.read()
        known = record.name in records
        if known and not replace:
            raise AlreadyEnrolled(f"{record.name!r} is enrolled already", TAKEN)
        records[record.name] = record
        if known:
            self._store.start_rotation()
        self._store.write_vault(self._model_id, _dump(records))
        self._store.finish_rotation()


def forget(store: Store, name: str) -> int:
    """Deletes a person's templates of every model, and changes the master key. Wants the store's lock held.

    Returns:
        The number of models that had templates of them.

    Raises:
        UnknownName: no model has.
        StoreError: a file was changed, is open to others, or its key is gone.
    """
    left: dict[str, dict[str, Record]] = {}
    for model_id in store.vaults():
        records = _parse(store.read_vault(model_id) or b"[]", None, str(store.folder))
        if records.pop(name, None) is not None:
            left[model_id] = records
    if not left:
        raise UnknownName(f"nobody is enrolled under the name {name!r}", "check the spelling")
    store.start_rotation()
    for model_id, records in left.items():
        store.write_vault(model_id, _dump(records))
    store.finish_rotation()
    return len(left)


def _dump(records: Mapping[str, Record]) -> bytes:
    rows = [
        {
            "name": record.name,
            "enrolled": record.enrolled,
            "dimension": record.templates.shape[1],
            "templates": base64.b64encode(np.ascontiguousarray(record.templates, "<f4").tobytes()).decode(),
        }
        for record in records.values()
    ]
    return json.dumps(rows).encode()


def _parse(plain: bytes, dimension: int | None, where: str) -> dict[str, Record]:
    """Reads what `_dump` wrote; it was authenticated, so a mistake in it is ours or a newer handlens's."""
    try:
        records = {}
        for row in json.loads(plain):
            values = np.frombuffer(base64.b64decode(row["templates"]), "<f4").astype(np.float32)
            templates = values.reshape(-1, row["dimension"])
            if dimension is not None and templates.shape[1] != dimension:
                raise ValueError(f"templates of {templates.shape[1]} numbers, expected {dimension}")
            records[row["name"]] = Record(row["name"], templates, row["enrolled"])
        return records
    except (ValueError, TypeError, KeyError) as error:
        raise StoreTampered(
            f"{where}: its templates cannot be read ({error}); was it written by a newer handlens?"
        ) from (None)
