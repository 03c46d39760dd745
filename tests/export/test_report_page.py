"""The page from rows: verdicts, boards kept apart, hostile names, nothing fetched, well-formed."""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens_export.report.boards import boards, reference_of
from handlens_export.report.markup import VOID, el, escape
from handlens_export.report.page import page
from handlens_export.report.rows import (
    BrokenRow,
    Fresh,
    Measured,
    PairedDrop,
    Report,
    ReportRow,
    Score,
    Timing,
)
from handlens_export.report.verdict import judge


def measured(split: str, rank1: float, n: int = 301) -> Measured:
    scores = tuple(Score(name, v, v - 0.04, v + 0.04, n) for name, v in (("rank1", rank1), ("mAP", rank1 + 0.02)))
    return Measured("market1501", split, scores, (rank1, rank1 + 0.05, rank1 + 0.08))


def row(recipe: str, size: int, rank1: float, ms: float | None = 1.0, **changes: object) -> ReportRow:
    path = f"net-{recipe}.tflite"
    values: dict[str, object] = {
        "path": path,
        "name": "net",
        "task": "reid",
        "family": "net (run)",
        "format": "tflite",
        "recipe": recipe,
        "weights": "float32" if recipe == "float32" else "int8",
        "size": size,
        "gzip_size": size // 2,
        "parameters": 386_000,
        "sparsity": 0.0,
        "measured": (measured("test", rank1),),
        "timing": Timing("litert 2", 1, ms, ms * 1.1, (ms,) * 4, 40, Fresh(9.0, 2.0, 80.0, 60.0)) if ms else None,
        "details": (("Compression", (("recipe", recipe),)),),
    }
    return ReportRow(**{**values, **changes})  # type: ignore[arg-type]


FLOAT = row("float32", 1_400_000, 0.800, 2.0)
INT8 = row("int8", 400_000, 0.795, 1.0)
PRUNED = row("pruned90-int8", 390_000, 0.700, 0.9)


def text_of(html: str) -> str:
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))
    for tag in ("style", "script"):
        for parent in root.iter():
            for child in [c for c in parent if c.tag == tag]:
                parent.remove(child)
    return re.sub(r"\s+", " ", " ".join(root.itertext()))


class Balance(HTMLParser):
    """Fails on a tag closed out of order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_fetches_nothing() -> None:
    html = page(Report(title="out", rows=(FLOAT, INT8, PRUNED), host=(("CPU", "some"),)))
    reader = Balance()
    reader.feed(html)
    assert reader.open == []
    assert reader.urls and all(url.startswith("#") for url in reader.urls)
    outside = re.sub(r'xmlns="http://www\.w3\.org/2000/svg"', "", html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest", outside)


def test_every_artifact_is_in_the_table_and_in_both_plots() -> None:
    html = page(Report(title="out", rows=(FLOAT, INT8, PRUNED)))
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))
    for artifact in (FLOAT, INT8, PRUNED):
        tagged = [e for e in root.iter() if e.get("data-row") == artifact.path]
        assert sum(e.tag == "tr" for e in tagged) == 1
        assert sum(e.get("class", "").startswith("point ") for e in tagged) == 2


def test_the_verdict_names_the_smallest_within_the_budget_and_what_it_saves() -> None:
    (board,) = boards([FLOAT, INT8, PRUNED])
    verdict = judge(board, max_drop=1.0)
    assert "net int8 takes 29% of the bytes and 0.50× the time of its float32" in verdict.sentence
    assert "−0.5 points of rank-1" in verdict.sentence
    smallest, fastest, best = verdict.cards
    assert (smallest.path, fastest.path, best.path) == (INT8.path, PRUNED.path, FLOAT.path)
    assert any("within the budget: int8" in note for note in fastest.notes)


@pytest.mark.parametrize(
    ("rank1", "words"),
    [
        (0.795, ", for −0.5 points of rank-1."),
        (0.80, ", at the same rank-1."),
        (0.81, ", and gains 1.0 points of rank-1."),
    ],
)
def test_the_sentence_tells_a_loss_from_a_gain(rank1: float, words: str) -> None:
    (board,) = boards([FLOAT, row("int8", 400_000, rank1)])
    assert judge(board, max_drop=1.0).sentence.endswith(words)


@pytest.mark.parametrize(("max_drop", "path"), [(0.4, FLOAT.path), (0.5, INT8.path), (10.0, PRUNED.path)])
def test_the_budget_decides(max_drop: float, path: str) -> None:
    (board,) = boards([FLOAT, INT8, PRUNED])
    assert judge(board, max_drop).cards[0].path == path


def test_validation_and_test_figures_are_never_mixed() -> None:
    both = row("float32", 1_400_000, 0.8, measured=(measured("val", 0.91, 88), measured("test", 0.80)))
    only_val = row("int8", 400_000, 0.9, measured=(measured("val", 0.90, 88),))
    first, second = boards([both, only_val])
    assert (first.split, second.split) == ("test", "val")
    assert [e.row.path for e in first.entries] == [both.path]
    assert [e.primary.value for e in second.entries if e.primary] == [0.91, 0.90]
    text = text_of(page(Report(title="out", rows=(both, only_val))))
    assert "market1501 · test · 301 items" in text and "market1501 · val · 88 items" in text


def test_the_drop_is_paired_where_the_exporter_recorded_it_and_plain_otherwise() -> None:
    paired = row("int8", 400_000, 0.795, drops=(PairedDrop("market1501", "test", "rank1", -0.006, -0.017, 0.004),))
    by_recipe = {e.row.recipe: e for e in boards([FLOAT, paired, PRUNED])[0].entries}
    assert by_recipe["int8"].drop == paired.drops[0]
    plain = by_recipe["pruned90-int8"].drop
    assert plain is not None and plain.low is None and plain.value == pytest.approx(-0.1)
    assert by_recipe["float32"].drop is None
    text = text_of(page(Report(title="out", rows=(FLOAT, paired, PRUNED))))
    assert "−0.6" in text and "−1.7 to +0.4" in text and "−10.0" in text


def test_float32_of_the_same_format_is_the_reference_before_the_tflite_one() -> None:
    onnx_float = row("float32", 1_500_000, 0.8, path="net-float32.onnx", format="onnx")
    onnx_int8 = row("int8", 420_000, 0.79, path="net-int8.onnx", format="onnx")
    other = row("float32", 9_000_000, 0.9, path="other.tflite", family="other (run)")
    assert reference_of(onnx_int8, [other, FLOAT, onnx_float, onnx_int8]) is onnx_float
    assert reference_of(onnx_int8, [other, FLOAT, onnx_int8]) is FLOAT
    assert reference_of(onnx_int8, [other, onnx_int8]) is None


PUBLISHED = "Published by the early reports"


@pytest.mark.parametrize(("split", "n", "shown"), [("test", 301, True), ("test", 300, False), ("val", 301, False)])
def test_published_rows_stand_only_beside_their_own_protocol(split: str, n: int, shown: bool) -> None:
    rows = tuple(row(r, s, v, measured=(measured(split, v, n),)) for r, s, v in (("float32", 9, 0.8), ("int8", 5, 0.8)))
    text = text_of(page(Report(title="out", rows=rows)))
    assert (PUBLISHED in text and "Not measured here" in text) is shown


def test_metrics_of_any_task_become_columns() -> None:
    scores = (Score("accuracy", 0.97, 0.94, 0.99, 100), Score("recall_face", 0.96, 0.9, 1.0, 50))
    checked = row("int8", 9_000, 0.0, task="facecheck", measured=(Measured("lfw_subset", "test", scores),))
    html = page(Report(title="out", rows=(checked,)))
    text = text_of(html)
    assert "accuracy" in text and "recall face" in text and "97.0" in text and "94.0–99.0" in text
    assert PUBLISHED not in text and "CMC" not in text.split("Terms")[0]


def test_an_artifact_without_metrics_or_timing_still_has_its_row() -> None:
    bare = row(
        "int8", 400_000, 0.0, None, measured=(), timing_problem="EngineUnavailable: onnxruntime is not installed"
    )
    text = text_of(page(Report(title="out", rows=(FLOAT, bare))))
    assert "Artifacts without a metric" in text and bare.path in text and "onnxruntime is not installed" in text


def test_a_page_of_nothing_but_damaged_files_says_so() -> None:
    text = text_of(page(Report(title="out", rows=(), broken=(BrokenRow("a.tflite", "ArtifactTampered", "a byte"),))))
    assert "No artifact here could be read" in text and "ArtifactTampered" in text and "a byte" in text


def test_a_wide_spread_is_marked_and_a_narrow_one_is_not() -> None:
    wide = row("int8", 400_000, 0.8, timing=Timing("litert 2", 1, 1.0, 2.0, (1.0, 2.0), 20))
    marks = [page(Report(title="out", rows=(FLOAT, other))).count('class="wide"') for other in (INT8, wide)]
    assert marks == [0, 1]


HOSTILE = '"><script>alert(1)</script><img src=x onerror=y>&amp;\u202eetilft.\x00 · ]]>'


def test_a_hostile_name_stays_text() -> None:
    bad = row(HOSTILE, 400_000, 0.8, path=f"{HOSTILE}.tflite", name=HOSTILE)
    bad_facts = row("float32", 9, 0.8, details=((HOSTILE, ((HOSTILE, HOSTILE),)),))
    broken = (BrokenRow(HOSTILE, HOSTILE, HOSTILE),)
    html = page(Report(title=HOSTILE, rows=(bad, bad_facts), broken=broken, host=((HOSTILE, HOSTILE),)))
    reader = Balance()
    reader.feed(html)
    assert reader.open == [] and all(url.startswith("#") for url in reader.urls)
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))
    assert sum(e.tag == "script" for e in root.iter()) == 1 and not any(e.tag == "img" for e in root.iter())
    assert "\u202e" not in html and "\x00" not in html
    assert "\\u202e" in html


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_survives_as_text_or_attribute(text: str, attribute: str) -> None:
    element = ElementTree.fromstring(el("p", text, title=attribute))
    assert element.text == (undo(text) or None) and element.get("title") == undo(attribute)
    assert not list(element)


def undo(text: str) -> str:
    """What `escape` leaves to be read, without its entities."""
    shown = escape(text)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        shown = shown.replace(entity, character)
    return shown
