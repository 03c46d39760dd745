"""Channel pruning: a network with fewer channels, which every engine runs faster, towards its parent's outputs.

A channel of an inverted residual goes as a whole: its column of the 1x1 convolution that expands, its depthwise
kernel, its row of the 1x1 convolution that projects. Residual widths stay. Which channels: `channel_choice`; what the
rest makes of it before any training: `channel_repair`; then fine-tuning by distillation, as for every deep recipe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from handlens.errors import OptionError
from handlens.manifest import InputSpec
from handlens_export import channel_choice as choice
from handlens_export.channel_cost import cost, cost_of_widths
from handlens_export.channel_repair import repaired
from handlens_export.channels import channels_of, without
from handlens_export.compressed import plain_weights, trainable
from handlens_export.distill import Plan, answers, distance, fine_tune
from handlens_export.graph import Graph, Weights, build
from handlens_train.exportable import Match
from handlens_train.images import scaled

SEEN = 512  # images that are looked at to choose and to refit, at most
JUDGED = 128  # images that the harm of a group is measured on


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A network with fewer channels; `note` says what went."""

    graph: Graph
    note: str


def narrow(
    graph: Graph,
    images: Sequence[np.ndarray],
    spec: InputSpec,
    target: float,
    plan: Plan,
    matching: Mapping[str, Match],
    rounds: int = 1,
) -> Narrowed:
    """Removes channels until the network costs `target` less (see `channel_cost`), and fine-tunes it to its parent.

    Args:
        graph: as `for_inference` gives it.
        images: prepared uint8 training images.
        spec: of the input.
        target: fraction of the cost to remove, 0..1.
        plan: of the fine-tuning, of all rounds together; with 0 steps the rest is refitted and nothing is trained.
        matching: how to match each output.
        rounds: the channels go in so many equal parts, each fine-tuned.

    Raises:
        OptionError: no channels can be removed, or not so many.
    """
    parent, whole = graph, cost(graph)
    before = _sizes(graph)
    for index in range(1, rounds + 1):
        graph = _cut(graph, images, spec, whole * (1 - target * index / rounds), whole, target, matching, plan.seed)
        if plan.steps:
            part = replace(
                plan,
                steps=max(1, plan.steps // rounds),
                max_minutes=plan.max_minutes / rounds,
                seed=plan.seed + index - 1,
            )
            student = trainable(graph, {}, {}, name="narrow")
            label = f"fine-tuning with {target * index / rounds:.0%} less to compute"
            fine_tune(student, build(parent, name="parent"), images, spec, part, matching=matching, label=label)
            graph = graph.with_weights(plain_weights(student))
    after = _sizes(graph)
    changed = [f"{name} {before[name]} to {size}" for name, size in after.items() if size != before[name]]
    return Narrowed(
        graph,
        f"{1 - cost(graph) / whole:.1%} of the cost of inference removed with whole channels "
        f"({parent.parameters():,} to {graph.parameters():,} weights): {', '.join(changed)}",
    )


def _cut(
    graph: Graph,
    images: Sequence[np.ndarray],
    spec: InputSpec,
    budget: float,
    whole: float,
    target: float,
    matching: Mapping[str, Match],
    seed: int,
) -> Graph:
    """The network with channels removed until it costs `budget`, and the rest refitted."""
    channels = channels_of(graph)
    groups = choice.removable(graph, channels)
    if not groups:
        raise OptionError(
            f"no channels of this network can be removed: none of its {len(channels.groups)} groups of free channels "
            f"has {choice.LEAST + choice.MULTIPLE} or more, read by convolutions alone; use a recipe without channels"
        )
    spent = cost_of_widths(graph, channels)
    least = spent({group.name: choice.LEAST for group in groups})
    if least > budget:
        most = int(100 * (1 - least / whole))
        raise OptionError(
            f"channels{target * 100:02.0f}: at most {most}% of the cost of this network is in channels that can be "
            f"removed; valid: channels05 to channels{most:02d}, and less is wiser"
        )
    seen = np.random.default_rng(seed).permutation(len(images))[:SEEN]
    batch = scaled(np.stack([images[i] for i in seen]), spec)
    known = choice.tables(graph, channels, groups, batch, seed)
    orders = [choice.order(group, known) for group in groups]
    judged = [images[i] for i in seen[:JUDGED]]
    student = build(graph, name="student")
    teacher = answers(student, judged, spec)

    def moved(weights: Mapping[str, Weights]) -> float:
        own = {node.name: node.weights for node in graph.nodes if node.name in weights}
        for name, values in weights.items():
            student.get_layer(name).set_weights(values)
        try:
            return distance(student, teacher, judged, spec, matching)
        finally:
            for name, values in own.items():
                student.get_layer(name).set_weights(values)

    harm = choice.harms(graph, orders, known, moved)
    chosen = choice.widths(orders, harm, spent, budget)
    gone = np.concatenate([item.gone[: len(item.gone) - chosen[item.group.name]] for item in orders])
    keep = {value: ~np.isin(ids, gone) for value, ids in channels.ids.items()}
    return repaired(without(graph, gone, channels.ids), graph, keep, batch, seed)


def _sizes(graph: Graph) -> dict[str, int]:
    """The output channels of every convolution that makes channels of its own."""
    return {n.name: n.output.shape[-1] or 0 for n in graph.nodes if n.cls.__name__ in ("Conv2D", "Conv2DTranspose")}
