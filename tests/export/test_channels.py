"""Removing channels: what nobody reads may go without a trace, what is shared stays, and the rest takes over."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handlens.errors import OptionError
from handlens.manifest import InputSpec
from handlens_train.exportable import Match

EMBEDDING = {"embedding": Match("cosine")}
SPEC = InputSpec(name="image", height=32, width=16, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)


def residual(keras: Any, x: Any) -> Any:
    """An inverted residual with an addition, between two widths that it must keep."""
    layers = keras.layers
    y = layers.Conv2D(40, 1, activation="relu6", name="expand")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    y = layers.Conv2D(x.shape[-1], 1, name="project")(layers.ReLU(6.0)(y))
    return layers.Add()([x, y])


def squeeze_excite(keras: Any, x: Any) -> Any:
    layers = keras.layers
    y = layers.Conv2D(32, 1, activation="swish", name="expand")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(16, 1, activation="swish", name="squeeze")(gate)
    gate = layers.Conv2D(32, 1, activation="sigmoid", name="excite")(gate)
    return layers.Conv2D(8, 1, name="project")(layers.Multiply()([y, gate]))


def stacked(keras: Any, x: Any) -> Any:
    """Plain convolutions and pooling, as in the early reports."""
    x = keras.layers.Conv2D(24, 3, padding="same", activation="relu", name="first")(x)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(32, 3, 2, padding="same", name="second")(x))
    return keras.layers.Conv2D(8, 3, dilation_rate=2, padding="same", name="third")(keras.layers.PReLU()(x))


def decoder(keras: Any, x: Any) -> Any:
    """A skip connection that is concatenated, and a transposed convolution on either side."""
    layers = keras.layers
    skip = layers.Conv2D(24, 3, padding="same", activation="relu", name="skip")(x)
    y = layers.Conv2D(24, 2, 2, activation="relu", name="down")(skip)
    y = layers.ReLU()(layers.Conv2DTranspose(24, 2, 2, name="up")(layers.UpSampling2D(interpolation="bilinear")(y)))
    y = layers.Concatenate()([layers.MaxPooling2D()(y), skip])
    return layers.Conv2D(8, 1, name="join")(y)


def depth_multiplied(keras: Any, x: Any) -> Any:
    y = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(keras.layers.Conv2D(24, 1, name="wide")(x))
    return keras.layers.Conv2D(8, 1, name="narrow")(y)


NETS = {
    "inverted residual": (residual, {"expand"}),
    "squeeze-excite": (squeeze_excite, {"stem", "expand", "squeeze", "project"}),
    "plain stack": (stacked, {"stem", "first", "second", "third"}),
    "decoder": (decoder, {"stem", "skip", "down", "up", "join"}),
    "depth multiplier": (depth_multiplied, {"stem", "wide", "narrow"}),
}


@pytest.fixture(scope="module")
def make(keras_tf: Any) -> Callable[..., Any]:
    """Traces a body between a stem of 16 channels and a flat dense head."""
    from handlens_export import fold, graph

    def build(body: Any, width: int = 16) -> Any:
        keras_tf.utils.set_random_seed(4)
        image = keras_tf.Input((32, 16, 3), name="image")
        x = keras_tf.layers.Conv2D(width, 3, 2, padding="same", activation="relu6", name="stem")(image)
        x = keras_tf.layers.AveragePooling2D((4, 2))(body(keras_tf, x))
        x = keras_tf.layers.Dense(12, name="head")(keras_tf.layers.Flatten()(x))
        return fold.for_inference(graph.trace(keras_tf.Model(image, {"embedding": x}), []))

    return build


def outputs(network: Any, batch: np.ndarray) -> np.ndarray:
    from handlens_export import graph

    return np.asarray(graph.build(network).predict(batch, verbose=0)["embedding"])


def unread(network: Any, ids: Any, gone: np.ndarray) -> Any:
    """The network with nothing reading some channels: every weight that multiplies them is zero."""
    weights = {}
    for node in network.nodes:
        if node.cls.__name__ in ("Conv2D", "Conv2DTranspose"):
            kernel, bias = node.weights
            dead = np.isin(ids[node.inputs[0]], gone)
            weights[node.name] = np.where(dead if node.cls.__name__ != "Conv2D" else dead[:, None], 0, kernel), bias
    return network.with_weights(weights)


@pytest.mark.parametrize("name", NETS)
def test_channels_that_nobody_reads_go_without_a_trace(name: str, make: Any, batch: np.ndarray) -> None:
    from handlens_export.channels import channels_of, without

    body, free = NETS[name]
    network = make(body)
    channels = channels_of(network)
    assert free == {group.name for group in channels.groups}
    gone = np.concatenate([group.ids[1::2] for group in channels.groups])
    dead = unread(network, channels.ids, gone)
    smaller = without(dead, gone, channels.ids)
    np.testing.assert_allclose(outputs(smaller, batch[:8]), outputs(dead, batch[:8]), rtol=0, atol=1e-5)
    assert smaller.parameters() < 0.9 * network.parameters()
    assert np.ptp(outputs(dead, batch[:8]), axis=0).min() > 1e-3, "the network is alive"


@pytest.mark.parametrize("kind", ["softmax", "operation", "grouped", "sum of two"])
def test_what_is_not_known_to_work_by_channel_keeps_its_channels(kind: str, make: Any) -> None:
    from handlens_export.channels import channels_of

    def body(keras: Any, x: Any) -> Any:
        if kind == "softmax":
            return keras.layers.Activation("softmax")(x)
        if kind == "operation":
            return keras.ops.flip(x, axis=-1)
        if kind == "grouped":
            return keras.layers.Conv2D(16, 3, groups=2, padding="same")(x)
        return x + keras.layers.Conv2D(16, 1, name="other")(x)

    assert {group.name for group in channels_of(make(body)).groups} == set()


def test_a_channel_takes_its_depthwise_kernel_along_and_residual_widths_stay(make: Any) -> None:
    from handlens_export.channels import channels_of, without

    network = make(residual)
    channels = channels_of(network)
    (group,) = channels.groups
    assert group.name == "expand" and group.readers == ("project",) and len(group.ids) == 40
    smaller = {node.name: node for node in without(network, group.ids[:16], channels.ids).nodes}
    whole = {node.name: node for node in network.nodes}
    assert smaller["depthwise"].weights[0].shape == (3, 3, 24, 1)
    np.testing.assert_array_equal(smaller["depthwise"].weights[0], whole["depthwise"].weights[0][:, :, 16:])
    np.testing.assert_array_equal(smaller["project"].weights[0], whole["project"].weights[0][:, :, 16:])
    assert smaller["stem"].output.shape == smaller["project"].output.shape == (16, 8, 16)


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [
        (1, 1, 1, "valid"),
        (3, 1, 1, "same"),
        (3, 2, 1, "same"),
        (5, 2, 1, "valid"),
        (3, 1, 2, "same"),
        (2, 2, 1, "same"),
    ],
)
def test_a_convolution_is_its_table_times_its_matrix(
    kernel: int, stride: int, dilation: int, padding: str, keras_tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlens_export import channel_repair, fold, graph

    monkeypatch.setattr(channel_repair, "POSITIONS", 10**6)
    image = keras_tf.Input((9, 12, 4))
    layer = keras_tf.layers.Conv2D(5, kernel, stride, padding, dilation_rate=dilation, bias_initializer="normal")
    network = fold.for_inference(graph.trace(keras_tf.Model(image, layer(image)), ["y"]))
    (node,) = network.nodes
    x = np.random.default_rng(0).normal(size=(3, 9, 12, 4)).astype(np.float32)
    chosen = channel_repair.positions(node, np.random.default_rng(7))
    rows = channel_repair.features(node, x, chosen)
    made = np.asarray(layer(x)).reshape(3, -1, 5)
    assert sorted(chosen) == list(range(made.shape[1]))
    matrix = channel_repair.as_matrix(node, node.weights)
    np.testing.assert_allclose(rows @ matrix, made[:, chosen].reshape(-1, 5), atol=1e-5)
    for again, weights in zip(channel_repair.from_matrix(node, matrix), node.weights, strict=True):
        np.testing.assert_array_equal(again, weights)


def test_of_two_channels_that_say_the_same_one_goes_and_the_other_takes_over(make: Any, batch: np.ndarray) -> None:
    from handlens_export import channel_choice, channel_repair, channels

    network = make(stacked)
    first = next(node for node in network.nodes if node.name == "first")
    kernel, bias = (array.copy() for array in first.weights)
    for twin in range(8):  # and much louder than the others, which a magnitude would keep
        kernel[..., twin], bias[twin] = 4 * kernel[..., 8 + twin], 4 * bias[8 + twin]
    network = network.with_weights({"first": (kernel, bias)})
    found = channels.channels_of(network)
    (group,) = [g for g in found.groups if g.name == "first"]
    known = channel_choice.tables(network, found, [group], batch, 0)
    order = channel_choice.order(group, known)
    pairs = {int(i) % 8 for i in np.searchsorted(group.ids, order.gone[:8])}
    assert len(pairs) == 8 and set(np.searchsorted(group.ids, order.gone[:8])) <= set(range(16))
    assert order.errors[8] < 0.01 < order.errors[16]
    gone = order.gone[:8]
    keep = {value: ~np.isin(ids, gone) for value, ids in found.ids.items()}
    smaller = channels.without(network, gone, found.ids)
    fixed = channel_repair.repaired(smaller, network, keep, batch, 0)
    lost, left = (np.abs(outputs(n, batch) - outputs(network, batch)).mean() for n in (smaller, fixed))
    assert left < 0.1 * lost


def test_dead_channels_are_the_first_to_go_and_the_rest_stays_as_it_was(make: Any, images: Any, batch: Any) -> None:
    from handlens_export import channels, narrow
    from handlens_export.channel_cost import cost, cost_of_widths
    from handlens_export.distill import Plan

    network = make(residual)
    found = channels.channels_of(network)
    (group,) = found.groups
    dead = unread(network, found.ids, group.ids[::3][:8])
    whole = cost(dead)
    target = 1 - cost_of_widths(dead, found)({"expand": 32}) / whole
    smaller = narrow.narrow(dead, list(images), SPEC, target, Plan(steps=0, rate=1.0), EMBEDDING).graph
    np.testing.assert_allclose(outputs(smaller, batch[:16]), outputs(dead, batch[:16]), rtol=0, atol=1e-5)
    assert cost(smaller) == pytest.approx((1 - target) * whole)
    left = next(node for node in smaller.nodes if node.name == "expand").weights[1]
    assert len(left) == 32


@pytest.fixture(scope="module")
def cut(keras_tf: Any, tiny: Any, images: np.ndarray) -> dict[str, Any]:
    """The tiny network, a third cheaper: untrained, and fine-tuned."""
    from handlens_export import fold, graph
    from handlens_export.distill import Plan
    from handlens_export.narrow import narrow

    whole = fold.for_inference(graph.trace(tiny, []))
    args = whole, list(images), SPEC, 0.3
    bare = narrow(*args, Plan(steps=0, rate=1.0), EMBEDDING)
    tuned = narrow(*args, Plan(steps=80, rate=2e-3, batch=16, seed=1), EMBEDDING, rounds=2)
    return {"whole": whole, "bare": bare, "tuned": tuned}


def test_widths_are_multiples_of_eight_and_the_note_counts_them(cut: dict[str, Any]) -> None:
    from handlens_export.channel_cost import cost

    whole, bare = cut["whole"], cut["bare"]
    assert cost(bare.graph) <= 0.7 * cost(whole)
    kinds = ("Conv2D", "DepthwiseConv2D")
    before, after = ({n.name: n.output.shape for n in g.nodes if n.cls.__name__ in kinds} for g in (whole, bare.graph))
    changed = [name for name in before if before[name] != after[name]]
    assert changed and all(after[name][-1] % 8 == 0 and after[name][-1] >= 8 for name in changed)
    assert all(after[name][:-1] == before[name][:-1] for name in before)
    for name in changed:
        if "depthwise" not in name:
            assert f"{name} {before[name][-1]} to {after[name][-1]}" in bare.note
    assert f"{bare.graph.parameters():,} weights" in bare.note


def test_fine_tuning_brings_it_nearer_to_its_parent(cut: dict[str, Any], images: np.ndarray) -> None:
    from handlens_export import graph
    from handlens_export.distill import distance

    whole = graph.build(cut["whole"])
    lost, left = (
        distance(graph.build(cut[name].graph), whole, list(images), SPEC, EMBEDDING) for name in ("bare", "tuned")
    )
    assert left < 0.8 * lost


def test_the_seed_decides(cut: dict[str, Any], images: np.ndarray) -> None:
    from handlens_export.distill import Plan
    from handlens_export.narrow import narrow

    def made(seed: int) -> Any:
        plan = Plan(steps=3, rate=1e-3, batch=8, seed=seed)
        return narrow(cut["whole"], list(images), SPEC, 0.3, plan, EMBEDDING).graph

    def alike(x: Any, y: Any) -> bool:
        # Sums over threads come in any order, so not to the last bit; a step of training is a thousand times as large.
        pairs = [
            (a, b) for m, n in zip(x.nodes, y.nodes, strict=True) for a, b in zip(m.weights, n.weights, strict=True)
        ]
        return all(a.shape == b.shape and np.allclose(a, b, atol=1e-4) for a, b in pairs)

    first = made(0)
    assert alike(first, made(0))
    assert not alike(first, made(1))


def test_a_network_without_free_channels_is_refused(make: Any, images: np.ndarray) -> None:
    from handlens_export.distill import Plan
    from handlens_export.narrow import narrow

    with pytest.raises(OptionError, match="no channels of this network can be removed.*use a recipe without channels"):
        narrow(make(lambda keras, x: x, 8), list(images), SPEC, 0.3, Plan(steps=0, rate=1.0), EMBEDDING)


def test_more_than_there_is_is_refused_with_what_there_is(make: Any, images: np.ndarray) -> None:
    from handlens_export.distill import Plan
    from handlens_export.narrow import narrow

    with pytest.raises(OptionError, match=r"channels95: at most \d\d% .* valid: channels05 to channels\d\d"):
        narrow(make(residual), list(images), SPEC, 0.95, Plan(steps=0, rate=1.0), EMBEDDING)


def test_the_export_writes_a_smaller_file_and_keeps_its_work(make_source: Any, tmp_path: Any) -> None:
    from handlens.artifact import Artifact
    from handlens_export import door
    from handlens_export.prepare import Options
    from handlens_export.recipes import parse_recipes

    said: list[str] = []
    recipes = parse_recipes("float32,channels30-float32,channels30-int8,int8,channels30-pruned50-int8")
    outcome = door.export(
        make_source(),
        recipes,
        ("tflite",),
        tmp_path / "out",
        keep=tmp_path / "keep",
        max_drop=100,
        options=Options(steps=20, calibration_images=32),
        say=said.append,
    )
    files = {item.artifact.manifest.compression.recipe: item.artifact for item in outcome.written}
    assert set(files) == {recipe.name for recipe in recipes}
    for narrow, whole in (("channels30-float32", "float32"), ("channels30-int8", "int8")):
        mine, theirs = (Artifact.open(files[name].path).manifest.compression for name in (narrow, whole))
        assert mine.parameters < 0.9 * theirs.parameters
        assert len(files[narrow].model) < len(files[whole].model)
        assert "of the cost of inference removed with whole channels" in mine.notes
    both = files["channels30-pruned50-int8"].manifest.compression
    assert both.sparsity >= 0.5 and "prunable weights are zero" in both.notes
    assert sum(line.startswith("removing channels worth 30%") for line in said) == 1
    assert sum(line.startswith("narrower network taken from keep/channels-") for line in said) == 2
