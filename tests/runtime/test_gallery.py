"""The gallery: exact search, and a file that is what was saved or is refused."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.errors import GalleryInvalid, GalleryMismatch, InputError, OptionError
from handlens.gallery import Gallery, Match

MODEL = "0123456789abcdef" * 2


def filled(count: int = 12, dimension: int = 8, seed: int = 0) -> Gallery:
    gallery = Gallery(MODEL, dimension)
    gallery.add([f"person {i}" for i in range(count)], np.random.default_rng(seed).normal(size=(count, dimension)))
    return gallery


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any), min_size=1, max_size=30),
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3).filter(any), min_size=1, max_size=5),
    st.integers(1, 35),
)
def test_search_is_exact_ties_in_order_of_adding(known, probes, top_k):
    gallery = Gallery(MODEL, 3)
    half = len(known) // 2
    gallery.add([str(i) for i in range(half)], np.array(known[:half], float).reshape(-1, 3))
    gallery.add([str(i) for i in range(half, len(known))], known[half:])
    unit = gallery.templates
    for probe, found in zip(probes, gallery.search(probes, top_k), strict=True):
        scores = (np.asarray(probe, np.float32) / np.float32(np.linalg.norm(probe))) @ unit.T
        assert len(found) == min(top_k, len(known))
        assert [match.score for match in found] == pytest.approx(sorted(scores, reverse=True)[:top_k], abs=1e-6)
        # Equal scores (to the bit) in the order of adding; and the score is the named template's own.
        for one, two in zip(found, found[1:], strict=False):
            assert one.score > two.score or (one.score == two.score and int(one.name) < int(two.name))
        assert [match.score for match in found] == pytest.approx([scores[int(m.name)] for m in found], abs=1e-6)


def test_a_template_finds_itself_with_score_one():
    gallery = filled()
    for name, found in zip(gallery.names, gallery.search(gallery.templates * 7, 1), strict=True):
        assert found[0].name == name and found[0].score == pytest.approx(1, abs=1e-6)


def test_many_probes_are_searched_in_blocks_alike(monkeypatch):
    gallery, probes = filled(50), np.random.default_rng(1).normal(size=(23, 8))
    whole = gallery.search(probes, 4)
    monkeypatch.setattr("handlens.gallery._BLOCK_SCORES", 100)
    blocks = gallery.search(probes, 4)
    assert [[m.name for m in row] for row in blocks] == [[m.name for m in row] for row in whole]


def test_an_empty_gallery_finds_nobody():
    assert Gallery(MODEL, 3).search(np.ones((2, 3)), 5) == [[], []]


def test_a_saved_gallery_is_the_same_and_the_same_bytes(tmp_path):
    path, again = tmp_path / "people.gallery", tmp_path / "again.gallery"
    gallery = filled()
    gallery.add(["Zoë 河"], np.ones((1, 8)))
    gallery.save(path)
    loaded = Gallery.load(path, MODEL)
    assert (loaded.model_id, loaded.dimension, loaded.names) == (MODEL, 8, gallery.names)
    assert np.allclose(loaded.templates, gallery.templates, atol=1e-7)
    gallery.save(again)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.gallery", "people.gallery"]
    loaded.add(["more"], np.ones((1, 8)))
    assert len(loaded) == len(gallery) + 1


def test_an_empty_gallery_survives_saving(tmp_path):
    Gallery(MODEL, 4).save(tmp_path / "empty")
    assert len(Gallery.load(tmp_path / "empty", MODEL)) == 0


def test_other_tools_read_the_file(tmp_path):
    filled().save(tmp_path / "g")
    with np.load(tmp_path / "g", allow_pickle=False) as parts:
        assert parts["templates"].shape == (12, 8) and parts["templates"].dtype == np.float32
    with zipfile.ZipFile(tmp_path / "g") as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("gallery.json"))["model_id"] == MODEL


def test_another_models_gallery_is_refused_by_name(tmp_path):
    filled().save(tmp_path / "g")
    with pytest.raises(GalleryMismatch, match=f"made by the model {MODEL}, not by other; .*enrol"):
        Gallery.load(tmp_path / "g", "other")


def test_any_changed_byte_is_refused(tmp_path):
    filled(3, 4).save(tmp_path / "g")
    data = (tmp_path / "g").read_bytes()
    for at in range(len(data)):
        (tmp_path / "bad").write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(GalleryInvalid):
            Gallery.load(tmp_path / "bad", MODEL)


def test_any_cut_or_appended_file_is_refused(tmp_path):
    filled(3, 4).save(tmp_path / "g")
    data = (tmp_path / "g").read_bytes()
    for cut in [*(data[:size] for size in range(len(data))), data + b"\0", data + data]:
        (tmp_path / "bad").write_bytes(cut)
        with pytest.raises(GalleryInvalid, match="bad: "):
            Gallery.load(tmp_path / "bad", MODEL)


def sealed(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file with a right seal around whatever is inside: what somebody with intent could write."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
        archive.comment = b"handlens-gallery sha256=" + b"0" * 64
    body = buffer.getvalue()[: -24 - 64]
    return body + b"handlens-gallery sha256=" + hashlib.sha256(body).hexdigest().encode()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype == object)
    return buffer.getvalue()


GOOD = {"schema": 1, "model_id": MODEL, "dimension": 2, "names": ["a"]}
ONE = np.ones((1, 2), np.float32)


@pytest.mark.parametrize(
    ("index", "templates"),
    [
        ({**GOOD, "schema": 2}, ONE),
        ({**GOOD, "names": ["a", "b"]}, ONE),
        ({**GOOD, "names": [1]}, ONE),
        ({**GOOD, "names": "a"}, ONE),
        ({**GOOD, "names": [""]}, ONE),
        ({**GOOD, "dimension": True}, np.ones((1, 1), np.float32)),
        ({**GOOD, "dimension": 0, "names": []}, np.ones((0, 0), np.float32)),
        ({**GOOD, "model_id": None}, ONE),
        ({**GOOD, "model_id": ""}, ONE),
        ([], ONE),
        (GOOD, np.ones((1, 2))),
        (GOOD, np.full((1, 2), np.nan, np.float32)),
        (GOOD, np.zeros((1, 2), np.float32)),
        (GOOD, np.array([[{}, {}]], object)),
    ],
)
def test_a_resealed_file_with_a_wrong_inside_is_refused(tmp_path, index, templates):
    path = tmp_path / "g"
    path.write_bytes(sealed({"templates.npy": npy(ONE), "gallery.json": json.dumps(GOOD).encode()}))
    assert len(Gallery.load(path, MODEL)) == 1
    path.write_bytes(sealed({"templates.npy": npy(templates), "gallery.json": json.dumps(index).encode()}))
    with pytest.raises(GalleryInvalid, match="g: "):
        Gallery.load(path, MODEL)


def test_a_resealed_file_that_unpacks_to_more_than_itself_is_refused(tmp_path):
    parts = {"templates.npy": npy(np.zeros((1, 100_000), np.float32)), "gallery.json": json.dumps(GOOD).encode()}
    (tmp_path / "g").write_bytes(sealed(parts, zipfile.ZIP_DEFLATED))
    with pytest.raises(GalleryInvalid, match="compressed"):
        Gallery.load(tmp_path / "g", MODEL)


@settings(max_examples=150, deadline=None)
@given(index=st.binary(max_size=40), templates=st.binary(max_size=80), good=st.booleans())
def test_resealed_garbage_is_refused_and_never_more(tmp_path_factory, index, templates, good):
    path = tmp_path_factory.getbasetemp() / "garbage.gallery"
    head = npy(ONE)[:60] if good else b""
    path.write_bytes(sealed({"templates.npy": head + templates, "gallery.json": index}))
    with pytest.raises(GalleryInvalid):
        Gallery.load(path, MODEL)


def test_what_is_no_gallery_is_named(tmp_path):
    (tmp_path / "text").write_text("no gallery")
    with pytest.raises(GalleryInvalid, match="not a gallery file"):
        Gallery.load(tmp_path / "text", MODEL)
    with pytest.raises(GalleryInvalid, match="cannot be read"):
        Gallery.load(tmp_path / "gone", MODEL)


@pytest.mark.parametrize(
    ("names", "templates", "message"),
    [
        (["a"], np.ones((2, 8)), "1 names for 2 templates"),
        (["a"], np.ones((1, 7)), r"expected \(N, 8\)"),
        (["a"], np.ones(8), r"expected \(N, 8\)"),
        (["a", "b"], np.eye(8)[:2] * [[1], [0]], "template 1 is zero"),
        (["a"], np.full((1, 8), np.inf), "not finite"),
        ([""], np.ones((1, 8)), "non-empty texts"),
        ("a", np.ones((1, 8)), "list of non-empty texts"),
        (["a"], [["x"] * 8], "no array of numbers"),
    ],
)
def test_bad_additions_add_nothing(names, templates, message):
    gallery = filled()
    with pytest.raises(InputError, match=message):
        gallery.add(names, templates)
    assert len(gallery) == 12 and gallery.templates.shape == (12, 8)


def test_bad_questions_are_refused():
    with pytest.raises(OptionError, match="top_k is 0"):
        filled().search(np.ones((1, 8)), 0)
    with pytest.raises(InputError, match="expected"):
        filled().search(np.ones((1, 9)))
    with pytest.raises(OptionError, match="dimension is 0"):
        Gallery(MODEL, 0)


def test_templates_cannot_be_changed_from_outside():
    gallery = filled()
    with pytest.raises(ValueError, match="read-only"):
        gallery.templates[0] = 0
    source = np.ones((1, 8), np.float32) / np.float32(np.sqrt(8))
    gallery.add(["mine"], source)
    source[:] = 9
    assert gallery.search(np.ones((1, 8)), 1) == [[Match("mine", pytest.approx(1, abs=1e-6))]]


def test_huge_numbers_do_not_overflow():
    gallery = Gallery(MODEL, 2)
    gallery.add(["a"], np.array([[1e30, 0]], np.float32))
    assert gallery.search([[1.0, 0.0]], 1)[0][0].score == 1
