"""A run of the browser target in a thread, and what a page sent: for the tests in tests/runtime/browser."""

import base64
import os
import queue
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from handlens.artifact import Artifact
from handlens.bench import Figure, Order
from handlens.bench.browser.jobs import Served
from handlens.bench.browser.target import BrowserTarget
from handlens.engine import open_engine

WAIT = 60_000  # milliseconds
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Run:
    """`measure` in a thread, as the command runs it; what it gave and how it ended."""

    def __init__(self, order: Order, **options: Any) -> None:
        self.figures: list[Figure] = []
        self.told: list[str] = []
        self.error: BaseException | None = None
        addresses: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._work, args=(order, addresses.put, options), daemon=True)
        self._thread.start()
        self.address = addresses.get(timeout=20)

    def _work(self, order: Order, announce: Callable[[str], None], options: dict[str, Any]) -> None:
        try:
            with BrowserTarget(announce=announce, **options) as target:
                self.figures.extend(target.measure(order, self.told.append))
        except BaseException as error:
            self.error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def end(self, page: Any = None) -> list[Figure]:
        """Waits for the end, letting the page work meanwhile; raises what went wrong."""
        for _ in range(WAIT // 100):
            if self.ended:
                break
            if page is None:
                self._thread.join(0.1)
            else:
                page.wait_for_timeout(100)
        assert self.ended, f"it goes on: {self.told[-3:]}"
        if self.error:
            raise self.error
        return self.figures


def look(page: Any, name: str) -> None:
    folder = os.environ.get("HANDLENS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def heard(page: Any) -> list[dict[str, Any]]:
    """Fills with the raw outputs that the page sends."""
    found: list[dict[str, Any]] = []
    page.on(
        "request",
        lambda request: found.append(request.post_data_json) if request.url.endswith("/api/answers") else None,
    )
    return found


def furthest(artifact: Artifact, sent: dict[str, Any]) -> float:
    """The largest difference between outputs that a page sent and those of Python's engine, over the output's range."""
    spec, engine = artifact.manifest.input, open_engine(artifact, check=False)
    worst = 0.0
    for tensor, outputs in zip(Served(artifact).goldens, sent["outputs"], strict=True):
        expected = engine.run({spec.name: np.frombuffer(tensor, spec.dtype).reshape(spec.shape)})
        for output in artifact.manifest.outputs:
            raw = np.frombuffer(base64.b64decode(outputs[output.name]), output.dtype).astype(np.float32)
            if output.quant_scale is not None:
                raw = (raw - (output.quant_zero_point or 0)) * np.float32(output.quant_scale)
            wanted = expected[output.name].reshape(-1)
            worst = max(worst, float(np.abs(raw - wanted).max()) / max(float(np.ptp(wanted)), 1e-6))
    engine.close()
    return worst
