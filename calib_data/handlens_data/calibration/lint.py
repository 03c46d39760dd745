"""Looks for mistakes in a calibration set before they cost accuracy: each finding says what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.manifest import InputSpec
from handlens_data.calibration.activations import Activation
from handlens_data.datasets.copies import ALIKE, thumbnails

FEW, ENOUGH = 32, 100  # images: below, a range is luck; from 100 on it hardly moves on the networks of this house
_DARK, _BRIGHT, _NARROW = 40.0, 215.0, 12.0  # levels: of an image's mean, and of the means' spread
_COPIES, _BURNT = 0.1, 0.3
_MOVING, _OUTLIERS, _CEILING = 0.1, 4.0, 0.5
_SHOWN = 5

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a calibration set.

    Attributes:
        severity: "error" where int8 would be wrong, "warning" where it may be worse than it need be.
        about: which check: "values", "count", "shape", "brightness", "copies", "balance", "dead channels", ...
        what: was found, with the figure.
        fix: what to do.
    """

    severity: Severity
    about: str
    what: str
    fix: str


def look_at_tensors(tensors: NDArray[Any], spec: InputSpec) -> list[Finding]:
    """Float tensors as somebody's own pipeline makes them, against the values that the model's pixels become.

    Args:
        tensors: (N, H, W, C) or (N, C, H, W) numbers.
        spec: of the model's input; pixels 0..255 become scale * pixel + offset.
    """
    findings = []
    shape = spec.shape[1:]
    if tuple(tensors.shape[1:]) != tuple(shape):
        findings.append(
            Finding(
                "error",
                "shape",
                f"the tensors are {tuple(tensors.shape[1:])} each; the model takes {tuple(shape)}",
                "prepare images with handlens.image.preprocess(image, manifest.input)",
            )
        )
    if not np.issubdtype(tensors.dtype, np.floating):
        what = f"the tensors are {tensors.dtype}; the model takes {spec.dtype}"
        return [*findings, Finding("error", "dtype", what, "bring them as float32, scaled as the manifest says")]
    if not np.isfinite(tensors).all():
        return [*findings, Finding("error", "values", "some values are not finite", "find out which image makes them")]
    ends = [(offset, 255 * scale + offset) for scale, offset in zip(spec.scale, spec.offset, strict=True)]
    low, high = min(min(pair) for pair in ends), max(max(pair) for pair in ends)
    seen_low, seen_high = float(tensors.min()), float(tensors.max())
    told = f"the values span {seen_low:.4g} to {seen_high:.4g}; pixels of 0 to 255 become {low:.4g} to {high:.4g}"
    if guess := _wrong_range(seen_low, seen_high, low, high):
        findings.append(Finding("error", "values", told, f"{guess}; scale and offset are in the manifest's input"))
    return findings


def _wrong_range(seen_low: float, seen_high: float, low: float, high: float) -> str:
    """What values that span `seen` look like, where pixels of 0 to 255 become `low` to `high`; empty when right."""
    span, room = high - low, 0.02 * (high - low)
    over_255 = seen_low >= -0.001 and 0.5 < seen_high <= 1.001
    if seen_low < low - room or seen_high > high + room:
        if seen_low >= 0 and 128 < seen_high <= 255.5:
            return "these look like pixels that were never scaled"
        if over_255:
            return "these look like pixels over 255"
        if seen_low < 0 < seen_high < 8:
            return "these look scaled by a mean and a standard deviation, or by another model's rule"
        return "these are no pixels by this model's rule"
    if over_255 and (low < -room or high > 2):
        return "these look like pixels over 255"
    if seen_high - seen_low < 0.5 * span:
        return "these look scaled twice, or by another model's rule"
    return ""


def look_at_images(images: NDArray[np.uint8], groups: Sequence[str] = ()) -> list[Finding]:
    """Prepared images as a calibration set holds them, uint8 (N, H, W, C); `groups` are their people or classes."""
    findings = []
    count = len(images)
    if count < ENOUGH:
        severity: Severity = "error" if count < FEW else "warning"
        fix = f"pick {ENOUGH} or more: handlens calib pick --count 200"
        findings.append(Finding(severity, "count", f"{count} images", fix))
    means = images.reshape(count, -1).mean(axis=1)
    if float(means.std()) < _NARROW and count > 1:
        what = f"all are about as bright: means of {means.min():.0f} to {means.max():.0f} levels"
        findings.append(Finding("warning", "brightness", what, "add darker and brighter images, as cameras see them"))
    elif means.min() > _DARK and means.max() < _BRIGHT:
        what = f"no dark and no bright image: means of {means.min():.0f} to {means.max():.0f} levels"
        findings.append(Finding("warning", "brightness", what, "add some taken at night and against the light"))
    burnt = np.isin(images, (0, 255)).reshape(count, -1).mean(axis=1)
    if (share := float((burnt > _BURNT).mean())) > _COPIES:
        what = f"{share:.0%} of the images are black or white on {_BURNT:.0%} of their pixels or more"
        findings.append(Finding("warning", "exposure", what, "look at them; a broken crop or a wrong fill looks so"))
    rows = thumbnails([_seen(image) for image in images])
    alike = rows @ rows.T > ALIKE
    np.fill_diagonal(alike, False)
    if (share := float(np.tril(alike).any(axis=1).mean())) > _COPIES:
        what = f"{share:.0%} of the images are near-copies of another"
        findings.append(Finding("warning", "copies", what, "spread the draw: handlens calib pick --by diversity"))
    if groups:
        names, numbers = np.unique(np.asarray(groups), return_counts=True)
        most = float(numbers.max() / count)
        if len(names) > 1 and most > max(0.25, 4 / len(names)):
            what = f"{most:.0%} of the images are of {names[numbers.argmax()]!r}, one of {len(names)}"
            findings.append(Finding("warning", "balance", what, "handlens calib pick takes groups in turns"))
    return findings


def look_at_activations(activations: Sequence[Activation]) -> list[Finding]:
    """What the images do inside the float network: dead channels, ceilings, tails, ranges not yet at rest."""
    findings = []
    dead, still, tails, ceilings, channels = [], [], [], [], 0
    for each in activations:
        span = float(each.high.max() - each.low.min())
        flat = each.channel_high - each.channel_low <= 1e-6 * max(span, 1e-9)
        channels += len(flat)
        if len(flat) > 1 and flat.any():
            dead.append((int(flat.sum()), len(flat), each.name))
        # Every other image: a draw by diversity begins with the strangest ones.
        first = float(each.high[::2].max() - each.low[::2].min())
        if span > 0 and 1 - first / span > _MOVING:
            still.append((1 - first / span, each.name))
        inner = each.tail[1] - each.tail[0]
        if inner > 0 and span / inner > _OUTLIERS:
            tails.append((span / inner, each.name))
        if each.ceiling > _CEILING and each.high.max() > 0:
            ceilings.append((each.ceiling, each.name))
    if dead:
        total = sum(count for count, _, _ in dead)
        worst = _listed([(count / of, f"{count} of {of} in {name}") for count, of, name in dead])
        findings.append(
            Finding(
                "warning",
                "dead channels",
                f"{total} of {channels} channels never move: {worst}",
                "they cost bytes and time for nothing if images of every kind are here; prune them, or add images",
            )
        )
    if still:
        worst = _listed([(share, f"{share:.0%} in {name}") for share, name in still])
        what = f"with half of the images {len(still)} ranges would be narrower by more than {_MOVING:.0%}: {worst}"
        findings.append(Finding("warning", "ranges move", what, "pick more images, or --by diversity"))
    if tails:
        worst = _listed([(factor, f"{factor:.0f} times in {name}") for factor, name in tails])
        what = f"a few values stretch {len(tails)} ranges beyond what 99.9% of the values need: {worst}"
        findings.append(
            Finding("warning", "outliers", what, "int8 spends its steps on them: keep these in float, or use QAT")
        )
    if ceilings:
        worst = _listed([(share, f"{share:.0%} in {name}") for share, name in ceilings])
        what = f"most values lie at the top of {len(ceilings)} ranges: {worst}"
        findings.append(Finding("warning", "saturated", what, "the inputs may be scaled too high; check the values"))
    return findings


def _listed(found: list[tuple[float, str]]) -> str:
    found = sorted(found, key=lambda each: -each[0])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(text for _, text in found[:_SHOWN]) + more


def _seen(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As RGB, whatever the model takes."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8) if image.shape[2] == 1 else image
