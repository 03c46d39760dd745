"""How good a face verifier is: LFW's pairs and all comparisons of its held-out people, through the runtime."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens import metrics
from handlens.artifact import Artifact
from handlens.face import FaceVerifier
from handlens.image import load_image
from handlens.manifest import Threshold
from handlens.metrics import people
from handlens_data.datasets import lfw
from handlens_train.evaluation import Evaluation, Item
from handlens_train.face_points import located

PRIMARY = "accuracy"
RATES = (1e-1, 1e-2, 1e-3, 1e-4)
MISSED = -1.0  # score of a pair with a photograph in which no face was found: never a match


@dataclass(frozen=True, slots=True)
class Embedded:
    """Unit embeddings (D,) by photograph; those without a face are missing. `engine` made them."""

    split: lfw.Split
    templates: dict[str, np.ndarray]
    engine: str

    def pairs(self) -> people.Pairs:
        """The comparisons that rates are measured on.

        Genuine: all pairs of a person. Impostor: every two people once, by the first photograph of each, so that a
        person with many photographs weighs like any other.
        """
        shown = [photo for photo in self.split.photos if photo.name in self.templates]
        vectors = np.stack([self.templates[photo.name] for photo in shown])
        _, who = np.unique([photo.person for photo in shown], return_inverse=True)
        first, second = np.triu_indices(len(shown), 1)
        leads = np.zeros(len(shown), bool)
        leads[np.unique(who, return_index=True)[1]] = True
        kept = (who[first] == who[second]) | (leads[first] & leads[second])
        first, second = first[kept], second[kept]
        return people.score_pairs(np.einsum("nd,nd->n", vectors[first], vectors[second]), who[first], who[second])

    def scores(self) -> np.ndarray:
        """(N,) score of each of the split's pairs; `MISSED` where a face was not found."""
        found = self.templates
        return np.array(
            [
                float(found[pair.first] @ found[pair.second])
                if pair.first in found and pair.second in found
                else MISSED
                for pair in self.split.pairs
            ]
        )

    @property
    def same(self) -> np.ndarray:
        """(N,) whether each of the split's pairs shows one person."""
        return np.array([pair.same for pair in self.split.pairs])


def embed(path: Path, data: Path, split: str, engine: str | None, detector: Path) -> Embedded:
    """Detects, aligns and embeds every photograph of a split, as a device would."""
    model, finder = (Artifact.open(file).manifest.model_id for file in (path, detector))
    return _embedded(path, model, data, split, engine, detector, finder)


@functools.lru_cache(maxsize=2)  # An export asks for a file's thresholds, then for its figures.
def _embedded(
    path: Path, model_id: str, data: Path, split: str, engine: str | None, detector: Path, finder: str
) -> Embedded:
    chosen = lfw.load(data, split)
    points = located(chosen.photos, detector, finder)
    templates = {}
    with FaceVerifier.load(path, engine=engine) as verifier:
        for photo in chosen.photos:
            if photo.name in points:
                templates[photo.name] = verifier.embed(load_image(photo.path), points[photo.name][None])[0]
        return Embedded(chosen, templates, verifier.engine)


def thresholds(path: Path, data: Path, engine: str | None, detector: Path) -> tuple[Threshold, ...]:
    """The thresholds of a file for FMR 1e-1 to 1e-4, those that the validation people's comparisons carry."""
    return people.choose_thresholds(embed(path, data, "val", engine, detector).pairs(), RATES)


def evaluate(path: Path, data: Path, split: str, engine: str | None, detector: Path) -> Evaluation:
    """Accuracy on the split's pairs, and FNMR at several FMR over all comparisons of its people.

    The accuracy's threshold is the best one on the validation pairs (people of another fold than the test's). FNMR at
    an FMR takes the threshold from the comparisons at hand; `fmr_at_own_1e-2` and `fnmr_at_own_1e-2` judge the one
    that the manifest carries. Intervals are 95% bootstraps over people.

    Raises:
        OptionError: unknown split. DataError: the folder lacks LFW.
    """
    judged = embed(path, data, split, engine, detector)
    val = judged if split == "val" else embed(path, data, "val", engine, detector)
    threshold = metrics.best_threshold(val.scores()[val.same], val.scores()[~val.same])
    right = ((judged.scores() >= threshold) == judged.same).astype(np.float64)
    groups = np.unique([pair.first.partition("/")[0] for pair in judged.split.pairs], return_inverse=True)[1]
    pairs = judged.pairs()
    own = {limit.target_fmr: limit.value for limit in Artifact.open(path).manifest.thresholds}
    found = people.verification_intervals(pairs, RATES, own.get(1e-2))
    figures = {PRIMARY: metrics.bootstrap(right, groups), "eer": found.eer}
    for rate, interval in found.fnmr.items():
        figures[f"fnmr@{rate:.0e}".replace("e-0", "e-")] = interval
        figures[f"tar@{rate:.0e}".replace("e-0", "e-")] = metrics.Interval(
            1 - interval.value, 1 - interval.high, 1 - interval.low
        )
    if found.fmr_at_threshold is not None and found.fnmr_at_threshold is not None:
        figures |= {"fmr_at_own_1e-2": found.fmr_at_threshold, "fnmr_at_own_1e-2": found.fnmr_at_threshold}
    paths = {photo.name: photo.path for photo in judged.split.photos}
    missed = np.array([photo.name not in judged.templates for photo in judged.split.photos], np.float64)
    figures["failure_to_acquire"] = metrics.bootstrap(missed)
    return Evaluation(
        dataset=lfw.NAME,
        split=split,
        protocol=(
            f"folds {', '.join(map(str, lfw.FOLDS[split]))}: {len(right)} pairs, threshold {threshold:.4f} chosen on "
            f"fold 6; rates over {len(pairs.genuine):,} genuine and {len(pairs.impostor):,} impostor comparisons of "
            f"{pairs.people} people; faces found by {detector.name}"
        ),
        n=len(right),
        primary=PRIMARY,
        metrics=figures,
        outcomes=right,
        groups=groups,
        engine=judged.engine,
        curves=people.det_points(pairs),
        items=tuple(
            Item(
                f"{pair.first} and {pair.second}",
                f"score {score:.4f}, threshold {threshold:.4f}",
                ok,
                (paths[pair.first], paths[pair.second]),
            )
            for pair, score, ok in zip(judged.split.pairs, judged.scores().tolist(), right.tolist(), strict=True)
        ),
        counts={"genuine": len(pairs.genuine), "impostors": len(pairs.impostor)},
    )
