"""How long the artifacts of a sweep take: all in turns, by the process of the sweep, while no trial runs."""

from collections.abc import Callable
from pathlib import Path

from handlens.artifact import Artifact
from handlens.errors import HandlensError
from handlens_export.report.measure import measure_all
from handlens_export.sweep.database import ARTIFACTS, Database
from handlens_export.sweep.selection import done


def take(database: Database, progress: Callable[[str], None], rounds: int = 12) -> None:
    """Times every artifact of a sweep and keeps the figures, unless nothing is new since they were taken.

    An artifact that its engine refuses stays without a time.
    """
    trials = done(database.rows())
    taken = max((trial.row.timed or 0.0 for trial in trials), default=0.0)
    if all(trial.row.begun < taken for trial in trials):
        return
    opened = []
    for trial in trials:
        try:
            opened.append((trial.row.trial.key, _open(database.path.parent, trial.figures.artifact)))
        except HandlensError as error:
            progress(f"{trial.figures.artifact} is not timed: {error}")
    timed = measure_all(opened, rounds=rounds, fresh=False, progress=progress)
    database.time({key: (each.p50_ms, each.p90_ms) for key, each in timed.items() if not isinstance(each, str)})


def _open(folder: Path, name: str) -> Artifact:
    return Artifact.open(folder / ARTIFACTS / name)
