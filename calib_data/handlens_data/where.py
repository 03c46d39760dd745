"""Where the real data is: what the caller says, else the environment variable HANDLENS_DATA."""

import os
from pathlib import Path

from handlens.errors import DataNotFound

VARIABLE = "HANDLENS_DATA"


def find(data: Path | None) -> Path:
    """The folder of the data.

    Raises:
        DataNotFound: neither given nor in the environment, or not a folder.
    """
    if data is None:
        value = os.environ.get(VARIABLE, "")
        if not value:
            raise DataNotFound(
                f"no data folder: give --data DIR, or set {VARIABLE} to the folder that holds the data sets."
            )
        data = Path(value)
    if not data.is_dir():
        raise DataNotFound(f"{data} is not a folder. Give --data DIR, or set {VARIABLE} to a folder that is there.")
    return data
