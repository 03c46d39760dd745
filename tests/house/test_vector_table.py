"""The table of replayed vectors: sums, worst differences, and a stage that was lost."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "vector_table.py"


def table(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False)


def test_lines_are_summed_and_a_missing_stage_fails(tmp_path: Path) -> None:
    (tmp_path / "nms.txt").write_text("7 0.0\n3 0.25\n")
    (tmp_path / "novel.txt").write_text("5 0.0\n")
    done = table(tmp_path)
    assert done.returncode == 1
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["nms", "10", "0.25"],
        ["novel", "5", "0"],
        ["all", "15"],
    ]
    assert "models-litert" in done.stderr and "nms" not in done.stderr


def test_no_folder_at_all_fails(tmp_path: Path) -> None:
    assert table(tmp_path / "nowhere").returncode == 1
