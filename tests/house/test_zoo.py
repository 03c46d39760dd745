"""What ships in the zoo: files that open, answer their goldens, match their cards, and tell people apart."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import handlens_zoo
from handlens import Artifact, PersonReidentifier, open_engine
from handlens.golden import replay
from handlens_data import samples

ROOT = Path(__file__).parents[2]
NAMES = handlens_zoo.names()


def test_something_ships() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_opens_and_this_machine_answers_its_goldens(name: str) -> None:
    artifact = Artifact.open(handlens_zoo.path(name))
    engine = open_engine(artifact, check=False)
    verdict = replay(engine, artifact.manifest, artifact.goldens)
    engine.close()
    assert verdict.passed, verdict.worst


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_names_its_data_and_terms_and_was_measured(name: str) -> None:
    manifest = Artifact.open(handlens_zoo.path(name)).manifest
    assert manifest.provenance.data and "research" in manifest.provenance.weights_licence
    measured = {(metric.split, metric.name) for metric in manifest.metrics}
    assert {("val", "rank1"), ("test", "rank1"), ("test", "mAP")} <= measured


@pytest.mark.parametrize("name", NAMES)
def test_views_of_one_person_are_more_alike_than_two_people(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path))
    views = samples.people()
    people = np.array([view.rsplit("-", 1)[0] for view in views])
    with PersonReidentifier.load(handlens_zoo.path(name)) as model:
        templates = model.embed(views.values())
    similarity = templates @ templates.T
    same = (people[:, None] == people) & ~np.eye(len(people), dtype=bool)
    assert similarity[same].min() > similarity[people[:, None] != people].max()


def test_cards_and_the_readme_s_table_are_those_of_the_manifests() -> None:
    command = [sys.executable, "scripts/write_cards.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"run `python scripts/write_cards.py`\n{done.stdout}{done.stderr}"


def test_a_name_that_does_not_ship_is_refused_with_those_that_do() -> None:
    with pytest.raises(handlens_zoo.ZooError, match="there are"):
        handlens_zoo.path("reid-gigantic")
    done = subprocess.run([sys.executable, "-m", "handlens_zoo", "reid-gigantic"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: no artifact is called 'reid-gigantic'")


def test_weights_have_their_own_licence() -> None:
    text = (ROOT / "zoo/LICENSE-weights").read_text(encoding="utf-8")
    assert "research" in text and "non-commercial" in text
