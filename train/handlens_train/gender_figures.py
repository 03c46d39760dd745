"""What is said of a gender classifier: accuracy, by age, race label and gender, and whether its confidence holds."""

from collections.abc import Sequence

import numpy as np

from handlens import metrics
from handlens_data.datasets import utkface
from handlens_train.evaluation import Evaluation, Item, breakdown

# A share of fewer images than this has a 95% interval wider than 0.14 even at 0.93, so no figure is given.
LEAST = 50
CONFIDENCES = ("0.5-0.6", "0.6-0.7", "0.7-0.8", "0.8-0.9", "0.9-1.0")


def evaluation(faces: utkface.FaceSplit, female: np.ndarray, split: str, engine: str, skipped: int = 0) -> Evaluation:
    """The figures of one split.

    Metrics: "accuracy" of the likelier gender; "calibration_error", the expected one over ten bins of confidence (lower
    is better). Breakdowns of the accuracy by age band, race label, gender, both, and by confidence; fewer than `LEAST`
    images give no figure. The curve "reliability" is accuracy against mean confidence. Intervals are 95% bootstraps
    over images.

    Args:
        faces: N of them.
        female: (N,) probability of female, 0..1.
        split: its name, recorded.
        engine: name and version of what ran.
        skipped: files whose names carry no labels.
    """
    right = ((female > 0.5) == (faces.genders == 1)).astype(np.float64)
    confidence = np.maximum(female, 1 - female)
    races = [utkface.RACES[race] for race in faces.races]
    genders = [utkface.GENDERS[gender] for gender in faces.genders]
    both = [f"{race} {gender}" for race, gender in zip(races, genders, strict=True)]
    tables: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
        ("age", [utkface.age_band(age) for age in faces.ages], [utkface.age_band(low) for low, _ in utkface.AGE_BANDS]),
        ("race", races, utkface.RACES),
        ("gender", genders, utkface.GENDERS),
        ("race and gender", both, [f"{race} {gender}" for race in utkface.RACES for gender in utkface.GENDERS]),
        ("confidence", _bands(confidence), CONFIDENCES),
    )
    error = metrics.bootstrap_statistic(lambda counts: metrics.calibration_error(confidence, right, counts), len(faces))
    note = f"; {skipped} files without labels in their names skipped" if skipped else ""
    return Evaluation(
        dataset=utkface.NAME,
        split=split,
        protocol=f"{len(faces)} face crops, the likelier of two genders{note}",
        n=len(faces),
        primary="accuracy",
        metrics={"accuracy": metrics.bootstrap(right), "calibration_error": error},
        outcomes=right,
        groups=np.arange(len(faces)),
        engine=engine,
        breakdowns=tuple(breakdown(name, labels, right, order, least=LEAST) for name, labels, order in tables),
        items=tuple(
            Item(face.path.name, f"{utkface.GENDERS[int(p > 0.5)]} {max(p, 1 - p):.2f}", ok, (face.path,))
            for face, p, ok in zip(faces.faces, female.tolist(), right.tolist(), strict=True)
        ),
        curves={"reliability": tuple((mean, share) for mean, share, _ in metrics.reliability(confidence, right))},
    )


def _bands(confidence: np.ndarray) -> list[str]:
    return [CONFIDENCES[min(int((value - 0.5) * 10), len(CONFIDENCES) - 1)] for value in confidence]
