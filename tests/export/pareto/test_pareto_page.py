"""The Pareto page: well-formed, fetching nothing, honest about what it draws, and quick with thousands of rows."""

import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlens_export.pareto.page import page
from handlens_export.pareto.rows import Change, Content, Metric, Row
from handlens_export.pareto.smallest import within

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WHOLE = 1_000_000
SVG = "{http://www.w3.org/2000/svg}"


def row(index: int, recipe: str = "int8", size: int = 270_000, loss: float = 0.4, **changes: Any) -> Row:
    """A trial that lost so many points of 90."""
    value = 0.9 - loss / 100
    facts: dict[str, Any] = {
        "key": f"r{index}",
        "origin": "sweep",
        "number": index,
        "task": "gender",
        "model": "net",
        "recipe": recipe,
        "format": "tflite",
        "path": f"artifacts/net-{index}.tflite",
        "size": size,
        "gzip_size": size * 9 // 10,
        "size_ratio": size / WHOLE,
        "gzip_ratio": size * 0.9 / WHOLE,
        "metric": Metric("accuracy", "utkface", "val", 2370, value, value - 0.01, value + 0.01),
        "change": None if recipe == "float32" else Change(-loss / 100, -loss / 100 - 0.004, -loss / 100 + 0.004),
        "p50_ms": size / 2e5,
        "p90_ms": size / 1.8e5,
    }
    return Row(**facts | changes)


FLOAT = row(0, "float32", WHOLE, 0.0)
FAILED = replace(
    row(4, "mixed"), state="memory", reason="stopped at 2,000 MiB", size=None, metric=None, change=None, p50_ms=None
)
ROWS = (FLOAT, row(1), row(2, "int4", 160_000, 0.9), row(3, "pruned50-int8", 271_000, 2.0), FAILED)


def html_of(*rows: Row, **more: Any) -> str:
    return page(Content(title="all", rows=rows, origins=("sweep: 5 trials",), **more))


def tree(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))


def text_of(element: ElementTree.Element) -> str:
    return re.sub(r"\s+", " ", " ".join(element.itertext()))


def test_it_is_one_well_formed_file_that_fetches_nothing() -> None:
    html = html_of(*ROWS, unread=(("x.tflite", "damaged"),))
    root = tree(html)
    (policy,) = (m.get("content") or "" for m in root.iter("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    outside = html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"(src|href)=|@import|url\(|fetch\(|XMLHttpRequest|//[a-z]+\.[a-z]", outside)


def test_every_row_is_in_the_table_and_every_measured_one_in_the_plots() -> None:
    root = tree(html_of(*ROWS))
    (body,) = (b for b in root.iter("tbody") if b.get("id") == "rows")
    assert [line.get("data-row") for line in body] == [r.key for r in ROWS]
    assert "stopped at 2,000 MiB" in text_of(body[4])
    for axis in ("size", "gzip", "time"):
        (figure,) = (f for f in root.iter("figure") if f.get("data-axis") == axis)
        points = {g.get("data-row") for g in figure.iter(f"{SVG}g") if "point" in (g.get("class") or "")}
        assert points == {r.key for r in ROWS if r.metric}


def test_the_front_holds_what_nothing_beats_in_size_or_time() -> None:
    html = html_of(*ROWS)
    lines = {line.get("data-row"): line for line in tree(html).iter("tr") if line.get("data-row")}
    assert {key for key, line in lines.items() if line.get("data-front")} == {"r0", "r1", "r2"}
    assert "4 artifacts of 1 model in 1 task; 3 are on a Pareto front. 1 trial made none." in html


def test_a_broken_network_is_on_no_front_and_squeezes_nobody() -> None:
    broken = row(5, "pruned95-int4", 90_000, 60.0)
    root = tree(html_of(*ROWS, broken))
    (line,) = (line for line in root.iter("tr") if line.get("data-row") == "r5")
    assert line.get("data-front") is None
    assert "1 more below this axis" in text_of(root)


def test_the_smallest_within_so_many_points_is_found_by_file_and_by_gzip() -> None:
    rows = [*ROWS[:4], row(6, "pruned70-int8", 272_000, 0.5, gzip_size=120_000, gzip_ratio=0.12)]
    half, one = within(rows, 0.5), within(rows, 1.0)
    packed = within(rows, 0.5, gzip=True)
    assert half and one and packed
    assert (half.recipe, one.recipe, packed.recipe) == ("int8", "int4", "pruned70-int8")
    assert within([rows[3]], 1.0) is None
    text = text_of(tree(html_of(*rows)))
    assert "270 KB (27%), gzip 243 KB (24%)" in text and "272 KB (27%), gzip 120 KB (12%)" in text


def test_boards_are_kept_apart_and_tasks_compared_by_change_alone() -> None:
    metric = Metric("rank1", "market1501", "val", 326, 0.8, 0.76, 0.84)
    other = [replace(r, key=f"x{r.key}", task="reid", metric=metric, origin="b") for r in ROWS[:3]]
    root = tree(html_of(*ROWS, *other))
    titles = [text_of(h) for h in root.iter("h2")]
    assert "gender: utkface · val · 2,370 items" in titles and "reid: market1501 · val · 326 items" in titles
    plots = [svg.get("aria-label") or "" for svg in root.iter(f"{SVG}svg")]
    (both,) = (p for p in plots if p.startswith("change of the metric") and "after gzip" not in p)
    assert "5 points, 0 on the front" in both


def test_published_figures_are_marks_of_their_own_task_with_source_and_day() -> None:
    other = replace(ROWS[1], task="reid", metric=Metric("rank1", "market1501", "val", 326, 0.88, 0.84, 0.92))
    marks = [g.get("data-tip") or "" for g in tree(html_of(other)).iter(f"{SVG}g")]
    published = [tip for tip in marks if "as published" in tip]
    assert any(tip.startswith("OSNet x0.25, as published · rank-1 91.2 on Market-1501") for tip in published)
    assert all("looked up 2026-11-22" in tip for tip in published)
    assert not any("YuNet" in tip for tip in published)


def test_hostile_names_stay_text() -> None:
    name = '"><script>alert(1)</script>\u202e'
    html = html_of(replace(FLOAT, model=name, origin=name, path=name), replace(FAILED, reason=name))
    tree(html)
    assert "<script>alert" not in html and "\u202e" not in html


def test_thousands_of_rows_make_a_page_that_a_browser_holds() -> None:
    many = [row(i, f"pruned{5 + i % 90}-int8", 200_000 + 37 * i, (i * 7919 % 400) / 100) for i in range(2000)]
    html = html_of(*many)
    assert len(html) < 2600 * len(many)
    assert html.count(' on"') < 200, "names and whiskers are drawn of the front alone"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if PROGRAM is None:
        pytest.skip("no Chromium here; run scripts/ensure-chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a page of rows; fails on any error in its console and any request but for the file."""
    context = browser.new_context(viewport={"width": 360, "height": 800})
    troubles: list[str] = []

    def begin(*rows: Row) -> Any:
        file = tmp_path / "pareto.html"
        file.write_text(html_of(*rows), encoding="utf-8")
        opened = context.new_page()
        opened.on("console", lambda message: troubles.append(message.text))
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        opened.on("request", lambda request: troubles.append(request.url) if request.url != file.as_uri() else None)
        opened.goto(file.as_uri())
        return opened

    yield begin
    context.close()
    assert not troubles


@pytest.mark.slow
def test_a_reader_filters_sorts_and_follows_a_point(visit: Any) -> None:
    many = [row(i, f"pruned{5 + i % 90}-int8", 200_000 + 37 * i, (i * 7919 % 400) / 100) for i in range(700)]
    opened = visit(FLOAT, FAILED, *(replace(r, key=f"m{r.key}", number=r.number + 10) for r in many))
    assert opened.evaluate("document.documentElement.scrollWidth") == 360, "no page wider than a phone"
    assert opened.locator("#rows tr").count() == 100
    opened.get_by_role("button", name=re.compile("^size")).first.press("Enter")
    sizes = opened.eval_on_selector_all("#rows td:nth-child(4)", "cells => cells.map(c => Number(c.dataset.sort))")
    assert sizes == sorted(sizes)
    opened.locator("#find").fill("pruned50 gender")
    opened.get_by_text(re.compile(r"\d of 702 rows")).wait_for()
    shown = opened.locator("#rows tr").all_inner_texts()
    assert shown and all("pruned50-int8" in text for text in shown)
    left = opened.eval_on_selector_all(
        "figure[data-axis=size] .point", "all => all.filter(p => p.style.display !== 'none').length"
    )
    assert left == len(shown)
    opened.locator("select[data-filter=state]").select_option("memory")
    opened.get_by_text("0 of 702 rows").wait_for()
    opened.get_by_role("button", name="reset").click()
    opened.get_by_text("702 rows", exact=True).wait_for()
    assert opened.locator("#rows tr").count() == 100
    point = opened.locator("figure[data-axis=size] .point.on").first
    point.focus()
    assert opened.locator("#tip").inner_text().startswith("net pruned")
    point.press("Enter")
    assert opened.locator("#rows tr.lit").count() == 1
