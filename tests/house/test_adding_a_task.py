"""docs/adding-a-task.md is true to the letter: its three files, dropped into a copy of the house, are a task."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-task.md").read_text(encoding="utf-8")
FILES = {match[1]: match[2] for match in re.finditer(r"```python file (\S+)\n(.*?)```", PAGE, re.DOTALL)}
STEPS = re.findall(r"```(sh|python) task\n(.*?)```", PAGE, re.DOTALL)
FOLDERS = ("runtime", "calib_data", "train", "export")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the page's files in it, where the page puts them."""
    root = tmp_path_factory.mktemp("house")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in FILES.items():
        assert not (root / name).exists(), f"{name} is there already"
        (root / name).write_text(text, encoding="utf-8")
    return root


def run(words: list[str], house: Path, folder: Path) -> str:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(house / name) for name in FOLDERS),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HANDLENS_CACHE": str(folder / "cache"),
        "COLUMNS": "120",
    }
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_task_is_three_files_of_less_than_a_hundred_lines() -> None:
    parts = [Path(name).parts[0] for name in FILES]
    assert parts == ["calib_data", "train", "runtime"]
    lines = [line for text in FILES.values() for line in text.splitlines() if line.strip()]
    assert len(lines) < 100


def test_its_files_are_in_the_house_s_style(house: Path) -> None:
    for check in (["check"], ["format", "--check"]):
        run([sys.executable, "-m", "ruff", *check, *FILES], house, house)


def test_the_page_s_commands_take_it_the_whole_way(house: Path, tmp_path: Path) -> None:
    said = [
        run(["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text], house, tmp_path)
        for kind, text in STEPS
    ]
    assert "Stripes(label='standing'" in said[1]
    accuracy = re.search(r"stripes-int8.tflite on stripes/test.*\n +accuracy +(\S+)", said[0])
    assert accuracy and float(accuracy[1]) > 0.9
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "stripes-int8.tflite" in report and "stripes-pruned50-int8.onnx" in report


def test_help_names_the_task_and_its_recipes(house: Path, tmp_path: Path) -> None:
    assert "Lying or standing stripes" in run(["handlens", "train", "--help"], house, tmp_path)
    assert "stripes-small" in run(["handlens", "train", "stripes", "--help"], house, tmp_path)


def test_a_task_may_come_from_another_package(house: Path, tmp_path: Path) -> None:
    """The same recipe file under a name that the house does not look at, found by its entry point."""
    shutil.copytree(house, tmp_path / "house")
    recipe = tmp_path / "house/train/handlens_train/tasks/stripes.py"
    recipe.rename(tmp_path / "house/train/my_stripes.py")
    facts = tmp_path / "house/train/my_stripes-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-stripes\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[handlens.tasks]\nstripes = my_stripes\n")
    assert "stripes-small" in run(["handlens", "train", "stripes", "--help"], tmp_path / "house", tmp_path)
