"""`handlens enrol`, `verify`, `identify` and `forget`: what they print, and their exit codes."""

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from door_fakes import FakeDetector, FakeVerifier, shot

from handlens import cli
from handlens.face import FaceDetector, FaceVerifier

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for person in (1, 2):
        for moment in range(4):
            cv2.imwrite(str(tmp_path / f"{person}-{moment}.png"), shot(person, moment)[..., ::-1])
    cv2.imwrite(str(tmp_path / "two.png"), shot(1, 9, faces=2)[..., ::-1])
    return tmp_path


@pytest.fixture
def run(photographs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of the door in the folder of photographs, with the fakes in the artifacts' place."""
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)

    class Loaded(FakeDetector):
        def __enter__(self) -> "Loaded":
            return self

        def __exit__(self, *_: object) -> None: ...

    class Opened(FakeVerifier):
        def __enter__(self) -> "Opened":
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(FaceDetector, "load", lambda *_, **__: Loaded())
    monkeypatch.setattr(FaceVerifier, "load", lambda *_, **__: Opened())
    monkeypatch.chdir(photographs)
    entries = {entry.name: entry for entry in importlib.metadata.entry_points(group=cli.GROUP)}

    def call(command: str, *words: str) -> tuple[int, str, str]:
        models = () if command == "forget" else ("--detector", "d.tflite", "--verifier", "v.tflite")
        with pytest.raises(SystemExit) as caught:
            cli.run(entries[command], [*words, *models, "--store", "store"])
        out, err = capfd.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_the_whole_way(run: Run) -> None:
    code, out, err = run("enrol", "Ada", "1-0.png", "1-1.png", "1-2.png")
    assert code == 0 and "enrolled Ada: 3 templates" in out
    assert "note: no keyring used" in err and "store/key" in err
    code, out, err = run("verify", "Ada", "1-3.png")
    assert code == 0 and out.startswith("admitted: Ada") and "0.7000" in out and not err
    code, out, _ = run("verify", "Ada", "2-3.png")
    assert code == 1 and out.startswith("not admitted: Ada")
    code, out, _ = run("identify", "1-3.png")
    assert code == 0 and out.startswith("admitted: Ada")
    code, out, _ = run("identify", "2-3.png")
    assert code == 1 and "nobody enrolled" in out
    code, out, _ = run("forget", "Ada")
    assert code == 0 and "forgot Ada" in out
    code, _, err = run("verify", "Ada", "1-3.png")
    assert code == 4 and "nobody is enrolled under the name 'Ada'" in err


def test_forgetting_in_a_folder_that_is_no_store_makes_none(run: Run) -> None:
    code, _, err = run("forget", "Ada")
    assert code == 2 and "--store" in err and not Path("store").exists()


def test_a_refusal_is_one_line_that_says_what_to_do(run: Run) -> None:
    code, out, err = run("enrol", "Ada", "1-0.png", "two.png")
    assert code == 4 and not out and err.count("error:") == 1
    assert "image 2 (two.png): two faces; show one" in err


def test_json_is_for_programs(run: Run) -> None:
    run("enrol", "Ada", "1-0.png", "1-1.png")
    code, out, _ = run("verify", "Ada", "2-0.png", "--json")
    answer = json.loads(out)
    assert code == 1 and answer["admitted"] is False and answer["outcome"] == "not admitted"
    assert set(answer) >= {"name", "score", "threshold", "target_fmr", "comparisons", "reason"}


def test_an_operator_clears_the_failed_attempts(run: Run) -> None:
    run("enrol", "Ada", "1-0.png", "1-1.png")
    for _ in range(5):
        assert run("verify", "Ada", "2-0.png")[0] == 1
    code, _, err = run("verify", "Ada", "1-3.png")
    assert code == 4 and "the next is in" in err
    assert run("forget", "Ada", "--attempts")[0] == 0
    assert run("verify", "Ada", "1-3.png")[0] == 0


def test_a_rate_that_was_not_measured_is_refused_before_a_store_is_made(run: Run) -> None:
    code, _, err = run("verify", "Ada", "1-3.png", "--fmr", "0.0001")
    assert code == 2 and "0.0001" in err and not Path("store").exists()


def test_without_cryptography_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    code, _, err = run("enrol", "Ada", "1-0.png", "1-1.png")
    assert code == 2 and "handlens[access]" in err


def test_a_person_who_decides_is_an_exit_code_of_its_own(run: Run) -> None:
    run("enrol", "Ada", "1-0.png", "1-1.png")
    run("enrol", "Also Ada", "1-2.png", "1-3.png")
    code, out, _ = run("identify", "1-3.png")
    assert code == 5 and out.startswith("person:")
