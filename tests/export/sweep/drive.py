"""A sweep of stub trials in a process of its own, to be killed: drive.py OUT SOURCE COUNT SECONDS JOBS."""

import json
import signal
import sys
from pathlib import Path

from handlens_export.sweep.database import Database
from handlens_export.sweep.local import Local
from handlens_export.sweep.search import Driver, Limits
from handlens_export.sweep.trial import Trial


def main(out: Path, source: str, count: int, seconds: float, jobs: int) -> None:
    def trial(recipe: str, loss: float) -> Trial:
        does = {"loss": loss, "seconds": seconds}
        options = tuple((name, json.dumps(value)) for name, value in does.items())
        return Trial(source=source, recipe=recipe, format="tflite", options=options)

    # A shell that runs tests in the background has its jobs ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lanes = Local(jobs, (sys.executable, str(Path(__file__).parent / "stub_worker.py")))
    limits = Limits(minutes=1.0, memory_mb=400.0)
    try:
        with Database(out) as database:
            driver = Driver(database=database, lanes=lanes, limits=limits, data=None, allowed=1.0)
            driver.reference(trial("float32", 0.0))
            driver.all((only for only in [trial(f"recipe{index}", index / 10)]) for index in range(1, count))
    finally:
        lanes.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
