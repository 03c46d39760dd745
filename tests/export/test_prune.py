"""Pruning reaches its target exactly, keeps what matters, and shows in the bytes that are written."""

import gzip
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.manifest import InputSpec
from handlens_train.exportable import Match

EMBEDDING = {"embedding": Match("cosine")}


def spec() -> InputSpec:
    return InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    target=st.floats(0, 1),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    block=st.integers(1, 5),
)
def test_masks_zero_exactly_the_target_over_all_kernels(seed: int, target: float, sizes: list[int], block: int) -> None:
    from handlens_export.prune import lamp_masks

    random = np.random.default_rng(seed)
    kernels = {str(i): random.normal(0, 10.0**i, (n, 3)).astype(np.float32) for i, n in enumerate(sizes)}
    masks = lamp_masks(kernels, target, block)
    assert {name: mask.shape for name, mask in masks.items()} == {name: k.shape for name, k in kernels.items()}
    assert sum(int((mask == 0).sum()) for mask in masks.values()) == math.ceil(target * 3 * sum(sizes) - 1e-6)


def test_zeros_come_in_runs_of_the_file() -> None:
    from handlens_export.prune import lamp_masks

    kernels = {
        "a": np.random.default_rng(2).normal(size=(3, 3, 4, 5)),
        "b": np.random.default_rng(3).normal(size=(6, 7)),
    }
    masks = lamp_masks(kernels, 0.5, block=4)
    partial = 0
    for mask in masks.values():
        stored = np.moveaxis(mask, -1, 0).reshape(mask.shape[-1], -1)  # a .tflite has the output channel first
        for row in stored:
            partial += sum(0 < run.sum() < run.size for run in np.split(row, range(4, row.size, 4)))
    assert partial <= 1, "only the run that makes the count exact is cut"
    small = {"a": np.array([[0.1], [0.1], [9.0], [9.0], [5.0], [0.01]])}
    assert lamp_masks(small, 0.34, block=2)["a"].ravel().tolist() == [0, 0, 1, 1, 1, 0]


def test_scores_are_lamp_by_brute_force() -> None:
    from handlens_export.prune import lamp_masks

    random = np.random.default_rng(5)
    kernels = {"a": random.normal(0, 1, (4, 5)), "b": random.normal(0, 30, (3, 3))}
    scored = []
    for name, kernel in kernels.items():
        squares = kernel.ravel() ** 2
        scored += [(s / squares[squares >= s].sum(), name, i) for i, s in enumerate(squares)]
    gone = {(name, i) for _, name, i in sorted(scored)[:12]}
    masks = lamp_masks(kernels, 12 / 29)
    assert gone == {(name, i) for name, mask in masks.items() for i in np.flatnonzero(mask.ravel() == 0)}


def test_the_schedule_rises_to_its_target_and_stays() -> None:
    from handlens_export.prune import RAMP, sparsity_at

    steps = [sparsity_at(p, 0.5) for p in np.linspace(0, 1, 21)]
    assert steps[0] == 0 and steps == sorted(steps)
    assert sparsity_at(RAMP, 0.5) == sparsity_at(1.0, 0.5) == 0.5
    assert sparsity_at(RAMP / 2, 0.5) == pytest.approx(0.5 * 7 / 8), "cubic: most of it goes early"


@pytest.fixture(scope="module")
def networks(keras_tf: Any, tiny: Any, images: np.ndarray) -> dict[str, Any]:
    """The tiny network folded, cut to half without training, and pruned to half with a little fine-tuning."""
    from handlens_export import fold, graph
    from handlens_export.distill import Plan
    from handlens_export.prune import prune

    whole = fold.for_inference(graph.trace(tiny, []))
    plan = Plan(steps=150, rate=2e-3, batch=16, seed=1)
    pruned = prune(whole, list(images), spec(), 0.5, plan, EMBEDDING, block=4)
    cut = prune(whole, list(images), spec(), 0.5, Plan(steps=0, rate=1.0), EMBEDDING, block=4)
    return {"whole": whole, "cut": cut, "pruned": pruned}


def test_half_of_the_prunable_weights_are_zero_and_depthwise_is_whole(networks: dict[str, Any]) -> None:
    from handlens_export.compressed import prunable, zero_fraction

    kernels = prunable(networks["pruned"])
    total = sum(kernel.size for kernel in kernels.values())
    assert zero_fraction(networks["pruned"]) == math.ceil(total / 2) / total
    depthwise = [n for n in networks["pruned"].nodes if n.cls.__name__ == "DepthwiseConv2D"]
    assert len(depthwise) == 4 and all((node.weights[0] != 0).all() for node in depthwise)
    assert not {node.name for node in depthwise} & set(kernels)


def test_fine_tuning_wins_back_what_the_cut_lost(networks: dict[str, Any], images: np.ndarray) -> None:
    from handlens_export import graph
    from handlens_export.distill import distance

    whole, cut, pruned = (graph.build(networks[name]) for name in ("whole", "cut", "pruned"))
    lost, left = (distance(other, whole, list(images), spec(), EMBEDDING) for other in (cut, pruned))
    assert left < 0.6 * lost


def test_the_file_holds_the_zeros_and_gzips_smaller(networks: dict[str, Any], batch: np.ndarray) -> None:
    from handlens_export import convert, graph, ranges, tflite_file

    sizes, zeros = {}, {}
    for name in ("whole", "pruned"):
        network = networks[name]
        found = ranges.calibrate(network, batch[:16], spec())
        model = convert.to_tflite(graph.build(ranges.with_fake_quant(network, found)), "fake-quantized")
        weights = b"".join(array.tobytes() for array in tflite_file.prunable_weights(model))
        sizes[name] = len(gzip.compress(model)), len(gzip.compress(weights))
        zeros[name] = tflite_file.sparsity(model)
    assert zeros["pruned"] >= 0.5 > 0.1 > zeros["whole"]
    assert sizes["pruned"][0] < sizes["whole"][0]
    assert sizes["pruned"][1] < 0.75 * sizes["whole"][1], "the weights alone, without this tiny file's bookkeeping"


@pytest.mark.parametrize("arithmetic", ["float32", "float16", "dynamic"])
def test_zeros_are_read_back_from_every_kind_of_file(networks: dict[str, Any], arithmetic: Any) -> None:
    from handlens_export import convert, graph, tflite_file

    model = convert.to_tflite(graph.build(networks["pruned"]), arithmetic)
    assert tflite_file.sparsity(model) >= 0.5
