"""`handlens bench --target browser` in headless Chromium, with the real engines: what it answers and measures.

Set HANDLENS_SCREENSHOTS to a folder to look at what the tests saw.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_run import PROGRAM, Run, furthest, heard, look

from handlens.artifact import Artifact
from handlens.bench.browser.server import own_address

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
engines = pytest.importorskip("handlens_browser", reason="handlens-browser is not installed")

ZOO = Path(__file__).parents[3] / "zoo/handlens_zoo/artifacts"


def test_every_engine_answers_as_python_does(
    write: Callable[..., Artifact], any_file: str, run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    artifact = write(any_file)
    page, started = window(), run(artifact.path)
    sent = heard(page)
    page.goto(started.address)
    (figure,) = started.end(page)
    assert figure.engine == ("onnxruntime-web" if any_file.endswith(".onnx") else "litert.js")
    assert figure.artifact == any_file and figure.model_id == artifact.manifest.model_id
    assert figure.engine_version == engines.versions()[figure.engine.split(".")[0].removesuffix("-web")]
    assert figure.model is not None and figure.pipeline is not None and figure.model.runs == 5
    assert figure.cold_ms is not None and figure.warmup_ms is not None and figure.cold_ms >= figure.warmup_ms
    assert furthest(artifact, sent[0]) <= (1 / 100 if "int8" in any_file else 1e-5)


@pytest.mark.slow
def test_trained_models_answer_as_python_does(run: Callable[..., Run], window: Callable[..., Any]) -> None:
    files = sorted(ZOO.glob("*.tflite"))
    page, started = window(), run(*files, runs=1, warmup=0)
    sent = heard(page)
    page.goto(started.address)
    figures = started.end(page)
    assert [figure.artifact for figure in figures] == [file.name for file in files] and len(sent) == len(files)
    for file, answers in zip(files, sent, strict=True):
        assert furthest(Artifact.open(file), answers) <= 1 / 100, file.name  # of its range: one or two of 256 steps
    assert sum("golden outputs right" in text for text in started.told) == len(files)


def test_two_threads_where_the_page_is_isolated(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    files = [write(name).path for name in ("tiny_int8.tflite", "tiny_float32.onnx")]
    page, started = window(), run(*files, threads=(1, 2))
    page.goto(started.address)
    cores = page.evaluate("navigator.hardwareConcurrency")
    figures = started.end(page)
    assert page.evaluate("crossOriginIsolated")
    expected = [1, 2] if cores > 1 else [1]
    assert [(figure.artifact, figure.threads) for figure in figures] == [
        (file.name, threads) for file in files for threads in expected
    ]
    sync_api.expect(page.locator("#now")).to_contain_text("Done")
    assert page.locator("#jobs li.done").count() == len(figures)
    look(page, "bench-done")


def test_webgpu_where_there_is_one(write: Callable[..., Artifact], run: Callable[..., Run], playwright: Any) -> None:
    """Chromium's own WebGPU without a GPU, which takes the same way; its times mean nothing."""
    software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
    files = [write(name).path for name in ("tiny_int8.tflite", "tiny_float32.onnx")]
    opened = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", *software])
    try:
        page, started = opened.new_page(), run(*files, runs=2, warmup=0)
        page.goto(started.address)
        figures = started.end(page)
        sync_api.expect(page.locator("#device")).to_contain_text("WebGPU")
        if page.locator("#device").text_content().endswith("no WebGPU"):
            pytest.skip("this Chromium has no WebGPU without a GPU")
        look(page, "bench-webgpu")
    finally:
        opened.close()
    assert [(figure.engine, figure.accelerator) for figure in figures] == [
        (engine, accelerator) for engine in ("litert.js", "onnxruntime-web") for accelerator in ("cpu", "webgpu")
    ]
    assert all(figure.model is not None for figure in figures), figures[-1].notes
    assert "WebGPU is a program here" in figures[-1].notes[0]


@pytest.mark.skipif(own_address() is None, reason="this machine has no address on a network")
def test_from_the_network_there_is_one_thread_and_the_table_says_so(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    page = window(width=360, height=740, device_scale_factor=2)
    started = run(write().path, threads=(1, 2), options={"share": True})
    assert started.address.startswith(f"http://{own_address()}:")
    page.goto(started.address)
    (figure,) = started.end(page)
    assert figure.threads == 1 and figure.model is not None
    assert figure.notes[0].startswith("one WASM thread, no WebGPU") and "plain HTTP" in figure.notes[0]
    assert "2 threads were left out" in figure.notes[1] and "clock steps by" in figure.notes[2]
    sync_api.expect(page.locator("#limits")).to_contain_text("one WASM thread")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    look(page, "bench-network")


def test_a_page_that_is_loaded_again_goes_on(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any]
) -> None:
    files = [write(name).path for name in ("tiny_int8.tflite", "tiny_float32.tflite")]
    page, started = window(), run(*files, runs=1_000)
    page.goto(started.address)
    page.locator("#jobs li.done").first.wait_for()
    page.reload()
    figures = started.end(page)
    assert [figure.artifact for figure in figures] == [file.name for file in files]


def test_the_sustained_mode_gives_moments(
    write: Callable[..., Artifact],
    run: Callable[..., Run],
    window: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handlens.bench.sustained.EVERY_S", 0.4)
    page, started = window(), run(write().path, sustained_minutes=0.02)
    page.goto(started.address)
    (figure,) = started.end(page)
    assert len(figure.sustained) == 3 and [round(each.seconds, 1) for each in figure.sustained] == [0.4, 0.8, 1.2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(
    write: Callable[..., Artifact], run: Callable[..., Run], window: Callable[..., Any], scheme: str
) -> None:
    page = window(width=360, height=740, color_scheme=scheme, device_scale_factor=2)
    started = run(write("tiny_int8.tflite").path, ZOO / "face-detector-nano.tflite")
    page.goto(started.address)
    started.end(page)
    sync_api.expect(page.locator("#now")).to_contain_text("Done")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("[aria-live=polite]").count() == 1
    look(page, f"bench-phone-{scheme}")
