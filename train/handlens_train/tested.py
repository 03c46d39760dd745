"""The tested images of every task: what no calibration image may be among, whichever task it is drawn for."""

from pathlib import Path

from handlens.errors import HandlensError
from handlens_train import tasks


def tested_elsewhere(data: Path, task: str) -> tuple[Path, ...]:
    """Files of the validation and test splits of all other tasks whose data lies in a folder, each once.

    Args:
        data: folder that holds the data sets.
        task: the one that images are drawn for.
    """
    found: dict[Path, None] = {}
    for name in tasks.names():
        other = tasks.get(name)
        if name == task or not hasattr(other, "pool"):
            continue
        try:
            found |= dict.fromkeys(other.pool(data).tested)
        except HandlensError:  # its data is not here
            continue
    return tuple(found)
