"""The golden vectors of the door, which the Kotlin tests replay as well."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from handlens import _sealed
from handlens.attempts import Attempts
from handlens.gallery import Gallery
from handlens.keys import Key
from handlens.store import Store
from handlens.vault import Vault

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True, scope="module")
def path() -> Iterator[None]:
    sys.path.insert(0, str(GOLDEN))
    yield
    sys.path.remove(str(GOLDEN))


def load(name: str) -> object:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def test_the_gates_measure_and_decide_as_recorded() -> None:
    import make_gates

    recorded = load("gates.json")
    refused = set()
    for row in recorded["rows"]:
        again = make_gates.record({key: row[key] for key in (*make_gates.NOISE, "points")})
        assert again["measures"] == pytest.approx(row["measures"], rel=1e-12, abs=1e-12)
        assert (again["verdicts"], again["crop"]) == (row["verdicts"], row["crop"])
        refused |= {verdict["error"] for verdict in row["verdicts"]}
    names = {"FaceTooSmall", "FaceCutOff", "FaceTurned", "FaceTooDark", "FaceTooBright", "FaceBlurred"}
    assert refused == {None, *names}  # so that every gate is seen open and closed
    for one, other, *values in recorded["pairs"]:
        assert make_gates.compare(recorded["rows"][one], recorded["rows"][other]) == pytest.approx(values, abs=1e-12)


def test_the_counter_lets_try_whom_it_let_try_before() -> None:
    import make_attempts

    for script in load("attempts.json"):
        assert make_attempts.play([step[:5] for step in script]) == script


def test_sealed_files_open_to_what_was_sealed() -> None:
    for row in load("sealed.json")["files"]:
        key = Key(row["key"]["id"], base64.b64decode(row["key"]["secret"]))
        plain = _sealed.unseal(key, row["kind"], row["header"], base64.b64decode(row["sealed"]), "golden")
        assert plain == base64.b64decode(row["plain"])


def test_the_recorded_store_opens_and_holds_its_people(tmp_path: Path) -> None:
    golden = load("sealed.json")
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    for name, data in golden["store"].items():
        (folder / name).write_bytes(base64.b64decode(data))
        (folder / name).chmod(0o600)
    store = Store.open(folder, use_keyring=False)
    with store.lock():
        records = Vault(store, golden["model_id"], golden["dimension"]).read()
        assert list(records) == [person["name"] for person in golden["people"]]
        for person in golden["people"]:
            record = records[person["name"]]
            expected = np.frombuffer(base64.b64decode(person["templates"]), "<f4").reshape(person["count"], -1)
            assert record.enrolled == person["enrolled"] and np.array_equal(record.templates, expected)
            assert Attempts(store).failures(person["name"]) == person["failures"]


def test_the_recorded_gallery_is_what_is_written_today(tmp_path: Path) -> None:
    golden = load("sealed.json")
    (tmp_path / "old").write_bytes(base64.b64decode(golden["gallery"]))
    gallery = Gallery.load(tmp_path / "old", golden["model_id"])
    assert len(gallery) == 5 and gallery.names[-1] == golden["people"][1]["name"]
    gallery.save(tmp_path / "new")
    again = Gallery.load(tmp_path / "new", golden["model_id"])
    assert again.names == gallery.names and np.allclose(again.templates, gallery.templates, atol=1e-7)
