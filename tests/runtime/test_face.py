"""Detector, gender and verifier: what a caller sees of the models' answers."""

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_faces
from fake_engine import FakeEngine
from tiny_faces import FEMALE, MALE, scene

from handlens import Face, FaceDetector, FaceVerifier, Gender, GenderClassifier
from handlens.artifact import Artifact
from handlens.errors import (
    EngineWrong,
    ImageShapeError,
    ImageUnreadable,
    InputError,
    ManifestInvalid,
    OptionError,
    RateUnsupported,
)
from handlens.face import DetectorOptions, face_crop
from handlens.golden import default_tolerance, generate
from handlens.manifest import InputSpec, Manifest, OutputSpec, Threshold

POINTS = np.array(tiny_faces.TEMPLATE).reshape(5, 2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("faces")
    return {name: tiny_faces.write(folder, name) for name in ("tiny_detector", "tiny_verifier")}


@pytest.fixture
def finder(files: dict[str, Artifact]) -> FaceDetector:
    return FaceDetector.load(files["tiny_detector"].path)


def answering(manifest: Manifest, options: DetectorOptions | None = None, **outputs: np.ndarray) -> FaceDetector:
    """A detector of one stride of 16 on 64 x 64 whose model gives these outputs, and 0 (score: -9) elsewhere."""
    base = {spec.name: np.zeros(spec.shape, np.float32) for spec in manifest.outputs}
    base["score"] -= 9
    for name, values in outputs.items():
        base[name][0, : len(values)] = values
    return FaceDetector(FakeEngine(base), manifest, options)


def test_a_drawn_face_is_found_where_it_is(finder: FaceDetector) -> None:
    faces = finder.detect(scene([(1, 2, FEMALE), (3, 0, MALE)]))
    assert [face.gender.label for face in sorted(faces, key=lambda face: face.box[1])] == ["female", "male"]
    first, second = sorted(faces, key=lambda face: face.box[1])
    assert np.allclose(np.add(first.box[:2], first.box[2:]) / 2, (40, 24), atol=0.01)
    assert first.width == first.height == pytest.approx(16 * math.exp(0.5 * 230 / 255), abs=0.01)
    assert first.points[0][0] < first.points[1][0] and first.points[0][1] < first.points[3][1]
    assert np.allclose(first.points[2], (40, 24), atol=0.01)
    assert all(0.5 < face.score <= 1 and 0.5 <= face.gender.confidence <= 1 for face in faces)
    assert first.gender.confidence == pytest.approx(1 / (1 + math.exp(-8 * 210 / 255)), abs=1e-3)
    assert finder.detect(scene([])) == ()


@pytest.mark.parametrize("size", [(128, 128), (256, 128), (96, 192), (31, 57), (500, 333)])
def test_boxes_and_points_come_back_into_the_image_from_the_letterbox(
    finder: FaceDetector, size: tuple[int, int]
) -> None:
    height, width = size
    inner = min(64 / height, 64 / width)
    left, top = (64 - width * inner) / 2, (64 - height * inner) / 2
    image = np.full((height, width, 3), tiny_faces.DIM, np.uint8)
    x1, y1 = ((32 - left) / inner, (32 - top) / inner)
    image[max(round(y1), 0) : round(y1 + 16 / inner), max(round(x1), 0) : round(x1 + 16 / inner)] = FEMALE
    (face,) = finder.detect(image)
    reach = 8 * math.exp(0.5 * 230 / 255)
    ends = np.array(
        [x1 + (8 - reach) / inner, y1 + (8 - reach) / inner, x1 + (8 + reach) / inner, y1 + (8 + reach) / inner]
    )
    assert np.allclose(face.box, np.clip(ends, 0, [width, height] * 2), atol=1.2 / inner)
    assert np.allclose(face.points[2], (x1 + 8 / inner, y1 + 8 / inner), atol=1.2 / inner)


def test_files_bytes_and_arrays_give_the_same_faces(finder: FaceDetector, tmp_path: Path) -> None:
    image = scene([(1, 2, FEMALE)])
    data = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    (tmp_path / "a.png").write_bytes(data)
    faces = finder.detect(image)
    assert finder.detect(data) == finder.detect(tmp_path / "a.png") == finder.detect(str(tmp_path / "a.png")) == faces
    with pytest.raises(ImageUnreadable, match="no such file"):
        finder.detect(tmp_path / "gone.png")


def test_boxes_end_at_the_images_edge_and_points_do_not(finder: FaceDetector) -> None:
    (face,) = finder.detect(scene([(0, 0, FEMALE)], scale=2))
    assert face.box[:2] == (0.0, 0.0) and 32 < face.box[2] < 48
    manifest = finder.manifest
    (face,) = answering(manifest, score=[[5]], points=[[-2] * 10]).detect(scene([]))
    assert face.points[0] == (8 - 32, 8 - 32)


def test_a_face_on_the_letterboxs_border_is_none(finder: FaceDetector) -> None:
    wide = np.full((64, 256, 3), 30, np.uint8)  # its picture fills rows 24 to 40 of the input
    inside = answering(finder.manifest, score=[[-9]] * 4 + [[5]])
    assert len(inside.detect(wide)) == 1
    assert answering(finder.manifest, score=[[5]]).detect(wide) == ()


def test_the_best_come_first_and_doubles_go(finder: FaceDetector) -> None:
    scores = [[1], [4], [2], [3]]
    shifted = [[0, 0, 0, 0], [-0.7, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]  # the second lies upon the first
    faces = answering(finder.manifest, score=scores, box=shifted).detect(scene([]))
    assert [round(face.score, 3) for face in faces] == [
        pytest.approx(1 / (1 + math.exp(-value)), abs=1e-3) for value in (4, 3, 2)
    ]
    loose = answering(finder.manifest, DetectorOptions(nms_iou=0.9), score=scores, box=shifted)
    assert len(loose.detect(scene([]))) == 4


def test_options_change_what_is_returned(finder: FaceDetector) -> None:
    scores, sizes = [[0.5], [1], [2], [3]], [[0, 0, 0, 0]] * 3 + [[0, 0, -1, 0]]

    def found(**options: object) -> list[int]:
        detector = answering(finder.manifest, DetectorOptions(**options), score=scores, box=sizes)
        return [int(face.box[0] // 16) for face in detector.detect(scene([]))]

    assert found() == [3, 2, 1, 0]
    assert found(score_threshold=0.7) == [3, 2, 1]
    assert found(max_faces=2) == [3, 2]
    assert found(min_size=10) == [2, 1, 0]
    assert finder.options == DetectorOptions(score_threshold=0.5, nms_iou=0.4, max_faces=200, min_size=0)


@pytest.mark.parametrize(
    "options", [{"score_threshold": 1.1}, {"nms_iou": -0.1}, {"max_faces": 0}, {"min_size": -1}, {"min_size": math.inf}]
)
def test_options_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(options))} is .*valid"):
        DetectorOptions(**options)


def test_weighted_suppression_takes_the_mean_of_doubles(finder: FaceDetector) -> None:
    weighted = dataclasses.replace(finder.manifest, decoding={**finder.manifest.decoding, "nms": "weighted"})
    boxes = [[0, 0, 0, 0], [-0.75, 0, 0, 0]]  # from 0 to 16, and from 4 to 20
    (face,) = answering(weighted, score=[[3], [3]], box=boxes).detect(scene([]))
    assert face.box == pytest.approx((2, 0, 18, 16), abs=1e-3)


def test_outputs_that_are_not_finite_are_the_engines_fault(finder: FaceDetector) -> None:
    with pytest.raises(EngineWrong, match="fake 1"):
        answering(finder.manifest, score=[[5]], box=[[math.nan] * 4]).detect(scene([]))


def test_a_detector_wants_its_own_manifest(files: dict[str, Artifact]) -> None:
    with pytest.raises(OptionError, match="task 'face-verifier'; expected 'face-detector'"):
        FaceDetector.load(files["tiny_verifier"].path)
    described = files["tiny_detector"].manifest
    aligned = dataclasses.replace(described.input, geometry="align", template=tiny_faces.TEMPLATE)
    with pytest.raises(ManifestInvalid, match="cannot take aligned faces"):
        FaceDetector(FakeEngine({}), dataclasses.replace(described, input=aligned))


def test_a_face_as_json() -> None:
    face = Face((1.234, 2, 3, 4), 0.98765, ((1.0, 2.0),) * 5, Gender("female", 0.9))
    assert face.to_dict() == {
        "box": [1.23, 2, 3, 4],
        "score": 0.9877,
        "points": [[1.0, 2.0]] * 5,
        "gender": {"label": "female", "confidence": 0.9},
    }
    assert Face((0, 0, 1, 1), 1.0).to_dict() == {"box": [0, 0, 1, 1], "score": 1.0, "points": None, "gender": None}


def classifier(logits: list[float], **changes: object) -> GenderClassifier:
    output = OutputSpec(name="gender", meaning="logit of female", shape=(1, 1), tolerance=default_tolerance("float32"))
    source = InputSpec(name="face", height=16, width=16, channels=3, scale=(1.0,) * 3, offset=(0.0,) * 3)
    fields = {"task": "gender", "labels": ("male", "female"), "decoding": {}, "input": source, "outputs": (output,)}
    manifest = tiny_faces.describe("tiny_detector", (output,), **{**fields, **changes})
    answers = iter(logits)
    return GenderClassifier(FakeEngine(lambda feeds: {"gender": [[next(answers)]]}), manifest)


def test_gender_follows_the_logit_of_female() -> None:
    found = classifier([2.0, -3.0, 0.0]).classify([generate("face", seed, 40, 30, 3) for seed in (1, 2, 3)])
    assert [gender.label for gender in found] == ["female", "male", "male"]
    assert [gender.confidence for gender in found] == pytest.approx([0.8808, 0.9526, 0.5], abs=1e-4)


def test_bad_crops_and_bad_gender_models_are_explained() -> None:
    good = generate("face", 1, 40, 30, 3)
    with pytest.raises(InputError, match=r"classify\(\[crop\]\)"):
        classifier([1.0]).classify(good)
    with pytest.raises(ImageShapeError, match="crop 1: .*three equal channels"):
        classifier([1.0, 1.0]).classify([good, good[:, :, 0]])
    with pytest.raises(EngineWrong, match="crop 0"):
        classifier([math.nan]).classify([good])
    with pytest.raises(ManifestInvalid, match="logit of female"):
        classifier([1.0], labels=("female", "male"))


def test_a_crop_shows_the_face_upright_where_utkface_has_it() -> None:
    upright = np.array([(30.3, 28.3), (69.7, 28.3), (50, 52.3), (32.9, 67.2), (67.1, 67.2)])
    image = generate("face", 1, 100, 100, 3)
    face = Face((0, 0, 100, 100), 1.0, tuple(map(tuple, upright)))
    assert np.array_equal(face_crop(image, face), image)
    turned = np.ascontiguousarray(np.rot90(image))
    points = tuple((y, 100 - x) for x, y in upright)
    assert np.array_equal(face_crop(turned, Face((0, 0, 100, 100), 1.0, points)), image)


def test_a_crop_by_box_is_square_and_black_outside() -> None:
    image = np.full((100, 80, 3), 200, np.uint8)
    assert face_crop(image, (20, 20, 60, 72)).shape == (46, 46, 3) and face_crop(image, (20, 20, 60, 70)).min() == 200
    corner = face_crop(image, (-20, -20, 20, 20))
    assert corner[0, 0, 0] == 0 and corner[-1, -1, 0] == 200
    assert np.array_equal(face_crop(image, Face((20, 20, 60, 70), 1.0)), face_crop(image, (20, 20, 60, 70)))
    for box in ((5, 5, 5, 9), (0, 0, math.nan, 4), (0, 0, 9000, 9000)):
        with pytest.raises(ImageShapeError, match="expected a face"):
            face_crop(image, box)


@pytest.fixture
def teller(files: dict[str, Artifact]) -> FaceVerifier:
    return FaceVerifier.load(files["tiny_verifier"].path)


def test_a_face_embeds_alike_wherever_it_is_in_the_picture(teller: FaceVerifier) -> None:
    face, other = (generate("face", seed, 28, 28, 3) for seed in (1, 2))
    image = np.full((200, 150, 3), 128, np.uint8)
    image[20:48, 10:38] = face
    image[100:156, 60:116] = np.kron(face, np.ones((2, 2, 1), np.uint8))
    image[160:188, 100:128] = other
    places = [POINTS + (10, 20), 2 * POINTS + (60, 100), POINTS + (100, 160)]
    templates = teller.embed(image, np.array(places))
    assert templates.shape == (3, teller.dimension) == (3, 48) and templates.dtype == np.float32
    assert np.allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-6)
    assert teller.compare(templates[0], templates[1]) > 0.999
    assert teller.compare(templates[0], templates[2]) < 0.95
    faces = [Face((0, 0, 1, 1), 1.0, tuple(map(tuple, points))) for points in places]
    assert np.array_equal(teller.embed(image, faces), templates)
    assert teller.embed(image, []).shape == (0, 48)
    gallery = teller.gallery()
    gallery.add(["one", "same", "other"], templates)
    assert gallery.model_id == teller.model_id and [hit.name for hit in gallery.search(templates[:1], 2)[0]] == [
        "one",
        "same",
    ]


def test_faces_that_cannot_be_embedded_are_named(teller: FaceVerifier) -> None:
    image = generate("face", 1, 60, 60, 3)
    with pytest.raises(InputError, match="face 1 has no points"):
        teller.embed(image, [Face((0, 0, 1, 1), 1.0, tuple(map(tuple, POINTS))), Face((0, 0, 1, 1), 1.0)])
    with pytest.raises(InputError, match=r"embed\(image, \[face\]\)"):
        teller.embed(image, Face((0, 0, 1, 1), 1.0))
    with pytest.raises(InputError, match=r"shape \(5, 2\); expected \(N, 5, 2\)"):
        teller.embed(image, POINTS)
    with pytest.raises(ImageShapeError, match="face 0: points are"):
        teller.embed(image, np.ones((1, 5, 2)))


def test_comparing_is_the_cosine_and_refuses_what_is_no_template(teller: FaceVerifier) -> None:
    one, other = np.zeros(48), np.zeros(48)
    one[0], other[:2] = 3, (1, 1)
    assert teller.compare(one, other) == pytest.approx(math.sqrt(0.5)) and teller.compare(one, -one) == -1.0
    for bad in (np.ones(47), np.zeros(48), np.full(48, np.nan)):
        with pytest.raises(InputError, match="expected 48 numbers"):
            teller.compare(one, bad)


def test_a_rate_without_the_comparisons_behind_it_is_refused(teller: FaceVerifier) -> None:
    assert teller.threshold(0.01).value == pytest.approx(0.99)
    with pytest.raises(RateUnsupported, match=r"0\.001;.*0\.1 \(1,000 comparisons\), 0\.01.*at least 3,000"):
        teller.threshold(1e-3)
    thin = Threshold(target_fmr=1e-3, value=0.5, comparisons=2999, low=0.0, high=0.01)
    enough = dataclasses.replace(thin, target_fmr=1e-2)
    manifest = dataclasses.replace(teller.manifest, thresholds=(thin, enough))
    made = FaceVerifier(FakeEngine({}), manifest)
    assert made.threshold(0.01) == enough
    with pytest.raises(RateUnsupported, match="more people"):
        made.threshold(0.001)


def test_a_verifier_wants_aligned_faces(files: dict[str, Artifact]) -> None:
    described = files["tiny_verifier"].manifest
    plain = dataclasses.replace(described.input, geometry="resize", template=())
    with pytest.raises(ManifestInvalid, match="has geometry align; .* has resize"):
        FaceVerifier(FakeEngine({}), dataclasses.replace(described, input=plain))
