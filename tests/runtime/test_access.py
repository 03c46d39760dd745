"""The door: enrolling, verifying, identifying and forgetting, with a detector and a verifier made of arithmetic."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from door_fakes import MODEL, OTHER_MODEL, FakeDetector, FakeVerifier, shot

from handlens import attempts, errors
from handlens.access import Door, DoorOptions, similarity
from handlens.face import Gender
from handlens.policy import GenderPolicy
from handlens.store import Store

ADA, BOB, EVE = 1, 2, 3


def open_door(
    folder: Path, verifier: FakeVerifier | None = None, detector: FakeDetector | None = None, **options: object
) -> Door:
    store = Store.open(folder, use_keyring=False)
    return Door(detector or FakeDetector(), verifier or FakeVerifier(), store, DoorOptions(**options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def door(folder: Path) -> Door:
    made = open_door(folder)
    made.enrol("Ada", [shot(ADA, moment) for moment in range(3)])
    made.enrol("Bob", [shot(BOB, moment) for moment in range(3)])
    return made


def test_the_right_person_is_admitted_and_another_is_not(door: Door) -> None:
    right = door.verify("Ada", shot(ADA, 9))
    assert right.admitted and right.outcome == "admitted" and right.name == "Ada"
    assert right.score is not None and right.threshold == 0.7 and right.score >= 0.7 and right.target_fmr == 1e-3
    wrong = door.verify("Ada", shot(BOB, 9))
    assert not wrong.admitted and wrong.outcome == "not admitted" and "no face" in wrong.reason


def test_who_is_enrolled_stays_so_after_a_restart(door: Door, folder: Path) -> None:
    assert open_door(folder).verify("Bob", shot(BOB, 5)).admitted
    assert open_door(folder).names() == ("Ada", "Bob")


def test_decisions_are_frozen(door: Door) -> None:
    decision = door.verify("Ada", shot(BOB, 9))
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision.outcome = "admitted"  # type: ignore[misc]


def test_a_gate_refuses_before_anything_is_embedded_or_counted(folder: Path) -> None:
    verifier = FakeVerifier()
    door = open_door(folder, verifier)
    for image, error in ((shot(ADA, 0, faces=0), errors.NoFace), (shot(ADA, 0, faces=2), errors.SeveralFaces)):
        for _ in range(8):
            with pytest.raises(error):
                door.verify("Ada", image)
            with pytest.raises(error):
                door.identify(image)
    assert verifier.calls == 0
    door.verify("Ada", shot(ADA))


def test_an_enrolment_says_which_image_a_gate_refuses(folder: Path, tmp_path: Path) -> None:
    door = open_door(folder)
    cv2.imwrite(str(tmp_path / "two.png"), shot(ADA, 1, faces=2)[..., ::-1])
    with pytest.raises(errors.SeveralFaces, match=r"image 2 \(.*two\.png\): two faces; show one"):
        door.enrol("Ada", [shot(ADA, 0), tmp_path / "two.png"])
    assert door.names() == ()


@pytest.mark.parametrize("count", [0, 1, 11])
def test_an_enrolment_wants_two_to_ten_images(folder: Path, count: int) -> None:
    with pytest.raises(errors.ImageCountWrong, match=f"{count} image"):
        open_door(folder).enrol("Ada", [shot(ADA, moment) for moment in range(count)])


def test_one_image_instead_of_a_list_is_said_plainly(folder: Path) -> None:
    with pytest.raises(errors.InputError, match="give a list"):
        open_door(folder).enrol("Ada", "ada.jpg")


def noisy(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-6, 7, image.shape)
    result = np.clip(image + noise, 0, 255).astype(np.uint8)
    result[0, 0] = image[0, 0]
    return result


def brighter(image: np.ndarray) -> np.ndarray:
    result = np.clip(image * 1.1 + 5, 0, 255).astype(np.uint8)
    result[0, 0] = image[0, 0]
    return result


def mirrored(image: np.ndarray) -> np.ndarray:
    result = np.ascontiguousarray(image[:, ::-1])
    result[0, 0] = image[0, 0]
    return result


@pytest.mark.parametrize("change", [np.copy, noisy, brighter, mirrored])
def test_two_copies_of_one_photograph_are_refused(folder: Path, change: object) -> None:
    images = [shot(ADA, 0), shot(ADA, 1), change(shot(ADA, 0))]  # type: ignore[operator]
    with pytest.raises(errors.EnrolmentTooAlike, match="images 1 and 3"):
        open_door(folder).enrol("Ada", images)


def test_somebody_else_among_the_images_is_named(folder: Path) -> None:
    images = [shot(ADA, 0), shot(BOB, 0), shot(ADA, 1), shot(ADA, 2)]
    with pytest.raises(errors.EnrolmentInconsistent, match="image 2 of 4 does not look like"):
        open_door(folder).enrol("Ada", images)


def test_two_people_in_equal_parts_are_refused(folder: Path) -> None:
    images = [shot(person, moment) for person in (ADA, BOB) for moment in range(2)]
    with pytest.raises(errors.EnrolmentInconsistent, match="images 3, 4 of 4 do not"):
        open_door(folder).enrol("Ada", images)


def test_a_name_is_enrolled_once_unless_it_is_to_be_replaced(door: Door) -> None:
    with pytest.raises(errors.AlreadyEnrolled, match="'Ada'"):
        door.enrol("Ada", [shot(EVE, moment) for moment in range(2)])
    assert door.verify("Ada", shot(ADA, 9)).admitted
    door.enrol("Ada", [shot(EVE, moment) for moment in range(2)], replace=True)
    assert door.verify("Ada", shot(EVE, 9)).admitted and not door.verify("Ada", shot(ADA, 9)).admitted


def test_an_unknown_name_looks_to_a_visitor_like_a_wrong_face(door: Door) -> None:
    unknown, wrong = door.verify("Nobody", shot(EVE)), door.verify("Ada", shot(EVE))
    assert {**unknown.public(), "name": ""} == {**wrong.public(), "name": ""}
    assert unknown.outcome == "not admitted" and unknown.score is not None
    assert (unknown.threshold, unknown.target_fmr, unknown.comparisons) == (0.7, 1e-3, 100_000)
    assert "score" not in unknown.public()


def test_an_unknown_name_takes_the_same_steps_and_the_same_attempts(door: Door) -> None:
    verifier = door._verifier
    counts = []
    for name in ("Nobody", "Ada"):
        before = verifier.calls
        for _ in range(5):
            door.verify(name, shot(EVE))
        with pytest.raises(errors.TooManyAttempts) as caught:
            door.verify(name, shot(EVE))
        counts.append((verifier.calls - before, str(caught.value)))
    assert counts[0] == counts[1]


def test_an_operator_is_told_of_an_unknown_name_after_the_same_work(door: Door) -> None:
    before = door._verifier.calls
    with pytest.raises(errors.UnknownName, match="'Nobody'"):
        door.verify("Nobody", shot(ADA), reveal=True)
    assert door._verifier.calls == before + 1


def test_after_five_failures_even_the_right_face_has_to_wait_and_a_restart_does_not_help(
    door: Door, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert not door.verify("Ada", shot(BOB, 8)).admitted
    detector = FakeDetector()
    again = open_door(folder, detector=detector)
    with pytest.raises(errors.TooManyAttempts) as caught:
        again.verify("Ada", shot(ADA, 9))
    assert 0 < (caught.value.retry_after or 0) <= 30 and detector.calls == 0
    assert again.verify("Bob", shot(BOB, 9)).admitted, "others need not wait"
    later = attempts.now()
    monkeypatch.setattr(again._attempts, "_clock", lambda: dataclasses.replace(later, uptime=later.uptime + 31))
    assert again.verify("Ada", shot(ADA, 9)).admitted


def test_a_success_in_between_starts_the_count_anew(door: Door) -> None:
    for _ in range(3):
        for _ in range(4):
            door.verify("Ada", shot(BOB, 8))
        assert door.verify("Ada", shot(ADA, 9)).admitted


def test_an_attempt_that_breaks_off_is_counted(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlens.access.similarity", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            door.verify("Ada", shot(ADA, 9))
    monkeypatch.undo()
    with pytest.raises(errors.TooManyAttempts):
        door.verify("Ada", shot(ADA, 9))


def test_many_at_once_get_no_more_attempts_than_one(door: Door) -> None:
    def attempt(moment: int) -> str:
        try:
            return door.verify("Ada", shot(BOB, moment)).outcome
        except errors.TooManyAttempts:
            return "too many"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(16)))
    assert sorted(outcomes) == ["not admitted"] * 5 + ["too many"] * 11


def test_a_rate_that_was_not_measured_is_refused(folder: Path) -> None:
    with pytest.raises(errors.RateUnsupported, match="0.0001"):
        open_door(folder, fmr=1e-4)


def test_identify_finds_the_person_or_nobody(door: Door) -> None:
    found = door.identify(shot(BOB, 7))
    assert found.admitted and found.name == "Bob"
    nobody = door.identify(shot(EVE, 7))
    assert nobody.name is None and nobody.outcome == "not admitted"
    assert open_door(door._store.folder.parent / "empty").identify(shot(ADA)).outcome == "not admitted"


def test_identify_asks_a_lower_rate_the_more_people_there_are(folder: Path) -> None:
    door = open_door(folder, fpir=1e-2)
    door.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    assert door.identify(shot(ADA, 9)).target_fmr == 1e-2
    door.enrol("Bob", [shot(BOB, moment) for moment in range(2)])
    assert door.identify(shot(ADA, 9)).target_fmr == 1e-3
    for person in range(3, 12):
        door.enrol(f"person {person}", [shot(person, moment) for moment in range(2)])
    with pytest.raises(errors.RateUnsupported, match="11 people are enrolled.*0.00091"):
        door.identify(shot(ADA, 9))


def test_a_face_that_matches_two_people_goes_to_a_person(door: Door) -> None:
    door.enrol("Ada's other name", [shot(ADA, moment) for moment in range(3, 6)])
    decision = door.identify(shot(ADA, 9))
    assert decision.outcome == "person" and decision.name is None and "2 people" in decision.reason


def test_strangers_at_the_door_slow_identification_down(door: Door) -> None:
    for _ in range(5):
        door.identify(shot(EVE))
    with pytest.raises(errors.TooManyAttempts):
        door.identify(shot(ADA, 9))
    assert door.verify("Ada", shot(ADA, 9)).admitted


def test_templates_of_another_model_are_never_compared(door: Door, folder: Path) -> None:
    other = open_door(folder, FakeVerifier(model_id=OTHER_MODEL))
    assert other.names() == () and not other.verify("Ada", shot(ADA, 9)).admitted
    other.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    assert other.verify("Ada", shot(ADA, 9)).admitted and door.names() == ("Ada", "Bob")


def test_forgetting_deletes_the_templates_of_every_model(door: Door, folder: Path) -> None:
    other = open_door(folder, FakeVerifier(model_id=OTHER_MODEL))
    other.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    door.delete("Ada")
    assert door.names() == ("Bob",) and other.names() == ()
    assert not door.verify("Ada", shot(ADA, 9)).admitted
    assert door.verify("Bob", shot(BOB, 9)).admitted
    with pytest.raises(errors.UnknownName):
        door.delete("Ada")


def test_forgetting_by_another_process_is_seen_at_once(door: Door, folder: Path) -> None:
    open_door(folder).delete("Ada")
    assert not door.verify("Ada", shot(ADA, 9)).admitted
    door.enrol("Eve", [shot(EVE, moment) for moment in range(2)])
    assert open_door(folder).names() == ("Bob", "Eve"), "written with the new key"


def test_a_changed_vault_stops_the_door(door: Door, folder: Path) -> None:
    file = folder / f"{MODEL}.vault"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for act in (lambda: door.verify("Ada", shot(ADA)), lambda: door.identify(shot(ADA)), door.names):
        with pytest.raises(errors.StoreTampered):
            act()


def test_examine_shows_every_verdict_and_counts_nothing(door: Door) -> None:
    seen = door.examine(shot(ADA, 9))
    assert seen.passed and len(seen.verdicts) == 6 and len(seen.faces) == 1
    assert not door.examine(shot(ADA, 9, faces=3)).passed


def gender(label: str, confidence: float) -> FakeDetector:
    return FakeDetector(Gender(label, confidence))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("detector", "outcome", "words"),
    [
        (gender("female", 0.97), "admitted", "97% sure"),
        (gender("female", 0.8), "person", "a person decides"),
        (gender("male", 0.99), "person", "a person decides"),
        (FakeDetector(), "person", "says nothing"),
    ],
)
def test_a_policy_admits_or_hands_over_and_always_says_why(
    folder: Path, detector: FakeDetector, outcome: str, words: str
) -> None:
    door = open_door(folder, detector=detector, policy=GenderPolicy(admits=["female"]))
    door.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    decision = door.verify("Ada", shot(ADA, 9))
    assert decision.outcome == outcome and words in decision.reason
    assert door.identify(shot(ADA, 9)).outcome == outcome


def test_no_policy_reads_gender_unless_asked(folder: Path) -> None:
    door = open_door(folder, detector=gender("male", 0.5))
    door.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    assert door.verify("Ada", shot(ADA, 9)).admitted


def test_a_policy_does_not_let_a_stranger_in(folder: Path) -> None:
    door = open_door(folder, detector=gender("female", 0.99), policy=GenderPolicy(admits=["female"]))
    door.enrol("Ada", [shot(ADA, moment) for moment in range(2)])
    assert door.verify("Ada", shot(BOB, 9)).outcome == "not admitted"


@pytest.mark.parametrize("values", [{"admits": []}, {"admits": ["both"]}, {"admits": "female"}])
def test_a_policy_of_unknown_genders_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(errors.OptionError, match="valid"):
        GenderPolicy(**values)  # type: ignore[arg-type]
    with pytest.raises(errors.OptionError, match=r"0\.5 to 1"):
        GenderPolicy(admits=["male"], min_confidence=0.3)


@pytest.mark.parametrize("values", [{"fmr": 0}, {"fmr": 2}, {"fpir": -1}, {"min_images": 0}, {"max_images": 1}])
def test_options_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(errors.OptionError, match="valid"):
        DoorOptions(**values)  # type: ignore[arg-type]


def test_a_set_is_scored_so_that_its_size_does_not_help_a_stranger() -> None:
    """Each template alone is as like the stranger; neither the highest nor the mean template's cosine counts."""
    axes = np.eye(4, dtype=np.float32)
    stranger = np.full(4, 0.5, np.float32)
    assert similarity(axes[:1], stranger) == similarity(axes[:2], stranger) == similarity(axes, stranger) == 0.5
    assert similarity(np.stack([axes[0], axes[1]]), axes[0]) == 0.5
