"""How a browser is named, which jobs it gets, and the QR code of its address."""

from typing import Any

import cv2
import numpy as np
import pytest

from handlens.bench.browser import target as browser
from handlens.bench.browser.facts import Facts, device, limits
from handlens.bench.browser.jobs import engine_for, jobs
from handlens.bench.figures import Order
from handlens.errors import ManifestInvalid, OptionError

CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
)
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604"
)


def facts(**changes: Any) -> Facts:
    plain = {"platform": "", "phone": "", "cores": 8, "isolated": True, "secure": True, "relaxed_simd": True}
    return Facts(**({"agent": CHROME, "webgpu": None, "webgpu_software": False} | plain | changes))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({}, "Chrome 141 on Android, 8 cores"),
        ({"agent": CHROME.replace("10; K", "13; SM-G991B")}, "Chrome 141 on Android 13 (SM-G991B), 8 cores"),
        ({"platform": "Android 15", "phone": "Pixel 6"}, "Chrome 141 on Android 15 (Pixel 6), 8 cores"),
        ({"agent": EDGE, "cores": 1}, "Edge 141 on Windows, 1 core"),
        ({"agent": FIREFOX}, "Firefox 145 on Android 14, 8 cores"),
        ({"agent": SAFARI}, "Safari 26.0 on iOS, 8 cores"),
        ({"agent": "curl/8"}, "curl/8 on an unknown system, 8 cores"),
        ({"agent": ""}, "an unknown browser on an unknown system, 8 cores"),
    ],
)
def test_a_browser_s_name(told: dict[str, Any], name: str) -> None:
    assert device(facts(**told)) == name


def test_what_a_browser_says_of_itself_cannot_command_a_terminal() -> None:
    with pytest.raises(ManifestInvalid, match="control characters"):
        facts(phone="\x1b[2J")
    assert device(facts(platform="Android 15", phone="Pix\u202eel")) == "Chrome 141 on Android 15 (Pix?el), 8 cores"
    with pytest.raises(ManifestInvalid, match="cores is 0"):
        facts(cores=0)


def test_why_there_is_one_thread() -> None:
    assert limits(facts()) == ()
    assert "plain HTTP" in limits(facts(secure=False, isolated=False))[0]
    assert "does not isolate" in limits(facts(isolated=False))[0]
    assert "no GPU" in limits(facts(webgpu="google swiftshader", webgpu_software=True))[0]


def test_jobs_are_files_in_their_order_then_threads_then_webgpu(tmp_path: Any) -> None:
    order = Order(files=(tmp_path / "a.tflite", tmp_path / "b.onnx"), threads=(2, 1))
    found, left = jobs(order, ["tflite", "onnx"], facts(webgpu="adreno"))
    assert not left and [job.number for job in found] == list(range(6))
    assert [(job.artifact, job.engine, job.threads, job.accelerator) for job in found] == [
        (0, "litert.js", 2, "cpu"),
        (0, "litert.js", 1, "cpu"),
        (0, "litert.js", 1, "webgpu"),
        (1, "onnxruntime-web", 2, "cpu"),
        (1, "onnxruntime-web", 1, "cpu"),
        (1, "onnxruntime-web", 1, "webgpu"),
    ]
    # Safari has no relaxed SIMD: LiteRT.js then has one thread, ONNX Runtime Web as many as asked.
    found, left = jobs(order, ["tflite", "onnx"], facts(relaxed_simd=False))
    assert [job.threads for job in found] == [1, 2, 1] and "relaxed SIMD" in left[0]


def test_an_engine_goes_by_its_own_name_and_by_its_short_one() -> None:
    assert (
        engine_for("tflite", "litert") == engine_for("tflite", "litert.js") == engine_for("tflite", None) == "litert.js"
    )
    assert engine_for("onnx", "onnxruntime") == "onnxruntime-web"
    with pytest.raises(
        OptionError, match="'tflite-runtime' does not read .tflite models in a browser; valid: litert.js"
    ):
        engine_for("tflite", "tflite-runtime")


def test_the_qr_code_in_the_terminal_is_the_address() -> None:
    pytest.importorskip("segno", reason="segno is not installed")
    address = "http://192.0.2.7:40123/#" + "aB3_" * 5
    lines = browser._qr_code(address)
    # A terminal's half blocks, two modules a character: drawn here as bright is drawn there.
    halves = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    rows = [[halves[character][half] for character in line] for line in lines for half in (0, 1)]
    width = min(map(len, rows))
    picture = np.kron(np.array([row[:width] for row in rows], np.uint8) * 255, np.ones((8, 8), np.uint8))
    found, _, _ = cv2.QRCodeDetector().detectAndDecode(np.pad(picture, 32, constant_values=255))
    assert found == address
