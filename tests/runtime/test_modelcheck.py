"""The light look at a model before a real parser sees it: damage ends in one error, never in a crash."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens import _onnx, _tflite
from handlens._malformed import CutShort, Malformed

MODELS = Path(__file__).parents[1] / "golden" / "models"
CHECKS = {
    "tiny_float32.tflite": _tflite.check,
    "tiny_int8.tflite": _tflite.check,
    "tiny_float32.onnx": _onnx.check,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_good_model_passes(name: str) -> None:
    CHECKS[name]((MODELS / name).read_bytes())


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_cut_short_is_called_that(name: str) -> None:
    whole = (MODELS / name).read_bytes()
    for cut in range(20, len(whole) * 3 // 4, 97):
        with pytest.raises(CutShort):
            CHECKS[name](whole[:cut])


@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_crashes_the_check(name: str, data: st.DataObject) -> None:
    model = bytearray((MODELS / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        CHECKS[name](bytes(model))
    except Malformed as error:
        assert str(error)


@pytest.mark.parametrize("check", [_tflite.check, _onnx.check])
@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200))
def test_noise_is_no_model(check: object, content: bytes) -> None:
    for head in (b"", b"\x1c\0\0\0TFL3"):
        with pytest.raises(Malformed):
            assert callable(check)
            check(head + content)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf."""
    return _onnx._varint(number << 3 | 2) + _onnx._varint(len(content)) + content


def test_a_tensor_that_ends_with_the_file_passes() -> None:
    # Its last field, data_location, has no byte at all.
    _onnx.check(field(7, field(5, field(14, b""))))


def test_a_graph_that_nests_without_end_is_refused() -> None:
    graph = b""
    for _ in range(100):
        graph = field(1, field(5, field(6, graph)))  # a node with an attribute that is a graph
    with pytest.raises(Malformed, match="nest deeper"):
        _onnx.check(field(7, graph))


def test_an_index_beyond_the_tensors_is_refused() -> None:
    # The float model's operators name their tensors by 32-bit index: make each candidate word a huge one in turn, and
    # see that at least the operators' own are caught.
    whole = (MODELS / "tiny_float32.tflite").read_bytes()
    caught = 0
    for place in range(0, len(whole) - 4, 4):
        if 0 < int.from_bytes(whole[place : place + 4], "little") < 20:
            changed = whole[:place] + (5000).to_bytes(4, "little") + whole[place + 4 :]
            try:
                _tflite.check(changed)
            except Malformed as error:
                caught += "tensor index 5000" in str(error)
    assert caught >= 8
