"""The sensitivity page: well-formed, offline, hostile names harmless, its data beside it, the report links to it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from handlens.metrics import Interval
from handlens_export.harm.evidence import Layer, Sensitivity, middle
from handlens_export.harm.lane import Histogram, Unit
from handlens_export.harm.page import page, sentence
from handlens_export.harm.pages import pages
from handlens_export.harm.study import Tried
from handlens_export.harm.write import write

HOSTILE = '"><script>alert(1)</script>&amp; ]]>'


def histogram(values: np.ndarray) -> Histogram:
    counts, edges = np.histogram(values, 64)
    return Histogram(float(edges[0]), float(edges[-1]), tuple(counts.tolist()))


def layer(name: str, error: float, *, drop: float | None = None, back: bool = False, **changes: Any) -> Layer:
    alone = None if drop is None else Tried((), 1000, Interval(drop, drop - 1, drop + 1))
    values = np.random.default_rng(len(name)).normal(0, 1, 4000)
    parts = {"range": (-4.0, 4.0), "histogram": histogram(values), "alone": alone, "back": back}
    return Layer(Unit(name, "Conv2D", 1200), error, **parts | changes)


def found(**changes: Any) -> Sensitivity:
    """A network of four layers whose second one int8 ruins."""
    parts: dict[str, Any] = {
        "name": "net",
        "task": "reid",
        "kind": "tflite",
        "recipe": "int8",
        "dataset": "patterns",
        "split": "val",
        "protocol": "each against its copy",
        "n": 480,
        "primary": "rank1",
        "unit": "fraction",
        "reference": Interval(0.9, 0.88, 0.92),
        "float_bytes": 4000,
        "images": 32,
        "max_drop": 1.0,
        "whole": Tried((), 1100, Interval(14.2, 12.0, 16.0)),
        "repaired": Tried(("second",), 1500, Interval(0.4, -0.2, 1.0)),
        "layers": (
            layer("first", 0.02),
            layer("second", 0.9, drop=13.0, back=True),
            layer("third", 0.05, drop=0.2),
            layer("last", 0.01, left=True),
        ),
    }
    return Sensitivity(**parts | changes)


def test_the_page_is_well_formed_and_fetches_nothing() -> None:
    html = page(found(), "made now")
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    assert len(root.findall(".//tbody/tr")) == 4
    assert not re.findall(r"""(?:href|src)=["'](?!#)""", html)
    assert "default-src &#39;none&#39;" in html


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "net-int8 loses 14.2 points of rank-1. With 1 of 4 layers in float it loses 0.4 points."),
        (
            {"whole": Tried((), 1, Interval(-0.3, -1, 1)), "repaired": None},
            "net-int8 gains 0.3 points of rank-1; 1 may be lost.",
        ),
        (
            {"whole": Tried((), 1, None, "output a is constant")},
            "net-int8 is no artifact: output a is constant. With 1 of 4 layers in float it loses 0.4 points.",
        ),
        (
            {"repaired": Tried((), 1, Interval(9, 8, 10))},
            "net-int8 loses 14.2 points of rank-1. With all 4 layers in float it loses 9.0 points: it is not int8 that "
            "does it.",
        ),
    ],
)
def test_the_headline_says_what_happened(changes: dict[str, Any], said: str) -> None:
    assert sentence(found(**changes)) == said
    assert said in page(found(**changes), "")


def test_hostile_names_stay_text_and_empty_facts_stay_away() -> None:
    odd = [layer(HOSTILE, 0.1, drop=1.0), layer("bare", 0.0, range=None, histogram=None)]
    html = page(found(name=HOSTILE, dataset=HOSTILE, layers=tuple(odd)), HOSTILE)
    ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    assert html.count("<script>") == 1


def test_a_refused_layer_and_a_metric_that_is_no_fraction_have_their_place() -> None:
    refused = replace(layer("second", 0.9), alone=Tried((), 1, None, "constant"))
    html = page(found(layers=(refused,), unit="per image", reference=Interval(3.25, 3.0, 3.5)), "")
    assert "refused" in html and "3.25 per image" in html


def test_steps_used_are_few_where_one_value_is_far_off() -> None:
    values = np.random.default_rng(0).normal(0, 1, 20_000)
    plain = layer("a", 0.1, range=(-4.0, 4.0), histogram=histogram(values))
    outlier = layer("b", 0.1, range=(-4.0, 400.0), histogram=histogram(np.append(values, 400.0)))
    assert plain.steps is not None and 140 < plain.steps < 190  # 99% of a normal lies within 2.58 of 4
    assert outlier.steps is not None and outlier.steps < 12
    low, high = middle(histogram(values))
    assert (low, high) == (pytest.approx(-2.58, abs=0.1), pytest.approx(2.58, abs=0.1))


def test_the_data_lies_beside_the_page_and_the_report_links_to_it(
    tmp_path: Path, make_artifact: Callable[..., Any]
) -> None:
    from handlens_export.report.build import write_report

    folder = tmp_path / "artifacts"
    (folder / "a page").mkdir(parents=True)
    make_artifact(folder / "tiny-float32.tflite")
    beside = write(found(), folder / "a page" / "net.html")
    data = json.loads(beside.read_text())
    assert data["int8"]["points_lost"] == {"value": 14.2, "low": 12.0, "high": 16.0}
    assert [row["float"] for row in data["layers"]] == [False, True, False, False]
    (folder / "other.html").write_text("<p>not ours</p>")
    (folder / "broken.html").write_text("")
    (folder / "broken.json").write_text("{")
    assert [item.label for item in pages(folder)] == ["net, int8, tflite"]
    (tmp_path / "out").mkdir()
    made = write_report(folder, tmp_path / "out" / "report.html", rounds=1)
    assert made.pages == (("net, int8, tflite", "../artifacts/a%20page/net.html"),)
    assert (
        '<a href="../artifacts/a%20page/net.html">net, int8, tflite</a>' in (tmp_path / "out/report.html").read_text()
    )
