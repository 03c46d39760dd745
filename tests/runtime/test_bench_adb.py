"""The adb target against transcripts: what a real adbd said (recorded), what a phone would say (documented formats).

`make adb-test` runs the same cases against the real adbd; how to record anew stands in docs/bench-adb.md.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from handlens.bench import Figure, Options, Order, open_target
from handlens.bench.adb import bridge
from handlens.errors import (
    ArtifactTampered,
    DeviceAmbiguous,
    DeviceError,
    DeviceFull,
    DeviceLost,
    DeviceNotFound,
    DeviceUnsuitable,
    EngineError,
    EngineWrong,
    OptionError,
)

HELPERS = Path(__file__).parents[1] / "helpers"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
DOCUMENTED = TRANSCRIPTS / "documented"
SERIAL = "127.0.0.1:5701"


class Fake:
    """An `adb` on the PATH that plays a transcript back, and a binary to push."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.state = folder, folder / "state"
        self.state.mkdir()
        self.tool = folder / "benchmark_model"
        self.tool.write_text("#!/bin/sh\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        for name in ("ANDROID_SERIAL", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
            monkeypatch.delenv(name, raising=False)

    def plays(self, name: str, change: Callable[[dict], None] | None = None) -> dict:
        """Plays a recorded transcript, or one changed call by call."""
        transcript = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
        for call in transcript["calls"] if change else []:
            change(call)
        # An empty list of arguments: the call is not made.
        transcript["calls"] = [call for call in transcript["calls"] if call["adb"]]
        file = self.folder / "transcript.json"
        file.write_text(json.dumps(transcript))
        program = [sys.executable, "-I", "-S", HELPERS / "adb_transcript.py", "replay", file, self.state, "--"]
        adb = self.bin / "adb"
        adb.write_text(f'#!/bin/sh\nexec {" ".join(map(str, program))} "$@"\n')
        adb.chmod(0o755)
        return transcript

    def devices(self, *lines: str) -> None:
        """An adb that knows nothing but its list of devices."""
        text = "List of devices attached\n" + "".join(f"{line}\n" for line in lines) + "\n"
        file = self.folder / "transcript.json"
        self.plays("no_device")
        file.write_text(json.dumps({"calls": [{"adb": ["devices"], "out": text, "err": "", "code": 0}]}))

    def measure(self, *files: Path, target: str = "adb", binary: Path | None = None, **given: object) -> list[Figure]:
        order = Order(files=files, **{"runs": 20, "warmup": 2, **given})
        with open_target(target, Options(binary=binary or self.tool)) as opened:
            return list(opened.measure(order, lambda text: None))

    def left(self) -> int:
        """How many calls of the transcript were not made; fails on one that was not in it."""
        mismatch = self.state / "mismatch"
        assert not mismatch.exists(), mismatch.read_text()
        made = int((self.state / "next").read_text())
        return len(json.loads((self.folder / "transcript.json").read_text())["calls"]) - made


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(tmp_path, monkeypatch)


@pytest.fixture
def file(write) -> Path:
    """The artifact that was measured when the transcripts were recorded."""
    return write("tiny_int8.tflite").path


def documented(name: str) -> str:
    return (DOCUMENTED / name).read_text()


def test_a_model_is_measured(fake, file):
    calls = fake.plays("a_model_is_measured")["calls"]
    first, second = fake.measure(file, threads=(1, 2), sustained_minutes=0.01)
    assert fake.left() == 0
    assert (first.artifact, first.target) == ("tiny_int8.tflite", f"adb:{SERIAL}")
    assert (first.device, first.engine) == ("Debian adbd in a namespace, Android 13, x86_64", "benchmark_model")
    assert (first.threads, second.threads) == (1, 2) and first.pipeline is None
    # Each figure is the one that the tool printed.
    cold, timed = [call["out"] for call in calls if "--num_threads=1" in call["adb"][-1]][-4:-2]
    init, run = re.search(r"Init: (\d+), First inference: (\d+)", cold).groups()
    assert first.cold_ms == pytest.approx((int(init) + int(run)) / 1e3) and first.warmup_ms == int(run) / 1e3
    low, median, high = re.findall(r"count=20 .* min=(\d+) .* median=(\d+) p95=(\d+)", timed)[-1]
    model = first.model
    assert (model.runs, model.min_ms, model.p50_ms, model.p95_ms) == (20, *(int(v) / 1e3 for v in (low, median, high)))
    assert model.p90_ms is None and model.p99_ms is None
    peak, grown = (float(re.search(rf"{word}(\d+\.\d+)", cold)[1]) for word in ("monitoring: ", "overall="))
    assert (first.peak_memory_mb, first.base_memory_mb) == (peak, pytest.approx(peak - grown))
    assert first.temperature_c == (41.25, 41.25)
    assert (first.clock_mhz, second.clock_mhz) == ((2200, 2200), (2000, 2000))
    assert [moment.seconds for moment in first.sustained] == [pytest.approx(0.6)]
    assert "pinned to core 1" in first.notes and "pinned to cores 0,1" in second.notes


def test_no_device(fake, file):
    fake.plays("no_device")
    with pytest.raises(DeviceNotFound, match="no Android device is connected; switch on USB debugging"):
        fake.measure(file)


def test_a_device_of_another_name(fake, file):
    fake.plays("a_device_of_another_name")
    with pytest.raises(DeviceNotFound, match=rf"no device 'R58M123'; adb lists: {SERIAL} \(device\)"):
        fake.measure(file, target="adb:R58M123")


def test_two_devices(fake, file):
    fake.plays("two_devices")
    with pytest.raises(DeviceAmbiguous, match=f"2 devices are connected: .*; name one: --target adb:{SERIAL}"):
        fake.measure(file)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("R58M123\tunauthorized", "R58M123 has not let this computer in: unlock it"),
        ("R58M123\toffline", "R58M123 is offline"),
        ("R58M123\tno permissions (missing udev rules? user is in the plugdev group); see [a page]", "udev rule"),
        ("R58M123\trecovery", "restart it"),
        ("R58M123\thost", "is in state 'host'"),
    ],
)
def test_a_device_that_does_not_let_us_in(fake, file, line, expected):
    fake.devices(line)
    with pytest.raises(DeviceNotFound, match=expected):
        fake.measure(file)


def test_a_device_that_cannot_be_used_does_not_make_another_ambiguous(fake):
    fake.devices("X1\toffline", "R58M123\tdevice")
    assert bridge.choose(bridge.find_program(), None).serial == "R58M123"


def test_the_device_that_adb_itself_would_take_is_taken(fake, monkeypatch):
    fake.devices("X1\tdevice", "R58M123\tdevice")
    monkeypatch.setenv("ANDROID_SERIAL", "R58M123")
    assert bridge.choose(bridge.find_program(), None).serial == "R58M123"


def test_without_adb(fake, file, monkeypatch):
    monkeypatch.setenv("PATH", str(fake.bin))
    with pytest.raises(DeviceUnsuitable, match="adb is neither on the PATH nor under ANDROID_HOME; install it"):
        fake.measure(file)


def test_without_a_binary(fake, file):
    with pytest.raises(DeviceUnsuitable, match="needs --binary: LiteRT's benchmark_model"):
        open_target("adb", Options()).__enter__()
    with pytest.raises(DeviceUnsuitable, match="gone: there is no such file"):
        fake.measure(file, binary=fake.folder / "gone")
    assert not (fake.state / "next").exists(), "adb was asked before the binary was looked for"


@pytest.mark.parametrize(
    ("transcript", "error", "expected"),
    [
        ("a_device_that_is_unplugged_in_the_middle", DeviceLost, f"{SERIAL} went away in the middle"),
        ("an_artifact_that_is_changed_on_the_way", ArtifactTampered, "tiny_int8.tflite was changed on the way to"),
        ("a_device_that_answers_wrongly", EngineWrong, "answers .*tiny_int8.tflite wrongly: .* is off by"),
        ("a_device_without_space_for_the_tool", DeviceFull, f"no space is left on {SERIAL}"),
        ("a_binary_that_the_kernel_refuses", DeviceUnsuitable, "the device cannot run the binary"),
        ("a_binary_that_is_no_benchmark_model_another_program", EngineError, "printed no 'Inference timings'"),
        ("a_binary_that_is_no_benchmark_model_a_crash", EngineError, r"ended by signal 11 \(it crashed\)"),
        ("a_binary_that_is_no_benchmark_model_a_failure", EngineError, "ended with code 5"),
    ],
)
def test_what_goes_wrong_is_named_and_the_folder_is_removed(fake, file, transcript, error, expected):
    calls = fake.plays(transcript)["calls"]
    with pytest.raises(error, match=expected):
        fake.measure(file)
    # Every call that was recorded was made, and the last one makes sure that nothing is left.
    assert fake.left() == 0 and "rm -rf {folder}" in calls[-1]["adb"][-1]


def test_a_binary_for_another_processor(fake, file):
    fake.plays("a_binary_for_another_processor")
    arm = fake.folder / "arm"
    arm.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little"))
    with pytest.raises(DeviceUnsuitable, match="is built for arm64-v8a; the device .* runs x86_64, x86"):
        fake.measure(file, binary=arm)
    assert fake.left() == 0


def test_no_space_for_the_folder(fake, file):
    def full(call: dict) -> None:
        if "mkdir -m 700" in call["adb"][-1]:
            call["out"], call["code"] = "mkdir: '{folder}': No space left on device\n", 1

    fake.plays("a_model_is_measured", full)
    with pytest.raises(DeviceFull, match="No space left on device"):
        fake.measure(file)


def test_a_tool_that_lacks_a_library(fake, file):
    said = 'CANNOT LINK EXECUTABLE "./benchmark_model": library "libtensorflowlite.so" not found'

    def unlinked(call: dict) -> None:
        if "#run" in call["adb"][-1]:
            call["out"] = f"#run\n{said}\n\n#after\n\n{{mark}}1\n"

    fake.plays("a_model_is_measured", unlinked)
    with pytest.raises(DeviceUnsuitable, match="needs a library that the device lacks .*libtensorflowlite.so"):
        fake.measure(file)


def test_a_phone(fake, file):
    """The recorded connection, with what a phone with three clusters would print."""
    look, thermal = documented("look-phone.txt"), documented("thermalservice.txt")
    clocks = "".join(f"clock {core} {900000 + 100000 * core}\n" for core in range(8))

    def phone(call: dict) -> None:
        script = call["adb"][-1]
        if "ro.product" in script:
            call["out"] = f"{look}\n{{mark}}0\n"
        elif script.startswith("(dumpsys"):
            call["out"] = f"{thermal}\n{{mark}}0\n"
        elif "ps -A" in script:
            call["adb"] = []  # that was asked because the recorded spread was wide; this one is not
        elif "#run" in script:
            profiled = "--enable_op_profiling" in script
            said = documented("benchmark-profile.txt" if profiled else "benchmark.txt")
            call["out"] = f"{clocks}{thermal}#run\n{said}\n#after\n{clocks}{thermal}\n{{mark}}0\n"
            call["adb"][-1] = script.replace("taskset 2 ", "taskset 40 ").replace("taskset 3 ", "taskset c0 ")

    fake.plays("a_model_is_measured", phone)
    figure, _ = fake.measure(file, threads=(1, 2), sustained_minutes=0.01)
    assert figure.device == "Google Pixel 6, Tensor, Android 14, arm64-v8a"
    assert figure.clock_mhz == (1500, 1500) and "pinned to core 6" in figure.notes, "the quickest, and its clock"
    assert figure.temperature_c == (52.0, 52.0), "the processor's, not the graphics unit's, nor a cached one"
    assert (figure.model.runs, figure.model.p50_ms, figure.model.p95_ms) == (50, 2.104, 2.387)
    assert (figure.cold_ms, figure.peak_memory_mb) == (pytest.approx(24.843), 14.2578)
    assert "65 of 66 nodes run in TfLiteXNNPackDelegate" in figure.notes
    kinds = (
        "Convolution (NHWC, QC8) IGEMM 59 %, Convolution (NHWC, QC8) DWConv 26 %, Fully Connected (NC, QS8) GEMM 15 %"
    )
    assert f"by LiteRT's profile: {kinds}" in figure.notes


def test_ctrl_c_in_the_sustained_mode_keeps_the_figure(fake, file):
    fake.plays("a_model_is_measured")

    def interrupted(text: str) -> None:
        if "without a pause" in text:
            raise KeyboardInterrupt

    order = Order(files=(file,), threads=(1, 2), runs=20, warmup=2, sustained_minutes=0.01)
    with open_target("adb", Options(binary=fake.tool)) as target:
        figures = target.measure(order, interrupted)
        first = next(figures)
        with pytest.raises(KeyboardInterrupt):
            next(figures)
    assert first.model.runs == 20 and first.notes[-1] == "stopped before the sustained mode had ended"


def test_an_old_tool_gives_what_it_has(fake, file):
    said = documented("benchmark-2020.txt")

    def old(call: dict) -> None:
        if "#run" in call["adb"][-1]:
            call["out"] = f"#run\n{said}\n#after\n\n{{mark}}0\n"
        elif "ps -A" in call["adb"][-1]:
            call["adb"] = []

    def first_golden_only(transcript: dict) -> None:
        """Without outputs to compare, there is but one call for the goldens, and none that fetches or removes."""
        calls = transcript["calls"]
        asked = [n for n, call in enumerate(calls) if "--output_filepath" in call["adb"][-1]]
        timed = next(n for n, call in enumerate(calls) if "--report_peak" in call["adb"][-1])
        transcript["calls"] = calls[: asked[0] + 1] + calls[timed:]

    transcript = fake.plays("a_model_is_measured", old)
    first_golden_only(transcript)
    (fake.folder / "transcript.json").write_text(json.dumps(transcript))
    figure, _ = fake.measure(file, threads=(1, 2), sustained_minutes=0.01)
    assert figure.model is None and figure.cold_ms == pytest.approx(376.504)
    assert "this build of benchmark_model prints no median; the mean is 250 ms" in figure.notes
    assert "this build of benchmark_model writes no outputs, so its answers were not checked" in figure.notes


def test_options_that_an_adb_target_does_not_have(fake, file, write):
    fake.plays("a_model_is_measured")
    with pytest.raises(OptionError, match="engine is 'onnxruntime'; valid for an adb target: litert"):
        fake.measure(file, engine="onnxruntime")
    (fake.state / "next").unlink()
    with pytest.raises(OptionError, match="benchmark_model reads .tflite alone"):
        fake.measure(write("tiny_float32.onnx").path)


def test_every_device_error_is_one_line_and_code_2(fake, file):
    assert DeviceError.exit_code == 2
    fake.devices("A\tdevice", "B\tdevice")
    with pytest.raises(DeviceAmbiguous) as caught:
        fake.measure(file)
    assert "\n" not in str(caught.value)
