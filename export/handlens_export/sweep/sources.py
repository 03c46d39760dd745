"""What a trial compresses: a run folder of `handlens train`, opened the same way on every machine."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from handlens.errors import RunError
from handlens_train.exportable import Exportable
from handlens_train.run import Run


def contents(source: Path, others: Mapping[str, str]) -> str:
    """A hash of what decides a trial's artifact and may change under its name: weights, picked images.

    Raises:
        RunError: the source is no whole run.
    """
    run = Run.open(source)
    digest = hashlib.sha256()
    for path in (run.weights, *(Path(other) for _, other in sorted(others.items()))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def task_of(source: Path) -> str:
    """The task of a run.

    Raises:
        RunError: it is no whole run.
    """
    return Run.open(source).task


def keep(source: Path) -> Path:
    """Where finished fine-tunings of a source are kept."""
    return source / "export"


def load(source: Path, data: str | None, options: Mapping[str, str]) -> Exportable:
    """Opens a source for export; Keras has to be loaded before.

    Raises:
        RunError: it is no whole run, or does not fit its task.
        OptionError: an option that its task does not take.
        DataError: the data are not there.
    """
    from handlens_data import where
    from handlens_export import figures
    from handlens_train import tasks

    if not source.is_dir():
        raise RunError(f"{source} is not there; it was when the sweep began")
    run = Run.open(source)
    task = tasks.get(run.task)
    taken = figures.options_for(
        run.task, getattr(task, "OPTIONS", ()), {name: Path(value) for name, value in options.items()}
    )
    root = where.find(None if data is None else Path(data)) if task.READS_DATA else None
    found: Exportable = task.load(run, root, **taken)
    return found
