"""``handlens --help`` answers at once: it may import no command, and none of what the commands need."""

import resource
import subprocess
import sys
from pathlib import Path

COMMAND = [str(Path(sys.executable).parent / "handlens"), "--help"]


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_takes_less_than_half_a_second() -> None:
    # CPU time and the best of a few: the wall clock of a busy machine says nothing about the program.
    times = []
    for _ in range(5):
        before = cpu_seconds()
        subprocess.run(COMMAND, capture_output=True, check=True)
        times.append(cpu_seconds() - before)
    assert min(times) < 0.5, f"CPU seconds: {times}"


def test_help_lists_every_command_with_a_line_about_it() -> None:
    shown = subprocess.run(COMMAND, capture_output=True, text=True, check=True, env={"COLUMNS": "200"}).stdout
    for name in ("inspect", "check", "train", "export", "evaluate", "report", "calib"):
        line = next((line for line in shown.splitlines() if f" {name} " in line), "")
        assert len(line.replace("│", "").split()) > 3, f"{name!r} is not described in:\n{shown}"


def test_help_imports_no_command() -> None:
    code = (
        "import sys; sys.argv = ['handlens', '--help']\n"
        "from handlens.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"numpy", "cv2", "keras", "tensorflow", "handlens_data", "handlens_train", "handlens_export"}
