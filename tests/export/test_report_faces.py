"""The report of several tasks: DET curves, breakdowns, peers, data sets beside others, and hostile details."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.artifact import Artifact
from handlens.metrics import Interval
from handlens_export.record import record
from handlens_export.report import det
from handlens_export.report.boards import boards
from handlens_export.report.collect import collect
from handlens_export.report.details import Detail, details_of
from handlens_export.report.page import page
from handlens_export.report.rows import Measured, Report, ReportRow, Score, Timing
from handlens_export.report.verdict import judge
from handlens_train.evaluation import Breakdown, Evaluation

SVG = "{http://www.w3.org/2000/svg}"


def timing(ms: float) -> Timing:
    return Timing("litert 2", 1, ms, ms * 1.1, (ms,) * 4, 40)


def row(name: str, recipe: str, task: str, measured: tuple[Measured, ...], ms: float = 1.0, size: int = 300_000):
    return ReportRow(
        path=f"{name}-{recipe}.tflite",
        name=name,
        task=task,
        family=f"{name} (run)",
        format="tflite",
        recipe=recipe,
        weights="float32" if recipe == "float32" else "int8",
        size=size,
        gzip_size=size // 2,
        parameters=200_000,
        sparsity=0.0,
        measured=measured,
        timing=timing(ms),
        foreign=recipe == "imported",
    )


def on(dataset: str, primary: str, beside: str = "", **values: float) -> Measured:
    units = {"false_positives": "per image"}
    scores = tuple(Score(n, v, v - 0.02, v + 0.02, 120, units.get(n, "fraction")) for n, v in values.items())
    return Measured(dataset, "test", scores, primary=primary, beside=beside)


def heights(*values: float | None) -> tuple[Breakdown, ...]:
    rows = [(f"from {20 * i} px", 50 if v else 7, v, v and v - 0.1, v and v + 0.1) for i, v in enumerate(values)]
    return (Breakdown("face height", tuple(rows), "ap"),)


def detector(name: str, recipe: str, ap: float, ms: float, size: int) -> ReportRow:
    main = replace(on("faces_multi", "ap", ap=ap), breakdowns=heights(ap - 0.1, ap, None))
    pets = on("pets", "false_positives", "faces_multi/test", false_positives=0.05)
    return row(name, recipe, "face-detector", (main, pets), ms, size)


DETECTORS = (
    detector("face-detector", "float32", 0.86, 4.0, 900_000),
    detector("face-detector", "int8", 0.855, 2.0, 300_000),
    detector("yunet", "imported", 0.81, 8.0, 200_000),
)


def verifier(recipe: str = "int8", impostors: int = 3000, genuine: int = 300) -> ReportRow:
    points = tuple((x, 0.2 * (1e-3 / x) ** 0.5) for x in np.geomspace(1e-4, 0.5, 30).tolist())
    curves = {
        "det": points,
        "det-low": tuple((x, y * 0.7) for x, y in points),
        "det-high": tuple((x, y * 1.3) for x, y in points),
    }
    measured = on("lfw", "accuracy", accuracy=0.96, eer=0.03, **{"fnmr@1e-2": 0.08})
    counts = {"impostors": impostors, "genuine": genuine}
    return row("face-verifier", recipe, "face-verifier", (replace(measured, curves=curves, counts=counts),))


def parse(*rows: ReportRow) -> ElementTree.Element:
    return ElementTree.fromstring(page(Report(title="faces", rows=rows)).removeprefix("<!DOCTYPE html>"))


def text_of(element: ElementTree.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def with_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def test_a_page_of_several_tasks_keeps_them_apart_and_sums_each_up() -> None:
    root = parse(*DETECTORS, verifier())
    first, second = with_class(root, "of-task")
    assert text_of(first).startswith("Face detection") and text_of(second).startswith("Face verification")
    assert "face-verifier-int8.tflite" not in text_of(first) and "yunet" not in text_of(second)
    (summary,) = with_class(root, "tasks")
    assert [a.get("href") for a in summary.iter("a")] == [f"#{first.get('id')}", f"#{second.get('id')}"]
    assert "face-detector int8 takes 33% of the bytes and 0.50× the time" in text_of(summary)
    assert not with_class(parse(verifier()), "tasks") and not with_class(parse(verifier()), "task-title")


def test_a_data_set_beside_another_has_a_small_table_and_no_plots() -> None:
    first, second = boards(DETECTORS)
    assert (first.dataset, first.small, second.dataset, second.small) == ("faces_multi", False, "pets", True)
    (small,) = with_class(parse(*DETECTORS), "small")
    assert "pets · test" in text_of(small) and "per image" in text_of(small) and not list(small.iter(f"{SVG}path"))
    assert [e.get("data-row") for e in small.iter("tr") if e.get("data-row")] == [r.path for r in DETECTORS]


def test_the_verdict_is_about_ours_and_sets_the_peer_beside_it() -> None:
    board = boards(DETECTORS)[0]
    verdict = judge(board, max_drop=1.0)
    assert {card.path for card in verdict.cards} <= {DETECTORS[0].path, DETECTORS[1].path}
    (line,) = verdict.peers
    assert line.startswith("yunet: AP 81.0%") and "face-detector int8: 150% of its bytes, 0.25× its time" in line
    assert "+4.5 points" in line
    assert judge(boards(DETECTORS[2:])[0], 1.0).cards[0].path == DETECTORS[2].path


def test_the_table_has_the_time_against_each_peer() -> None:
    root = parse(*DETECTORS)
    table = next(t for t in root.iter("table") if "× yunet" in text_of(t))
    heads = [text_of(th) for th in table.iter("th")]
    column = next(i for i, head in enumerate(heads) if "× yunet" in head)
    cells = {tr.get("data-row"): text_of(list(tr)[column]) for tr in table.iter("tr") if tr.get("data-row")}
    assert cells == {DETECTORS[0].path: "0.50×", DETECTORS[1].path: "0.25×", DETECTORS[2].path: "peer"}


def test_a_breakdown_has_a_column_an_artifact_and_says_too_few() -> None:
    (table,) = with_class(parse(*DETECTORS), "breakdown")
    assert text_of(table).startswith("AP by face height")
    bodies = [[text_of(cell) for cell in tr] for tr in table.iter("tr")][1:]
    assert [cells[0] for cells in bodies] == ["from 0 px", "from 20 px", "from 40 px"]
    assert bodies[1][1:] == ["50", "86.0 76.0–96.0", "85.5 75.5–95.5", "81.0 71.0–91.0"]
    assert bodies[2][1:] == ["7", "too few", "too few", "too few"]


def test_the_curve_is_dashed_where_the_comparisons_carry_nothing() -> None:
    root = parse(verifier(impostors=3000, genuine=300))
    drawn = [e for e in root.iter(f"{SVG}path") if e.get("class", "").startswith("curve ")]
    dashed = [e for e in drawn if "dashed" in e.get("class", "")]
    assert len(drawn) == 3 and len(dashed) == 2  # rare false matches on the left, rare false non-matches on the right
    starts = [float(e.get("d", "").removeprefix("M").split(",")[0]) for e in drawn]
    assert starts == sorted(starts) and drawn[1] not in dashed
    assert "3 of 3,000" in text_of(root) and "3 of 300" in text_of(root)
    many = parse(verifier(impostors=10**7, genuine=10**6))
    assert not [e for e in many.iter(f"{SVG}path") if "dashed" in e.get("class", "")]
    assert len([e for e in root.iter(f"{SVG}path") if "band" in e.get("class", "")]) == 1


def test_a_curve_without_a_single_error_can_still_be_drawn() -> None:
    flat = tuple((x, 0.0) for x in (1e-3, 1e-2, 1e-1))
    svg = ElementTree.fromstring(det.det([det.Line("perfect", flat, (), (), 100, 0, "a", 0)]))
    assert [e for e in svg.iter(f"{SVG}path") if "dashed" in e.get("class", "")]


def test_many_metrics_are_split_over_two_tables() -> None:
    names = ["accuracy", "eer", "fnmr@1e-1", "fnmr@1e-2", "fnmr@1e-3", "tar@1e-2", "failure_to_acquire"]
    many = row("v", "int8", "face-verifier", (on("lfw", "accuracy", **dict.fromkeys(names, 0.5)),))
    root = parse(many)
    (further,) = with_class(root, "further")
    assert "TAR" in text_of(further) and "failure to acquire" in text_of(further) and "EER" not in text_of(further)


def test_what_was_recorded_is_what_the_page_gets(make_artifact: Callable[..., Artifact], tmp_path: Path) -> None:
    def measured(dataset: str, others: tuple[Evaluation, ...] = ()) -> Evaluation:
        return Evaluation(
            dataset=dataset,
            split="test",
            protocol="IoU 0.5",
            n=120,
            primary="ap",
            metrics={"recall": Interval(0.9, 0.8, 1.0), "ap": Interval(0.8, 0.7, 0.9)},
            outcomes=np.empty(0),
            groups=np.arange(120),
            breakdowns=heights(0.75, None),
            curves={"det": ((0.001, 0.1), (0.01, 0.05))},
            counts={"impostors": 4000},
            others=others,
        )

    made = make_artifact(tmp_path / "net.tflite", task="face-detector")
    record(made.path, measured("faces_multi", (measured("faces_one"),)))
    (found,) = collect(tmp_path).rows
    first, second = (found.on(name, "test") for name in ("faces_multi", "faces_one"))
    assert first is not None and second is not None
    assert (first.primary, first.protocol, first.beside) == ("ap", "IoU 0.5", "")
    assert second.beside == "faces_multi/test"
    assert first.breakdowns == heights(0.75, None) and first.counts == {"impostors": 4000}
    assert first.curves == {"det": ((0.001, 0.1), (0.01, 0.05))} and not found.foreign
    assert [board.primary for board in boards([found])] == ["ap", "ap"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
PARTS = st.sampled_from(["curve", "curves", "counts", "breakdowns", "primary", "protocol", "beside"])


class Fake:
    """Stands for an artifact with one extra."""

    def __init__(self, content: object) -> None:
        self.extras = {"evaluation.json": json.dumps(content).encode(), "cmc.json": b"[0.5]"}


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(PARTS, JSON, max_size=5) | JSON)
def test_details_of_any_shape_are_read_or_left_out(content: object) -> None:
    found = details_of(Fake({"lfw/test": content}))  # type: ignore[arg-type]
    assert found[""] == Detail(curve=(0.5,))
    detail = found.get("lfw/test", Detail())
    parts = {"curve": detail.curve, "curves": detail.curves, "counts": detail.counts, "breakdowns": detail.breakdowns}
    measured = replace(on("lfw", detail.primary, accuracy=0.9), protocol=detail.protocol, **parts)
    page(Report(title="x", rows=(row("v", "int8", "face-verifier", (measured,)),)))


@pytest.mark.parametrize("rows", [[["a", 3, 0.5, 0.4]], [["a", 3.5, None, None, None]], [[1, 3, None, None, None]], []])
def test_a_breakdown_of_another_shape_counts_as_none(rows: list[object]) -> None:
    content = {"lfw/test": {"breakdowns": [{"name": "age", "metric": "accuracy", "rows": rows}]}}
    assert details_of(Fake(content))["lfw/test"].breakdowns == ()  # type: ignore[arg-type]
