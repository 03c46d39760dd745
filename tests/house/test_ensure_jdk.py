"""scripts/ensure-jdk on machines with less than it wants."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "ensure-jdk"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with a shell, sed and id, and nothing to install with."""
    for name in ("sh", "sed", "id"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    return tmp_path


def ensure(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT)], env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def program(path: Path, text: str) -> None:
    path.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    os.chmod(path, 0o755)


def test_without_a_jdk_it_says_what_to_install(machine: Path) -> None:
    done = ensure(machine)
    assert done.returncode == 2
    assert "17" in done.stderr and "maven" in done.stderr


def test_an_old_jdk_is_named(machine: Path) -> None:
    program(machine / "javac", "echo javac 11.0.2")
    program(machine / "mvn", "true")
    done = ensure(machine)
    assert done.returncode == 2
    assert "found: 11" in done.stderr


def test_a_jdk_and_maven_are_enough(machine: Path) -> None:
    program(machine / "javac", "echo javac 21.0.1")
    program(machine / "mvn", "true")
    assert ensure(machine).returncode == 0
