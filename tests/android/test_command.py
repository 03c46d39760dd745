"""`handlens android build`: what it prints, its exit codes, and the repository that it can publish into."""

import hashlib
import importlib.metadata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from handlens import __version__, cli
from handlens.artifact import Artifact

Make = Callable[..., Artifact]
ENTRY = importlib.metadata.EntryPoint("android", "handlens_android.commands:app", cli.GROUP)
POM = "{http://maven.apache.org/POM/4.0.0}"


def run(*words: object) -> int:
    """The exit code of `handlens android WORDS`."""
    with pytest.raises(SystemExit) as ended:
        cli.run(ENTRY, [str(word) for word in words])
    return int(ended.value.code or 0)


def test_build_writes_the_archive_and_says_what_is_in_it(
    tmp_path: Path, jar: Path, artifact: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "app.aar"
    assert run("build", "--artifact", artifact("a.tflite").path, "--out", out, "--jar", jar) == 0
    printed = capsys.readouterr()
    assert out.is_file() and f"{out.stat().st_size:,} bytes" in printed.out
    assert "assets/handlens/a.tflite: face-detector" in printed.out and "Apache-2.0" in printed.out
    assert not printed.err


def test_a_licence_that_was_not_accepted_is_one_line_and_exit_code_2(
    tmp_path: Path, jar: Path, artifact: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "build",
        "--artifact",
        artifact("a.tflite", "research use only").path,
        "--out",
        tmp_path / "x.aar",
        "--jar",
        jar,
    )
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "a.tflite: research use only" in said and "--accept-licence" in said
    assert run(*words, "--accept-licence") == 0
    assert "note: terms that you keep to: a.tflite" in capsys.readouterr().err


def test_the_repository_has_the_archive_and_a_pom_beside_it(
    tmp_path: Path, jar: Path, artifact: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    out, repository = tmp_path / "x.aar", tmp_path / "repository"
    words = ("build", "--artifact", artifact().path, "--out", out, "--jar", jar, "--repository", repository)
    assert run(*words) == 0 and run(*words, "--version", "2.0-rc1") == 0
    assert f"io.handlens:handlens:{__version__}" in capsys.readouterr().out
    place = repository / "io/handlens/handlens"
    for version in (__version__, "2.0-rc1"):
        archive, pom = (place / version / f"handlens-{version}.{kind}" for kind in ("aar", "pom"))
        assert archive.read_bytes() == out.read_bytes()
        tree = ElementTree.fromstring(pom.read_bytes())
        assert (tree.findtext(f"{POM}version"), tree.findtext(f"{POM}packaging")) == (version, "aar")
        # An engine for the artifacts that are there, and none for those that are not.
        needed = {dependency.findtext(f"{POM}artifactId") for dependency in tree.iter(f"{POM}dependency")}
        assert needed == {"kotlin-stdlib", "kotlinx-coroutines-core-jvm", "litert"}
        for file in (archive, pom):
            sum_beside = file.with_name(file.name + ".sha1").read_text()
            assert sum_beside == hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
    assert run(*words, "--version", "../1") == 2


def test_the_pom_asks_for_the_versions_that_the_library_is_built_with() -> None:
    bridge = Path(__file__).parents[2] / "android_bridge"
    built = ElementTree.fromstring((bridge / "pom.xml").read_bytes()).find(f"{POM}properties")
    offered = ElementTree.fromstring((bridge / "handlens_android/handlens.pom").read_bytes())
    versions = {
        dependency.findtext(f"{POM}artifactId"): dependency.findtext(f"{POM}version")
        for dependency in offered.iter(f"{POM}dependency")
    }
    assert versions == {
        "kotlin-stdlib": built.findtext(f"{POM}kotlin.version"),
        "kotlinx-coroutines-core-jvm": built.findtext(f"{POM}coroutines.version"),
    }
