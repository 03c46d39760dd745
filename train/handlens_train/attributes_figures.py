"""What is said of an attribute classifier: accuracy, macro F1 and mean recall of each head, and what it mixes up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens.errors import DataError, OptionError
from handlens.person import AttributeClassifier
from handlens_data.datasets import market_attributes, peta
from handlens_data.datasets.attributes import HEADS, MISSING, AttributeSplit
from handlens_train.evaluation import LEAST, Breakdown, Evaluation, Item, Matrix, Row

Answers = dict[str, np.ndarray]
# A head's figure from its confusion matrix; NaN where no crop has a label.
FIGURES: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy": lambda matrix: float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan"),
    "macro_f1": metrics.macro_f1,
    "mean_recall": metrics.mean_recall,
}


def evaluation(path: Path, data: Path, split: str, engine: str | None) -> Evaluation:
    """The figures of an artifact on a split of PETA and, for "test", on Market-1501's attributes where they are there.

    Args:
        path: of the artifact.
        data: folder of the data.
        split: of PETA.
        engine: None for the default of the artifact's kind.
    """
    found = peta.load(data)
    parts = [(peta.NAME, found.split(split) if split == "test" else peta.unseen(found).split(split))]
    if split == "test" and market_attributes.found(data):
        parts.append((market_attributes.NAME, market_attributes.load(data)))
    with AttributeClassifier.load(path, engine=engine) as model:
        own, *others = [figures(name, people, answers(model, people), model.engine) for name, people in parts]
    return replace(own, others=tuple(others))


def answers(model: AttributeClassifier, people: AttributeSplit) -> Answers:
    """Head to (N,) int64: the class that the model answers for each crop.

    Raises:
        OptionError: the model's heads or labels are others than the data's.
    """
    if model.labels != HEADS:
        raise OptionError(f"the artifact's heads and labels are {model.labels}; the data's are {HEADS}")
    found = [one.labels() for one in model.classify(people.paths)]
    return {head: np.array([classes.index(one[head]) for one in found], np.int64) for head, classes in HEADS.items()}


def figures(dataset: str, people: AttributeSplit, given: Answers, engine: str) -> Evaluation:
    """The figures of one data set.

    Metrics: the mean over the heads of accuracy, macro F1 and mean recall (mA), over the labels that are there; each
    head's own are breakdowns "head". A class that no crop bears is left out of its head's macro figures, a head without
    labels of the means; the protocol names them. The matrices are the heads' confusions. Intervals are 95% bootstraps
    over groups of people.

    Args:
        dataset: its name.
        people: N crops with their labels.
        given: head to (N,) answers.
        engine: name and version of what ran.

    Raises:
        DataError: no crop has a label.
    """
    groups, member = np.unique(people.groups, return_inverse=True)
    truth = people.labels
    apart = {head: _by_group(given[head], truth[head], member, len(groups), len(HEADS[head])) for head in HEADS}
    heads = [head for head in HEADS if apart[head].any()]
    if not heads:
        raise DataError(f"no crop of {dataset}/{people.name} has a label. Check the data set's label file.")
    shown = {head: apart[head].sum(axis=0) for head in heads}
    figure_of = {name: _mean_statistic([apart[head] for head in heads], value) for name, value in FIGURES.items()}
    return Evaluation(
        dataset=dataset,
        split=people.name,
        protocol=_protocol(people, groups, heads, shown),
        n=len(people),
        primary="mean_accuracy",
        metrics={
            ("mean_accuracy" if name == "accuracy" else name): metrics.bootstrap_statistic(stat, len(groups))
            for name, stat in figure_of.items()
        },
        outcomes=np.empty(0),
        groups=groups,
        statistic=figure_of["accuracy"],
        engine=engine,
        breakdowns=tuple(
            Breakdown("head", tuple(_row(head, apart[head], value) for head in heads), name)
            for name, value in FIGURES.items()
        )
        + _subsets(people, {head: apart[head] for head in heads}, groups),
        matrices=tuple(
            Matrix(head, HEADS[head], tuple(tuple(int(n) for n in row) for row in shown[head])) for head in heads
        ),
        items=_items(people, given, heads),
    )


def _items(people: AttributeSplit, given: Answers, heads: Sequence[str]) -> tuple[Item, ...]:
    """Each crop with its six answers; right is the share of its known labels that were answered."""
    found = []
    for index, path in enumerate(people.paths):
        known = [head for head in heads if people.labels[head][index] != MISSING]
        right = [given[head][index] == people.labels[head][index] for head in known]
        answer = ", ".join(HEADS[head][given[head][index]] for head in heads)
        found.append(Item(path.name, answer, float(np.mean(right)) if right else 0.0, (path,)))
    return tuple(found)


def _by_group(answer: np.ndarray, truth: np.ndarray, member: np.ndarray, groups: int, classes: int) -> np.ndarray:
    """(groups, classes, classes): the confusion matrix of each group of people."""
    tables = np.zeros((groups, classes, classes))
    there = truth != MISSING
    np.add.at(tables, (member[there], truth[there], answer[there]), 1)
    return tables


def _statistic(tables: np.ndarray, value: Callable[[np.ndarray], float]) -> metrics.Statistic:
    return lambda counts: value(np.tensordot(counts, tables, 1))


def _mean_statistic(tables: list[np.ndarray], value: Callable[[np.ndarray], float]) -> metrics.Statistic:
    def mean(counts: np.ndarray) -> float:
        found = np.array([value(np.tensordot(counts, table, 1)) for table in tables])
        return float(found[~np.isnan(found)].mean()) if not np.isnan(found).all() else float("nan")

    return mean


def _row(label: str, tables: np.ndarray, value: Callable[[np.ndarray], float]) -> Row:
    found = metrics.bootstrap_statistic(_statistic(tables, value), len(tables))
    return Row(label, int(tables.sum()), found.value, found.low, found.high)


def _subsets(people: AttributeSplit, apart: dict[str, np.ndarray], groups: np.ndarray) -> tuple[Breakdown, ...]:
    """The mean accuracy by subset of PETA; nothing where the set has no parts. `n` counts crops."""
    subset = np.array([group.partition("/")[0] if "/" in group else "" for group in groups])
    if len(np.unique(subset)) < 2:
        return ()
    crops = np.array([group.partition("/")[0] for group in people.groups])
    rows = []
    for name in np.unique(subset).tolist():
        n = int((crops == name).sum())
        tables = [table[subset == name] for table in apart.values()]
        if n < LEAST or sum(table.sum() for table in tables) == 0:
            rows.append(Row(name, n, None))
            continue
        found = metrics.bootstrap_statistic(_mean_statistic(tables, FIGURES["accuracy"]), len(tables[0]))
        rows.append(Row(name, n, found.value, found.low, found.high))
    return (Breakdown("subset", tuple(rows), "mean_accuracy"),)


def _protocol(people: AttributeSplit, groups: np.ndarray, heads: list[str], shown: Answers) -> str:
    words = [f"{len(people)} crops of {len(groups)} groups of people, the likeliest label of each head"]
    without = [head for head in HEADS if head not in heads]
    if without:
        words.append(f"no labels, so left out of the means: {', '.join(without)}")
    absent = {
        head: [name for name, row in zip(HEADS[head], shown[head], strict=True) if not row.any()] for head in heads
    }
    if any(absent.values()):
        named = ", ".join(f"{head} {'/'.join(names)}" for head, names in absent.items() if names)
        words.append(f"no crop is labelled, so left out of macro F1 and mA: {named}")
    return "; ".join(words)
