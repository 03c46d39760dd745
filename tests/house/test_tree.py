"""What may lie in the tree: no machine's paths, no registry's address, no long module, no pictures of people."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("runtime", "calib_data", "train", "export", "android_bridge", "zoo", "browser")
LONGEST = 350  # lines; near a thousand, readers get lost

# Written in pieces, so that this file does not name what it forbids.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.~-])/" + r"(?:root|home|work|Users)/\w",
            r"\.\./" + "shared",
            r"pypi" + r"\.org|python" + "hosted",
            r"registry\." + r"npmjs|repo1?\.maven" + r"\.|deb\." + "debian",
        )
    )
)


def tracked() -> list[Path]:
    """Files that git has or would add."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_machine_path_and_no_registry_address() -> None:
    wrong = []
    for file in tracked():
        data = file.read_bytes()
        if b"\0" in data[:8000]:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
            if FORBIDDEN.search(line):
                wrong.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_the_pattern_knows_what_it_forbids() -> None:
    slash = "/"
    assert FORBIDDEN.search(f"open('{slash}home{slash}me/x')") and FORBIDDEN.search(f"..{slash}shared{slash}data")
    assert not FORBIDDEN.search("see docs/home/page.md, ~/work/x and 1/work/y")


def test_no_module_is_longer_than_its_reader_can_bear() -> None:
    sizes = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for folder in (*PACKAGES, "tests")
        for file in (ROOT / folder).rglob("*.py")
    }
    assert not {name: size for name, size in sizes.items() if size > LONGEST}


def test_the_zoo_is_small_enough_for_a_checkout() -> None:
    sizes = {file.name: file.stat().st_size for file in (ROOT / "zoo/handlens_zoo/artifacts").glob("*")}
    assert sum(sizes.values()) < 12_000_000, sizes
