"""What makes a template set: enough photographs of one person, at different moments."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handlens._align import fit_similarity, warp
from handlens._door import Verifier
from handlens._facemeasure import SIDE, TEMPLATE, face_mask
from handlens.errors import (
    EnrolmentInconsistent,
    EnrolmentTooAlike,
    ImageCountWrong,
    InputError,
    OptionError,
    RateUnsupported,
)
from handlens.face import Face
from handlens.image import Pixels, Source, resize, to_grey

# Correlation of two aligned faces above which they count as one photograph; docs/door.md has the measurement.
ALIKE = 0.9
_SMALL = 28
# The false match rate at which two enrolment images count as one person, where the manifest carries it; else the next
# lower one. It is looser than that of the door: a false alarm here only asks for another photograph.
_LOOSE = 1e-2


def check_count(images: Sequence[Source], least: int, most: int) -> None:
    """Refuses too few or too many images.

    Raises:
        ImageCountWrong: there are.
        InputError: `images` is one image.
    """
    if isinstance(images, (str, bytes, Path, np.ndarray)):
        raise InputError("enrol takes several images; give a list: enrol(name, [first, second, ...])")
    if not least <= len(images) <= most:
        count = f"{len(images)} image{'' if len(images) == 1 else 's'}; {least} to {most} are needed"
        raise ImageCountWrong(count, "take more, at different moments" if len(images) < least else "leave some out")


def small_crop(pixels: Pixels, face: Face) -> Pixels:
    """Returns the aligned face as grey uint8 (28, 28, 1), small enough that compression and noise do not show."""
    if face.points is None:
        raise OptionError("the detector gives no five points; use one that does")
    crop = warp(pixels, fit_similarity(face.points, TEMPLATE), SIDE, SIDE)
    return resize(to_grey(crop), _SMALL, _SMALL)


def check_alike(crops: Sequence[Pixels]) -> None:
    """Refuses two images that are copies, mirrored ones too, or of the same moment.

    Args:
        crops: as `small_crop` makes them.

    Raises:
        EnrolmentTooAlike: two are; the message says which.
    """
    for second in range(len(crops)):
        for first in range(second):
            mirrored = np.ascontiguousarray(crops[second][:, ::-1])
            value = max(correlation(crops[first], other) for other in (crops[second], mirrored))
            if value >= ALIKE:
                raise EnrolmentTooAlike(
                    f"images {first + 1} and {second + 1} are nearly the same (correlation {value:.3f}, "
                    f"below {ALIKE} needed)",
                    "take them at different moments, in another light or with the head a little turned",
                )


def correlation(first: Pixels, second: Pixels) -> float:
    """Returns the correlation of two small crops' luma inside the face, -1..1."""
    mask = resize((face_mask() * np.uint8(255))[:, :, None], _SMALL, _SMALL)[:, :, 0] > 127
    one, other = (crop[:, :, 0][mask].astype(np.float64) for crop in (first, second))
    one, other = one - one.mean(), other - other.mean()
    length = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / length if length > 0 else 1.0


def check_consistent(templates: NDArray[np.float32], verifier: Verifier) -> None:
    """Refuses images that do not hang together as one person.

    Two images are linked where their similarity reaches the threshold; every image must be reached from every other.

    Args:
        templates: (N, D), each of length 1.
        verifier: that made them.

    Raises:
        EnrolmentInconsistent: the images fall into groups; the message names those outside of the largest.
        RateUnsupported: the verifier's manifest carries no rate of 0.01 or lower.
    """
    limit = _loose_threshold(verifier)
    scores = templates.astype(np.float64) @ templates.astype(np.float64).T
    groups = _groups(scores >= limit)
    if len(groups) > 1:
        largest = max(groups, key=len)
        outside = sorted(index + 1 for group in groups if group is not largest for index in group)
        one = len(outside) == 1
        names = ("image " if one else "images ") + ", ".join(map(str, outside))
        raise EnrolmentInconsistent(
            f"{names} of {len(templates)} {'does' if one else 'do'} not look like the same person as the others "
            f"(similarity at best {_best_between(scores, groups):.4f}, {limit:.4f} needed)",
            "leave out what shows somebody else, and take better photographs of the rest",
        )


def _loose_threshold(verifier: Verifier) -> float:
    for target in sorted((limit.target_fmr for limit in verifier.manifest.thresholds), reverse=True):
        if target <= _LOOSE * (1 + 1e-9):
            try:
                return verifier.threshold(target).value
            except RateUnsupported:
                continue
    return verifier.threshold(_LOOSE).value  # raises, and names the rates there are


def _groups(linked: NDArray[np.bool_]) -> list[set[int]]:
    left, groups = set(range(len(linked))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = {other for index in edge for other in np.flatnonzero(linked[index]).tolist()} - group
        groups.append(group)
        left -= group
    return groups


def _best_between(scores: NDArray[np.float64], groups: list[set[int]]) -> float:
    return max(
        float(scores[first, second])
        for group in groups
        for first in group
        for second in range(len(scores))
        if second not in group
    )
