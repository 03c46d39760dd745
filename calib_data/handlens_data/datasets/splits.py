"""Choosing a split by the name that a user typed."""

from collections.abc import Iterable, Mapping, Sized
from pathlib import Path
from typing import TypeVar

from handlens.errors import DataError, OptionError

Split = TypeVar("Split", bound=Sized)


def require_split(dataset: str, split: str, valid: Iterable[str]) -> None:
    """Refuses a split that a data set does not have.

    Args:
        dataset: its name, for the message.
        split: asked for.
        valid: the names there are.

    Raises:
        OptionError: there is no such split.
    """
    names = list(valid)
    if split not in names:
        raise OptionError(f"{dataset} has no split {split!r}; valid: {', '.join(names)}.")


def filled_split(dataset: str, split: str, splits: Mapping[str, Split], root: Path, how_dealt: str) -> Split:
    """A split that is there and not empty.

    Args:
        dataset: its name, for the message.
        split: asked for.
        splits: by name.
        root: of the data set, for the message.
        how_dealt: which part each split gets, for the message; no full stop at its end.

    Raises:
        OptionError: there is no such split.
        DataError: it is empty: the folder has too little for it.
    """
    require_split(dataset, split, splits)
    if not len(splits[split]):
        raise DataError(f"{root} has too little for a {split} split: {how_dealt}. Bring more of the set.")
    return splits[split]
