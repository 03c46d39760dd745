"""The report's arithmetic: Pareto front, axes, label placing, and what the plots draw."""

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens_export.report.forest import Change, forest
from handlens_export.report.labels import Box, Request, place, spread
from handlens_export.report.pareto import pareto_front
from handlens_export.report.rows import PairedDrop, Timing
from handlens_export.report.scale import fit, linear_ticks, log_ticks
from handlens_export.report.scatter import Point, scatter

SVG = "{http://www.w3.org/2000/svg}"
FEW = st.integers(min_value=0, max_value=6).map(float)  # small on purpose: ties are where fronts go wrong


def dominated(i: int, points: list[tuple[float, float]]) -> bool:
    cost, gain = points[i]
    return any(c <= cost and g >= gain and (c < cost or g > gain) for c, g in points)


@settings(deadline=None)
@given(st.lists(st.tuples(FEW, FEW), max_size=24))
def test_the_front_is_what_brute_force_finds(points: list[tuple[float, float]]) -> None:
    front = pareto_front([c for c, _ in points], [g for _, g in points])
    assert sorted(front) == [i for i in range(len(points)) if not dominated(i, points)]
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)


def test_costs_and_gains_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 costs and 1 gains"):
        pareto_front([1.0, 2.0], [1.0])


@settings(deadline=None)
@given(st.lists(st.floats(min_value=1e-3, max_value=1e9), min_size=1, max_size=20))
def test_a_log_axis_holds_every_value_in_order(values: list[float]) -> None:
    scale = fit(values, 0.0, 600.0, log=True)
    pixels = [scale(v) for v in sorted(values)]
    assert pixels == sorted(pixels) and 0 < pixels[0] and pixels[-1] < 600


@settings(deadline=None)
@given(st.floats(min_value=-5, max_value=5), st.floats(min_value=1e-3, max_value=10), st.integers(2, 10))
def test_linear_ticks_are_inside_and_evenly_spaced(low: float, span: float, wanted: int) -> None:
    ticks = linear_ticks(low, low + span, wanted)
    steps = [b - a for a, b in zip(ticks, ticks[1:], strict=False)]
    assert all(low - 1e-6 <= t <= low + span + 1e-6 for t in ticks) and len(ticks) <= wanted + 1
    assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)


@settings(deadline=None)
@given(st.floats(min_value=1e-3, max_value=1e6), st.floats(min_value=2.0, max_value=1e4))
def test_a_log_axis_always_has_ticks_to_read(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor, 6)
    assert 2 <= len(ticks) <= 11 and ticks == sorted(ticks)
    assert all(low * 0.999 <= t <= low * factor * 1.001 for t in ticks)


REQUESTS = st.lists(
    st.builds(
        Request,
        st.sampled_from(["int8", "pruned50-int8", "float32 onnx", "m"]),
        st.floats(20, 580),
        st.floats(20, 380),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(REQUESTS)
def test_placed_labels_cover_neither_each_other_nor_a_point(requests: list[Request]) -> None:
    frame = Box(0, 0, 600, 400)
    placed = place(requests, frame)
    for label in placed:
        assert label.box.inside(frame)
        assert not any(label.box.hits(other.box) for other in placed if other is not label)
        assert not any(label.box.hits(Box(r.x - 5.9, r.y - 5.9, r.x + 5.9, r.y + 5.9)) for r in requests)


def test_where_there_is_room_every_point_gets_its_label() -> None:
    requests = [Request("int8", 100.0 + 90 * i, 200.0) for i in range(5)]
    assert [p.index for p in place(requests, Box(0, 0, 600, 400))] == [0, 1, 2, 3, 4]


@settings(deadline=None)
@given(st.lists(st.floats(0, 300), min_size=1, max_size=18))
def test_line_ends_are_moved_apart_in_order(wanted: list[float]) -> None:
    moved = spread(wanted, 15.0, 0.0, 300.0)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    positions = [moved[i] for i in order]
    assert all(b - a >= 15.0 - 1e-6 for a, b in zip(positions, positions[1:], strict=False))
    assert positions[0] >= -1e-9


def point(label: str, cost: float, gain: float) -> Point:
    return Point(
        cost=cost,
        gain=gain,
        low=gain - 0.04,
        high=gain + 0.04,
        label=label,
        short=label,
        tip=(label, "x"),
        row=f"{label}.tflite",
        family=0,
        square=False,
        solid=True,
    )


def draw(points: list[Point], lines: dict[str, float] | None = None) -> tuple[ElementTree.Element, tuple[int, ...]]:
    drawn = scatter(points, x_title="bytes", y_title="rank-1", write_x=str, write_y=str, lines=lines)
    return ElementTree.fromstring(drawn.svg), drawn.front


def test_a_scatter_draws_each_point_and_the_front() -> None:
    svg, front = draw([point("big", 4e6, 0.81), point("small", 1e6, 0.80), point("bad", 2e6, 0.70)])
    marks = [g for g in svg.iter(f"{SVG}g") if g.get("class", "").startswith("point")]
    assert {m.get("data-row") for m in marks} == {"big.tflite", "small.tflite", "bad.tflite"}
    assert front == (1, 0)
    centres = {m.get("data-row"): [float(c.get(k, "")) for k in ("cx", "cy")] for m in marks if (c := m[1]) is not None}
    assert centres["small.tflite"][0] < centres["bad.tflite"][0] < centres["big.tflite"][0]
    assert centres["big.tflite"][1] < centres["small.tflite"][1] < centres["bad.tflite"][1]


@pytest.mark.parametrize(("value", "drawn"), [(0.78, True), (0.25, False)])
def test_a_published_level_far_below_is_named_and_not_drawn(value: float, drawn: bool) -> None:
    svg, _ = draw([point("a", 4e6, 0.81), point("b", 1e6, 0.80)], {"published": value})
    texts = [t.text or "" for t in svg.iter(f"{SVG}text") if t.get("class") == "level-name"]
    levels = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "level"]
    assert len(texts) == 1 and "published" in texts[0]
    assert (len(levels) == 1) is drawn and ("below this axis" in texts[0]) is not drawn


def test_the_budget_line_stands_between_a_loss_within_and_one_beyond() -> None:
    changes = [
        Change("kind", PairedDrop("d", "val", "rank1", -0.003, -0.01, 0.004), "a", 0, False, True),
        Change("cruel", PairedDrop("d", "val", "rank1", -0.030), "b", 0, True, True),
    ]
    svg = ElementTree.fromstring(forest(changes, max_drop=1.0, metric="rank-1"))
    limit = next(float(line.get("x1", "")) for line in svg.iter(f"{SVG}line") if line.get("class") == "limit")
    circle = next(float(c.get("cx", "")) for c in svg.iter(f"{SVG}circle"))
    square = next(float(r.get("x", "")) for r in svg.iter(f"{SVG}rect") if r.get("rx") == "1")
    assert square + 8 < limit < circle


def timing(*rounds: float) -> Timing:
    return Timing("litert 2", 1, sorted(rounds)[len(rounds) // 2], max(rounds), rounds, 10)


def test_a_load_that_comes_and_goes_cancels_in_the_ratio() -> None:
    # Half the rounds ran at a third of the speed; within each round the small one took half the time.
    large = timing(4.0, 12.0, 4.0, 12.0, 12.0)
    small = timing(2.0, 6.0, 2.0, 6.0, 6.0)
    assert small.ratio(large) == pytest.approx(0.5)
    assert timing(2.0, 2.1, 3.5).wide and not timing(2.0, 2.1, 2.2).wide
