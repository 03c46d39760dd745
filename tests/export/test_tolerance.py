"""Golden tolerances: wide enough for other right kernels, far too narrow for a wrong engine."""

from typing import Any

import numpy as np
import pytest

from handlens._sample import sample
from handlens.engine import open_model
from handlens.golden import GENERATORS, Golden, generate, record_goldens
from handlens.image import to_tensor
from handlens.manifest import InputSpec, OutputSpec, Tolerance


@pytest.fixture(scope="module")
def int8(keras_tf: Any, tiny: Any, batch: np.ndarray) -> tuple[bytes, InputSpec, OutputSpec]:
    from handlens_export import convert, fold, graph, ranges

    spec = InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)
    network = fold.for_inference(graph.trace(tiny, []))
    found = ranges.calibrate(network, batch[:32], spec)
    model = convert.to_tflite(graph.build(ranges.with_fake_quant(network, found)), "fake-quantized")
    engine = open_model(model, "tflite")
    (image,), (output,) = engine.inputs, engine.outputs
    spec = InputSpec(
        **{name: getattr(spec, name) for name in ("name", "height", "width", "channels", "scale", "offset")},
        dtype="int8",
        quant_scale=image.quant_scale,
        quant_zero_point=image.quant_zero_point,
    )
    described = OutputSpec(
        name="embedding",
        meaning="embedding",
        shape=output.shape,
        dtype="int8",
        quant_scale=output.quant_scale,
        quant_zero_point=output.quant_zero_point,
        tolerance=Tolerance(absolute=0, relative=0),
    )
    return model, spec, described


def test_it_lies_between_the_noise_of_kernels_and_the_spread_of_answers(int8: Any) -> None:
    from handlens_export import tolerance

    model, spec, output = int8
    scale = output.quant_scale
    engine = open_model(model, "tflite")
    goldens = record_goldens(engine, spec)
    found = tolerance.measured(
        tolerance.Kernels(model, "tflite", spec), "int8", {"embedding": output}, {"embedding": scale}, goldens
    )
    allowed = found["embedding"].absolute
    answers = [engine.run({"image": to_tensor(generate(g, 9, 32, 16, 3), spec)})["embedding"] for g in GENERATORS]
    assert 4 * scale <= allowed < 0.25 * np.ptp(answers, axis=0).max()


def test_engines_that_differ_more_are_allowed_more(int8: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens_export import tolerance

    model, spec, output = int8
    real = tolerance._litert

    def shifted(model: bytes, reference: bool) -> Any:
        run = real(model, reference)
        return lambda name, x: {k: v.astype(np.int16) + 20 * reference for k, v in run(name, x).items()}

    monkeypatch.setattr(tolerance, "_litert", shifted)
    goldens, steps = record_goldens(open_model(model, "tflite"), spec), {"embedding": output.quant_scale}
    found = tolerance.measured(tolerance.Kernels(model, "tflite", spec), "int8", {"embedding": output}, steps, goldens)
    assert found["embedding"].absolute >= 2 * 15 * output.quant_scale


def fake(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], spread: float, place: int, off: float) -> float:
    """The tolerance where goldens vary by `spread`, and one kernel of two is `off` at a place, elsewhere twice it."""
    from handlens_export import tolerance

    def kernels(model: bytes, reference: bool) -> Any:
        def run(name: str, x: np.ndarray) -> dict[str, np.ndarray]:
            values = np.zeros(shape, np.float32)
            carried = any(np.array_equal(x, tensor) for tensor in tensors)
            values.flat[place] += off * reference * (1 if carried else 2)
            return {"points": values}

        return run

    monkeypatch.setattr(tolerance, "_litert", kernels)
    spec = InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-1.0,) * 3)
    output = OutputSpec(name="points", meaning="", shape=shape, tolerance=Tolerance(absolute=0, relative=0))
    patterns = (("noise", 1), ("face", 4))
    tensors = [to_tensor(generate(*pattern, 32, 16, 3), spec) for pattern in patterns]
    goldens = [
        Golden(*pattern, "0" * 64, {"points": sample(np.full(shape, spread * index, np.float32))})
        for index, pattern in enumerate(patterns)
    ]
    kernels = tolerance.Kernels(b"", "tflite", spec)
    return tolerance.measured(kernels, "int8", {"points": output}, {}, goldens)["points"].absolute


def test_of_a_large_output_only_what_goldens_hold_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fake(monkeypatch, (1, 525, 10), 100.0, place=0, off=0.1) == pytest.approx(0.4)
    assert fake(monkeypatch, (1, 525, 10), 100.0, place=1, off=0.1) == 1e-6


def test_goldens_that_vary_little_allow_less_but_never_less_than_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fake(monkeypatch, (1, 8), 1.8, place=0, off=0.1) == pytest.approx(0.3)
    assert fake(monkeypatch, (1, 8), 0.6, place=0, off=0.1) == pytest.approx(0.2)


def test_patterns_on_which_right_engines_part_make_no_goldens(monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens_export import tolerance

    spec = InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-1.0,) * 3)
    known = {to_tensor(generate(g, s, 32, 16, 3), spec).tobytes(): (g, s) for g in GENERATORS for s in tolerance.SEEDS}
    runs = []

    def kernels(model: bytes, reference: bool) -> Any:
        def run(name: str, x: np.ndarray) -> dict[str, np.ndarray]:
            generator, seed = known[x.tobytes()]
            runs.append((generator, seed))
            # One seed of one pattern is enough, and one output of two.
            off = 3.0 if (generator, seed) == ("stripes", 2) else 1.0
            wild = 0.9 if generator == "blobs" else 0.1
            return {"mask": np.full((1, 64, 64, 1), off * reference), "class": np.full((1, 2), wild * reference)}

        return run

    monkeypatch.setattr(tolerance, "_litert", kernels)
    made = tolerance.Kernels(b"", "tflite", spec)
    assert tolerance.steady(made) == tuple(g for g in GENERATORS if g not in ("stripes", "blobs"))
    assert tolerance.steady(made) and len(runs) == 2 * len(known), "no pattern is run a second time"
