"""What ships in the zoo: files that open, answer their goldens, match their cards, and tell people apart."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import handlens_zoo
from handlens import Artifact, FaceDetector, FaceVerifier, GenderClassifier, PersonReidentifier, open_engine
from handlens.face import face_crop
from handlens.golden import replay
from handlens_data import samples
from handlens_data.calibration.table import RangeTable
from handlens_export.ranges import ranges_sha256
from handlens_train import tasks

ROOT = Path(__file__).parents[2]
NAMES = handlens_zoo.names()
OPEN = "CC BY-SA 4.0"


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
    terms = manifest.provenance.weights_licence
    assert manifest.provenance.data and ("research" in terms or terms.startswith(OPEN)), terms
    strict = [data.name for data in manifest.provenance.data if "research" in data.licence]
    assert "research" in terms or not strict, f"the weights cannot be freer than {strict}"
    measured = {(metric.split, metric.name) for metric in manifest.metrics}
    primary = tasks.get(manifest.task).PRIMARY
    assert {("val", primary), ("test", primary)} <= measured


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("reid")])
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


def test_the_detectors_find_the_face_and_its_points_on_each_crop() -> None:
    for name in ("face-detector", "face-detector-nano"):
        with FaceDetector.load(handlens_zoo.path(name)) as model:
            for view, image in samples.people().items():
                face = model.detect(image)[0]
                assert face.points is not None
                (left, right, nose, *mouth), (x1, y1, x2, y2) = face.points, face.box
                assert x1 < left[0] < nose[0] < right[0] < x2, (name, view)
                assert y1 < left[1] < nose[1] < min(point[1] for point in mouth) < y2, (name, view)


def test_the_verifier_carries_thresholds_and_tells_two_people_apart() -> None:
    views = samples.people()
    detector = FaceDetector.load(handlens_zoo.path("face-detector"))
    with detector, FaceVerifier.load(handlens_zoo.path("face-verifier")) as verifier:
        limit = verifier.threshold(0.01)
        assert limit.comparisons * limit.target_fmr >= 3 and limit.low <= 0.01 <= limit.high
        found = {view: verifier.embed(image, detector.detect(image)[:1])[0] for view, image in views.items()}
        same = [
            verifier.compare(found[f"{who}-a"], found[f"{who}-{view}"]) for who in samples.PEOPLE for view in ("b", "c")
        ]
        assert min(same) >= limit.value > verifier.compare(found["astronaut-a"], found["admiral-a"])


def test_the_gender_classifier_answers_with_a_confidence() -> None:
    crops = [face for view, face in samples.people().items() if view.endswith("-a")]
    detector = FaceDetector.load(handlens_zoo.path("face-detector"))
    with detector, GenderClassifier.load(handlens_zoo.path("gender")) as model:
        told = model.classify([face_crop(image, detector.detect(image)[0]) for image in crops])
    assert [answer.label for answer in told] == ["female", "female"]
    assert all(0.5 <= answer.confidence <= 1 for answer in told)


def test_cards_and_the_readme_s_table_are_those_of_the_manifests() -> None:
    command = [sys.executable, "scripts/write_cards.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"run `python scripts/write_cards.py`\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_ranges_is_the_one_that_the_artifact_was_made_with(name: str) -> None:
    manifest = Artifact.open(handlens_zoo.path(name)).manifest
    calibration = manifest.compression.calibration
    if calibration is None:
        with pytest.raises(handlens_zoo.ZooError, match="not calibrated"):
            handlens_zoo.ranges(name)
        return
    table = RangeTable.load(handlens_zoo.ranges(name))
    assert table.model == f"{manifest.name}-{manifest.compression.recipe}"
    assert ranges_sha256(table.ranges) == calibration.ranges_sha256
    for fact in ("dataset", "split", "count", "seed", "images_sha256"):
        assert getattr(table, fact) == getattr(calibration, fact), fact


def test_no_table_is_left_of_an_artifact_that_does_not_ship() -> None:
    tables = (ROOT / "zoo/handlens_zoo/ranges").iterdir()
    assert {table.name.removesuffix(".ranges.json") for table in tables} <= set(NAMES)


def test_a_name_that_does_not_ship_is_refused_with_those_that_do() -> None:
    with pytest.raises(handlens_zoo.ZooError, match="there are"):
        handlens_zoo.path("reid-gigantic")
    done = subprocess.run([sys.executable, "-m", "handlens_zoo", "reid-gigantic"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: no artifact is called 'reid-gigantic'")


def test_weights_have_their_own_licence() -> None:
    text = (ROOT / "zoo/LICENSE-weights").read_text(encoding="utf-8")
    assert "research" in text and "non-commercial" in text
