"""AttributeClassifier on a tiny model: each head's answer, by the labels that ride in the artifact."""

import dataclasses
import importlib.metadata
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_attributes
from fake_engine import FakeEngine

import handlens
from handlens import AttributeClassifier, cli
from handlens.errors import (
    EngineError,
    EngineWrong,
    ImageShapeError,
    ImageUnreadable,
    InputError,
    ManifestInvalid,
    OptionError,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def person(colour: tuple[int, int, int], height: int = 40, width: int = 20) -> np.ndarray:
    """A crop of one colour, RGB."""
    return np.full((height, width, 3), colour, np.uint8)


RED, GREEN, BLUE = person((220, 20, 20)), person((20, 220, 20)), person((20, 20, 220))


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return tiny_attributes.write(tmp_path / "tiny.onnx").path


def test_each_head_names_the_likeliest_label(artifact: Path) -> None:
    with AttributeClassifier.load(artifact) as model:
        assert model.labels == tiny_attributes.HEADS
        answers = model.classify([RED, GREEN, BLUE])
    assert [found["torso_colour"].label for found in answers] == ["red", "green", "blue"]
    assert [found["gender"].label for found in answers] == ["female", "male", "male"]
    assert list(answers[0]) == ["torso_colour", "gender"]
    assert answers[0].labels() == {"torso_colour": "red", "gender": "female"}


def test_confidences_are_the_softmax_of_the_logits(artifact: Path) -> None:
    with AttributeClassifier.load(artifact) as model:
        (found,) = model.classify([RED])
    means = RED[0, 0] / 128 - 1
    raised = np.exp(8 * means)
    for label, share in zip(("red", "green", "blue"), raised / raised.sum(), strict=True):
        assert found.confidences()["torso_colour"][label] == pytest.approx(share, rel=1e-4)
    assert found["torso_colour"].confidence == max(found.confidences()["torso_colour"].values())
    for values in found.confidences().values():
        assert sum(values.values()) == pytest.approx(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found["gender"].label = "male"  # type: ignore[misc]


def test_a_mirrored_model_takes_the_mean_of_both_views() -> None:
    def left_half(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        red, green, blue = feeds["image"][0, :, :4].mean(axis=(0, 1))
        return {"torso_colour": np.array([[red, green, blue]]), "gender": np.zeros((1, 2))}

    crop = np.concatenate([person((250, 0, 0), width=10), person((0, 130, 250), width=10)], axis=1)
    decoding = dict(tiny_attributes.describe().decoding)
    (once,) = fake(left_half).classify([crop])
    (both,) = fake(left_half, decoding=decoding | {"mirror": True}).classify([crop])
    assert once["torso_colour"].confidence > both["torso_colour"].confidence
    assert both.confidences()["torso_colour"]["red"] == pytest.approx(both.confidences()["torso_colour"]["blue"])
    (mirrored,) = fake(left_half, decoding=decoding | {"mirror": True}).classify([crop[:, ::-1]])
    for label, sure in both.confidences()["torso_colour"].items():
        assert mirrored.confidences()["torso_colour"][label] == pytest.approx(sure, abs=0.01)


def test_the_mirror_turns_columns_where_channels_come_first_too() -> None:
    seen = []

    def keep(feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        seen.append(feeds["image"])
        return {"torso_colour": np.zeros((1, 3)), "gender": np.zeros((1, 2))}

    described = tiny_attributes.describe()
    mirrored = dict(described.decoding) | {"mirror": True}
    crop = np.random.default_rng(1).integers(0, 256, (16, 8, 3)).astype(np.uint8)
    fake(keep, decoding=mirrored).classify([crop])
    fake(keep, decoding=mirrored, input=dataclasses.replace(described.input, layout="NCHW")).classify([crop])
    for straight, turned, axis in ((*seen[:2], 2), (*seen[2:], 3)):
        assert np.array_equal(np.flip(straight, axis), turned)


def test_files_bytes_and_arrays_mix_and_keep_their_order(artifact: Path, tmp_path: Path) -> None:
    file = tmp_path / "green.png"
    cv2.imwrite(str(file), GREEN[..., ::-1])
    encoded = cv2.imencode(".png", BLUE[..., ::-1])[1].tobytes()
    with AttributeClassifier.load(artifact) as model:
        found = [one["torso_colour"].label for one in model.classify([encoded, file, RED, str(file)])]
        assert found == ["blue", "green", "red", "green"]
        assert model.classify([]) == []


@pytest.mark.parametrize("one", ["a.jpg", b"\xff\xd8", RED])
def test_one_crop_where_several_are_expected_is_explained(artifact: Path, one: object) -> None:
    with AttributeClassifier.load(artifact) as model, pytest.raises(InputError, match=r"classify\(\[crop\]\)"):
        model.classify(one)  # type: ignore[arg-type]


def test_a_bad_crop_is_named_by_its_place(artifact: Path, tmp_path: Path) -> None:
    with AttributeClassifier.load(artifact) as model:
        with pytest.raises(ImageUnreadable, match=r"crop 1: .*gone\.jpg"):
            model.classify([RED, tmp_path / "gone.jpg"])
        with pytest.raises(ImageShapeError, match="crop 0: .*grey.* names colours"):
            model.classify([person((90, 90, 90))])


def test_a_head_that_is_not_there_is_said_with_those_that_are(artifact: Path) -> None:
    with AttributeClassifier.load(artifact) as model:
        (found,) = model.classify([RED])
    with pytest.raises(InputError, match="no head 'hat'; it has torso_colour, gender"):
        found["hat"]


def fake(answer: object, **changes: object) -> AttributeClassifier:
    manifest = dataclasses.replace(tiny_attributes.describe(), **changes)  # type: ignore[arg-type]
    return AttributeClassifier(FakeEngine(answer), manifest)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_not_finite_is_found_out(value: float) -> None:
    model = fake({"torso_colour": np.array([[1, value, 0]]), "gender": np.zeros((1, 2))})
    with pytest.raises(EngineWrong, match="crop 0: torso_colour is not finite on fake"):
        model.classify([RED])


def test_huge_logits_are_no_overflow() -> None:
    model = fake({"torso_colour": np.array([[3e4, -3e4, 0]]), "gender": np.zeros((1, 2))})
    (found,) = model.classify([RED])
    assert found["torso_colour"].confidence == 1.0 and found["gender"].confidence == 0.5


@pytest.mark.parametrize(
    ("decoding", "words"),
    [
        ({}, "decoding lacks kind, labels"),
        ({"kind": "boxes", "labels": {}}, "valid: heads"),
        ({"kind": "heads", "labels": {}, "mirror": 1}, "decoding.mirror is 1; expected true or false"),
        ({"kind": "heads", "labels": {"gender": ["male", "female"]}}, "the outputs are torso_colour, gender"),
        (
            {"kind": "heads", "labels": {"torso_colour": ["red", "green"], "gender": ["male", "female"]}},
            "torso_colour has 2 labels",
        ),
        (
            {"kind": "heads", "labels": {"torso_colour": ["red", "red", "blue"], "gender": ["male", "female"]}},
            "each once",
        ),
    ],
)
def test_a_manifest_that_does_not_label_each_logit_is_refused(decoding: dict[str, object], words: str) -> None:
    with pytest.raises(ManifestInvalid, match=words):
        fake({}, decoding=decoding)


def test_an_artifact_of_another_task_and_a_closed_model_are_refused(artifact: Path) -> None:
    with pytest.raises(OptionError, match="task 'reid'; expected 'attributes'"):
        fake({}, task="reid")
    model = AttributeClassifier.load(artifact)
    model.close()
    with pytest.raises(EngineError, match="closed"):
        model.classify([RED])


def call(*arguments: object) -> int:
    entry = importlib.metadata.EntryPoint("attributes", "handlens.commands.attributes:attributes", cli.GROUP)
    with pytest.raises(SystemExit) as stopped:
        cli.run(entry, [str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def test_the_command_prints_each_head_and_json_all_confidences(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "red.png"
    cv2.imwrite(str(file), RED[..., ::-1])
    assert call(file, "--model", artifact) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{file}:" and shown[1].split() == ["torso_colour", "red", "1.00"]
    assert call(file, "--model", artifact, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["labels"] == {"torso_colour": "red", "gender": "female"}
    assert list(found["confidences"]["torso_colour"]) == ["red", "green", "blue"]


def test_the_command_goes_on_behind_a_file_that_cannot_be_read(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "red.png"
    cv2.imwrite(str(file), RED[..., ::-1])
    assert call(tmp_path / "gone.png", file, "--model", artifact) == 2
    out, err = capsys.readouterr()
    assert "torso_colour" in out and "gone.png" in err and "1 of 2 images" in err


def test_the_names_are_where_a_user_looks_for_them() -> None:
    from handlens.person import Attributes

    assert handlens.AttributeClassifier is AttributeClassifier and handlens.Attributes is Attributes
