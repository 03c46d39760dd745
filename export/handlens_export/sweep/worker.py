"""`python -m handlens_export.sweep.worker FOLDER`: one trial, in a process of its own.

FOLDER holds order.json (and reference.npz); the artifact, outcomes.npz and at last outcome.json are written into it.
Nothing is printed that anybody reads. The process ends when the one that started it is gone.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from handlens.errors import DataNotFound, HandlensError, MissingExtra
from handlens.files import write_bytes, write_text
from handlens_export.sweep import outcomes
from handlens_export.sweep.trial import Figures, Outcome, Trial

ORDER, REFERENCE, OUTCOMES, OUTCOME = "order.json", "reference.npz", "outcomes.npz", "outcome.json"
_PARENT_SECONDS = 1.0


def main(folder: Path) -> None:
    """Runs the trial of a folder; what goes wrong on purpose becomes its outcome."""
    order = json.loads((folder / ORDER).read_text())
    end_with(order["parent"])
    try:
        figures = run(folder, order)
        outcome = Outcome(state="done", figures=figures)
    except (MissingExtra, DataNotFound, OSError) as error:
        outcome = Outcome(state="failed", reason=_line(error))
    except HandlensError as error:
        outcome = Outcome(state="refused", reason=_line(error))
    write_text(folder / OUTCOME, outcome.to_json())


def run(folder: Path, order: Mapping[str, Any], say: Callable[[str], None] = lambda line: None) -> Figures:
    """Makes and measures the artifact of a trial, through the export door; it stays in `folder`.

    Raises:
        HandlensError: whatever export refuses.
    """
    trial = Trial.from_json(order["trial"])
    reference = folder / REFERENCE
    parent = outcomes.read(reference.read_bytes()) if reference.exists() else None

    from handlens_export import quiet

    quiet.tensorflow()

    from handlens.metrics import Interval
    from handlens_export import door
    from handlens_export.gate import judge
    from handlens_export.prepare import Options, Workshop
    from handlens_export.recipes import parse_recipes
    from handlens_export.report.collect import gzip_size
    from handlens_export.store import Store
    from handlens_export.sweep import sources

    place = Path(trial.source)
    source = sources.load(place, order["data"], dict(trial.options), trial.calibration)
    (recipe,) = door.taken(source, parse_recipes(trial.recipe), say)
    door.kinds(source, [trial.format])
    shop = Workshop(source, Store(sources.keep(place, order["kept"])), Options(**_options(trial)), say)
    allowed = order["allowed"] if trial.max_drop is None else trial.max_drop
    path, evaluation = door.measured(shop, recipe, trial.format, folder, parent, allowed)
    write_bytes(folder / OUTCOMES, outcomes.kept(evaluation))
    verdict, loss = None, Interval(0.0, 0.0, 0.0)
    if parent is not None:
        verdict = judge(path.name, evaluation, parent, order["allowed"])
        loss = verdict.drop
    name = f"{path.stem}-{trial.key[:6]}.{trial.format}"
    artifact = door.place(path, folder / name, evaluation, verdict)
    value = evaluation.metrics[evaluation.primary]
    return Figures(
        artifact=name,
        size=artifact.size,
        gzip_size=gzip_size(artifact.path.read_bytes()),
        sparsity=artifact.manifest.compression.sparsity,
        parameters=artifact.manifest.compression.parameters,
        task=source.task,
        metric=evaluation.primary,
        dataset=evaluation.dataset,
        split=evaluation.split,
        n=evaluation.n,
        value=value.value,
        low=value.low,
        high=value.high,
        loss=loss.value,
        loss_low=loss.low,
        loss_high=loss.high,
        engine=evaluation.engine,
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _options(trial: Trial) -> dict[str, Any]:
    """The export's options of a trial; what it does not decide keeps the export's own default."""
    from handlens_data.calibration import CalibrationSet
    from handlens_export import bring

    names = ("seed", "calibration_images", "max_minutes", "steps")
    given = {name: getattr(trial, name) for name in names if getattr(trial, name) is not None}
    if trial.calibration is not None and not bring.is_model(Path(trial.source)):  # a model has taken it already
        given["calibration"] = CalibrationSet.load(Path(trial.calibration))
    return given


def end_with(parent: int) -> None:
    """Ends this process and all it started once its parent is gone: a killed sweep leaves nothing running."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
