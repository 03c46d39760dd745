"""The browser target through `adb reverse`, with the real adb and a real adbd: the way of a phone on USB.

`make adb-test` runs this, in a network of its own; nothing else does. Chromium stands in for the phone's browser.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_run import Run
from phone import Phone

from handlens.artifact import Artifact

PACKAGES = Path(os.environ.get("HANDLENS_ADBD", "/nowhere"))
pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not (PACKAGES / "usr/bin/adb").exists(), reason="needs a real adbd: make adb-test"),
]

Adb = Callable[..., str]


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adb]:
    """The real adb, with a device connected."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    phone = Phone(PACKAGES, tmp_path)
    real = [*phone.loader, str(PACKAGES / "usr/lib/android-sdk/platform-tools/adb")]
    # Under Debian's own loader adb cannot find itself to start its server.
    server = subprocess.Popen(
        [*real, "-L", "tcp:5037", "server", "nodaemon"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def call(*arguments: str) -> str:
        done = subprocess.run([*real, *arguments], capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    try:
        for _ in range(100):
            call("connect", phone.serial)
            if f"{phone.serial}\tdevice" in call("devices"):
                break
            time.sleep(0.1)
        yield lambda *arguments: call("-s", phone.serial, *arguments)  # adb's server finds it as an emulator, too
    finally:
        call("kill-server")
        server.wait(timeout=20)
        phone.remove()


def test_adb_reverse_gives_the_page_a_secure_context_and_threads(
    adb: Adb, write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    page, started = window(), run(write("tiny_int8.tflite").path, threads=(1, 2))
    port = started.address.split(":")[2].split("/")[0]
    assert "error" not in adb("reverse", "tcp:8200", f"tcp:{port}")
    assert "tcp:8200" in adb("reverse", "--list")
    page.goto(started.address.replace(port, "8200", 1))
    cores = page.evaluate("navigator.hardwareConcurrency")
    figures = started.end(page)
    assert page.evaluate("isSecureContext && crossOriginIsolated")
    assert [figure.threads for figure in figures] == ([1, 2] if cores > 1 else [1])
    assert not any("plain HTTP" in note for figure in figures for note in figure.notes)
