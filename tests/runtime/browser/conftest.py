"""Windows of headless Chromium, and runs of the browser target for them; skipped where either cannot be."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_run import PROGRAM, WAIT, Run

from handlens.bench import Order
from handlens.bench.browser.server import own_address


@pytest.fixture(scope="module")
def fetched() -> None:
    """Skips where the engines are not."""
    engines = pytest.importorskip("handlens_browser", reason="handlens-browser is not installed")
    try:
        engines.folder()
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def playwright(fetched: None) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if PROGRAM is None:
        pytest.skip("no Chromium here; run scripts/ensure-chromium")
    with sync_api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Any) -> Iterator[Any]:
    opened = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
    yield opened
    opened.close()


@pytest.fixture
def window(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens empty windows; fails the test on an error of a page's script and on any foreign request."""
    contexts, troubles = [], []

    def begin(width: int = 1000, height: int = 800, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if is_own(request.url) else troubles.append(request.url))
        return page

    yield begin
    for context in contexts:
        context.close()
    # A refusal (4xx) is a line in the console too; those are what some tests are about.
    assert not [text for text in troubles if "the server responded with a status of 4" not in text]


def is_own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", f"http://{own_address()}:", "blob:http://"))


@pytest.fixture
def run(fetched: None) -> Iterator[Callable[..., Run]]:
    runs = []

    def begin(*files: Path, options: dict[str, Any] | None = None, **order: Any) -> Run:
        started = Run(Order(files=files, **({"runs": 5, "warmup": 1} | order)), **(options or {}))
        runs.append(started)
        return started

    yield begin
    for started in runs:
        if not started.ended:  # the test failed: nobody waits a quarter of an hour
            with contextlib.suppress(BaseException):
                started.end()
