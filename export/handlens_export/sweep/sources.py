"""What a trial compresses: a run of `handlens train`, or a model that was brought; opened alike on every machine."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlens.errors import OptionError, RunError
from handlens_export import bring, figures
from handlens_train.exportable import Exportable
from handlens_train.run import Run

_FOR_MODELS = ("manifest", "images", "evaluation")  # options that open a model; a task has others


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is known of a source before it is opened.

    Attributes:
        task: of a run; "a model" of a model that was brought.
        primary: the metric that its artifacts are compared by.
        options: what opens it, by name; paths are absolute.
        data: absolute data folder; None where none is read.
    """

    task: str
    primary: str
    options: dict[str, str]
    data: str | None


def look(source: Path, given: Mapping[str, Path | str | None], data: Path | None) -> Kind:
    """Checks a source and its options, without Keras.

    Raises:
        RunError: it is neither a whole run nor a model.
        OptionError: an option is of the other kind of source, or not of this task.
        DataNotFound: a task's data are not there.
    """
    from handlens_data import where
    from handlens_train import tasks

    if bring.is_model(source):
        return _look_at_model(source, given, data)
    run = Run.open(source)
    task = tasks.get(run.task)
    taken = figures.options_for(run.task, getattr(task, "OPTIONS", ()), given)
    return Kind(
        task=run.task,
        primary=task.PRIMARY,
        options={name: str(Path(value).absolute()) for name, value in taken.items()},
        data=str(where.find(data).absolute()) if task.READS_DATA else None,
    )


def _look_at_model(source: Path, given: Mapping[str, Path | str | None], data: Path | None) -> Kind:
    wrong = [name for name, value in given.items() if value is not None and name not in _FOR_MODELS]
    if wrong:
        raise OptionError(f"--{wrong[0]} is for a run folder, which {source} is not. Leave it out")
    options = {name: str(value) for name, value in given.items() if value is not None}
    primary = "agreement"
    if "evaluation" in options:
        from handlens_export.bring.evaluation import judge

        primary = judge(options["evaluation"], data).primary
    for name, value in options.items():
        if name != "evaluation" or value.endswith(".py"):
            options[name] = str(Path(value).absolute())
    root = None if data is None else str(data.absolute())
    return Kind(task="a model", primary=primary, options=options, data=root)


def contents(source: Path, others: Iterable[str]) -> str:
    """A hash of what decides a trial's artifact and may change under its name: weights, manifest, picked images.

    Args:
        source: run folder or model.
        others: further files and folders; of a folder the names and sizes count.
    """
    digest = hashlib.sha256()
    whole = source if bring.is_model(source) else Run.open(source).weights
    for path in (whole, *sorted(Path(other) for other in others)):
        for file in _files(path):
            if path.is_dir() and path != source:
                digest.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
                continue
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
    elif path.exists():
        yield path  # an option that is no path, such as the name of a task, is in the trial itself


def keep(source: Path, kept: str | None) -> Path:
    """Where finished fine-tunings of a source are kept: in its run folder, or for a model in `kept`."""
    return source / "export" if kept is None or not bring.is_model(source) else Path(kept)


def load(source: Path, data: str | None, options: Mapping[str, str], calibration: str | None) -> Exportable:
    """Opens a source for export.

    Raises:
        RunError: it is no whole run, or does not fit its task.
        OptionError: an option that its task does not take.
        DataError: the data, or a model's images, cannot be used.
    """
    from handlens_data import where
    from handlens_train import tasks

    root = None if data is None else Path(data)
    if bring.is_model(source):
        from handlens_export.bring.load import load as opened

        paths: dict[str, Any] = {name: Path(options[name]) for name in ("manifest", "images") if name in options}
        picked = None if calibration is None else Path(calibration)
        return opened(source, **paths, calibration=picked, evaluation=options.get("evaluation"), data=root)
    if not source.is_dir():
        raise RunError(f"{source} is not there; it was when the sweep began")
    run = Run.open(source)
    task = tasks.get(run.task)
    taken = {name: Path(value) for name, value in options.items()}
    found: Exportable = task.load(run, where.find(root) if task.READS_DATA else None, **taken)
    return found
