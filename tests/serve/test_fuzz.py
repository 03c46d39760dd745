"""Three hundred of the mutated images that `benchmarks/fuzz_images.py` makes ten thousand of: no crash, no growth."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from handlens.errors import InputError
from handlens.serve.limits import Limits
from handlens.serve.problems import answer

from .conftest import make_service

pytest.importorskip("skimage", reason="scikit-image, which brings the photographs, is not installed")
STATUS = Path("/proc/self/status")


@pytest.fixture(scope="module")
def mutants() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", Path(__file__).parents[2] / "benchmarks/mutants.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resident() -> float:
    """MiB of this process."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from Linux's /proc")
def test_mutated_images_are_answered_or_refused_and_leave_nothing_behind(mutants: ModuleType) -> None:
    service = make_service(Limits(pixels=10_000_000))
    kinds, refused, before = set(), set(), 0.0
    for number in range(300):
        kind, data = mutants.make(number)
        try:
            found = service.detect(data)
            assert found.width * found.height <= 10_000_000
            kinds.add(kind)
        except InputError as error:
            refused.add(answer(error).status_code)
        if number == 99:
            before = resident()
    assert refused == {413, 415, 422}
    assert kinds >= {"good", "odd_mode", "odd_size", "exif"}
    assert resident() - before < 64


def test_a_mutant_is_made_again_from_its_number(mutants: ModuleType) -> None:
    for number in range(len(mutants.KINDS)):
        assert mutants.make(number) == mutants.make(number)
