"""The browser target in headless Chromium: what it refuses, and how it ends when it is stopped."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from browser_run import Run, look

from handlens.artifact import Artifact
from handlens.bench import Order
from handlens.bench.browser import target as browser
from handlens.bench.browser.jobs import Served
from handlens.bench.browser.target import BrowserTarget
from handlens.errors import (
    ArtifactTampered,
    DeviceLost,
    DeviceNotFound,
    EngineUnavailable,
    EngineWrong,
    MissingExtra,
    OptionError,
)

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def test_the_address_works_once(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    first, second, third = window(), window(), window()
    started = run(write().path, runs=2_000)
    third.goto(started.address[:-3] + "abc")
    sync_api.expect(third.locator("#now")).to_contain_text("not the address that handlens shows now")
    first.goto(started.address)
    sync_api.expect(first.locator("#jobs li.running")).to_have_count(1)
    assert "#" not in first.url  # neither in the history nor in a bookmark
    second.goto(started.address)
    sync_api.expect(second.locator("#now")).to_contain_text("works once")
    look(second, "bench-refused")
    assert len(started.end(first)) == 1


def test_a_page_that_is_closed_is_an_error(
    write: Callable[..., Artifact],
    run: Callable[..., Run],
    window: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser, "LEAVING_S", 0.5)
    page, started = window(), run(write().path, runs=200_000)
    page.goto(started.address)
    sync_api.expect(page.locator("#doing")).to_contain_text("of 200000")
    look(page, "bench-running")
    page.close()
    with pytest.raises(DeviceLost, match="closed before it was done"):
        started.end()


def test_a_page_whose_work_stands_still_is_an_error(
    write: Callable[..., Artifact],
    run: Callable[..., Run],
    window: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browser, "STILL_S", 2)
    page, started = window(), run(write().path)
    # A worker that never answers: what one that ran out of memory looks like.
    page.route("**/page/worker.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(started.address)
    with pytest.raises(DeviceLost, match="stood still"):
        started.end(page)


def test_nobody_comes(write: Callable[..., Artifact], run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "OPEN_WITHIN_S", 0.2)
    with pytest.raises(DeviceNotFound, match="no browser opened the address"):
        run(write().path).end()


def test_a_model_changed_on_the_way_is_refused(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    artifact = write()
    page, started = window(), run(artifact.path)
    changed = bytearray(artifact.model)
    changed[-1] ^= 1
    page.route("**/api/model/0", lambda route: route.fulfill(body=bytes(changed)))
    page.goto(started.address)
    with pytest.raises(
        ArtifactTampered, match="tiny_float32.tflite, on its way .*: the model arrived changed: SHA-256"
    ):
        started.end(page)
    sync_api.expect(page.locator("#now")).to_contain_text("arrived changed")
    look(page, "bench-tampered")


def test_an_engine_that_answers_wrongly_is_refused(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    page, started = window(), run(write().path)
    wrong = Served(write("tiny_float32.tflite")).goldens[1]
    page.route("**/api/golden/0/0", lambda route: route.fulfill(body=wrong))
    page.goto(started.address)
    with pytest.raises(EngineWrong, match="litert.js .* answers .*tiny_float32.tflite wrongly"):
        started.end(page)
    sync_api.expect(page.locator("#jobs li.bad")).to_contain_text("not timed")


def test_a_model_that_the_engine_cannot_read_is_named(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    artifact = write("tiny_int8.tflite")
    page, started = window(), run(artifact.path)
    body = artifact.model[:64] + bytes(len(artifact.model) - 64)
    page.route("**/api/model/0", lambda route: route.fulfill(body=body))

    # Its hash would give it away; here the page is told to expect it.
    def plan(route: Any) -> None:
        answer = route.fetch().json()
        answer["artifacts"][0]["sha256"] = hashlib.sha256(body).hexdigest()
        route.fulfill(json=answer)

    page.route("**/api/plan", plan)
    page.goto(started.address)
    with pytest.raises(EngineUnavailable, match="litert.js .* cannot run tiny_int8.tflite in the browser: ."):
        started.end(page)


def test_orders_that_cannot_be(write: Callable[..., Artifact], fetched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(files=(write().path,), engine="onnxruntime")
    with BrowserTarget() as target:
        with pytest.raises(OptionError, match="does not read .tflite models in a browser; valid: litert.js"):
            next(target.measure(order, lambda text: None))
        port = int(target._where.split(":")[2].strip("/"))
        with pytest.raises(OptionError, match=f"--port {port} cannot be had"), BrowserTarget(port=port):
            pass
    monkeypatch.setattr(browser, "ENGINES", "no_such_package")
    with pytest.raises(MissingExtra, match=r"pip install 'handlens\[browser\]'"), BrowserTarget():
        pass


def test_ctrl_c_in_the_sustained_mode_keeps_the_figure(
    write: Callable[..., Artifact], window: Callable[..., Any]
) -> None:
    order = Order(files=(write().path,), runs=5, warmup=0, sustained_minutes=10)
    addresses: list[str] = []
    page = window()

    def progress(text: str) -> None:
        page.wait_for_timeout(50)  # lets the page work: both share this thread
        if page.locator("#jobs li dl").count():
            raise KeyboardInterrupt

    def announce(address: str) -> None:
        addresses.append(address)
        page.goto(address)

    figures = []
    with BrowserTarget(announce=announce) as target, pytest.raises(KeyboardInterrupt):
        for figure in target.measure(order, progress):
            figures.append(figure)
    assert len(figures) == 1 and figures[0].model is not None and "stopped" in figures[0].notes[-1]
    assert dataclasses.asdict(figures[0])["target"] == "browser"
