"""Is a sweep that is killed half-way resumed with nothing run twice? On real trials of a small run.

    handlens train facecheck --out runs/facecheck
    python benchmarks/killed_sweep.py runs/facecheck sweeps/killed --trials 30

Starts `handlens sweep` on a grid of recipes with few steps, kills it (SIGKILL) when half of the trials have ended, and
gives the same command again. Then it counts, from the two states of the database, the trials that had ended and were
touched all the same, and those that were started twice; the latter may only be the ones that ran at the kill.
"""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

GRID = ["--search", "grid", "--arithmetic", "float16,dynamic,int16,int8,qat-int8", "--channels", "0,25"]
Row = tuple[object, ...]


def main(
    run: Annotated[Path, typer.Argument(help="Run of facecheck.")],
    out: Annotated[Path, typer.Argument(help="Folder of the sweep; must not be there yet.")],
    trials: Annotated[int, typer.Option(help="Trials in all, 31 at most.")] = 30,
    jobs: Annotated[int, typer.Option(help="Trials at once.")] = 2,
) -> None:
    """Kills a sweep half-way, resumes it, and counts what was run twice."""
    if out.exists():
        raise SystemExit(f"{out} is there already")
    command = [sys.executable, "-c", "from handlens.cli import main; main()", "sweep", str(run), "--out", str(out)]
    command += ["--budget", "accuracy-2.0", "--sparsity", "0,30,60", "--steps", "10", *GRID]
    command += ["--trials", str(trials), "--jobs", str(jobs)]
    first = subprocess.Popen(command)
    while first.poll() is None and len(ended(rows(out))) < trials // 2:
        time.sleep(1)
    first.kill()
    first.wait()
    before = rows(out)
    print(f"killed: {len(ended(before))} had ended, {len(before) - len(ended(before))} ran")
    status = subprocess.run(command, check=False).returncode
    after = rows(out)
    touched = [key for key in ended(before) if before[key] != after[key]]
    twice = [key for key, row in after.items() if row[1] != 1]
    print(f"resumed (exit code {status}): {len(ended(after))} of {len(after)} trials have ended")
    print(f"had ended and were touched all the same: {len(touched)}")
    print(f"started twice: {len(twice)}, of which ran at the kill: {len([key for key in twice if key in before])}")
    if touched or any(key not in before or key in ended(before) for key in twice):
        raise SystemExit(1)


def rows(out: Path) -> dict[str, Row]:
    """State, starts, begin, end and artifact of each trial, by key; empty while there is no database."""
    if not (out / "sweep.sqlite").exists():
        return {}
    opened = sqlite3.connect(out / "sweep.sqlite")
    try:
        found = opened.execute("SELECT key, state, starts, begun, ended, artifact FROM trials").fetchall()
    except sqlite3.OperationalError:  # its tables are being made
        return {}
    finally:
        opened.close()
    return {row[0]: row[1:] for row in found}


def ended(found: dict[str, Row]) -> list[str]:
    """Keys of the trials that do not run."""
    return [key for key, row in found.items() if row[0] != "running"]


if __name__ == "__main__":
    typer.run(main)
