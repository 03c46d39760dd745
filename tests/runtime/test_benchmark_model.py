"""What `benchmark_model` and an Android device print, read line by line; formats from their sources."""

import re
from pathlib import Path

import pytest

from handlens.bench.adb import android, benchmark_model
from handlens.errors import DeviceUnsuitable, EngineError

DOCUMENTED = Path(__file__).parent / "transcripts" / "documented"


def documented(name: str) -> str:
    return (DOCUMENTED / name).read_text()


def test_the_timed_runs_are_read_not_the_warm_up():
    report = benchmark_model.parse(documented("benchmark.txt"), 0, "a.tflite")
    assert (report.init_ms, report.first_ms, report.runs) == (18.42, 6.423, 50)
    times = report.times
    assert (times.p50_ms, times.p95_ms, times.min_ms, times.mean_ms) == (2.104, 2.387, 2.011, 2.18342)
    assert (times.p90_ms, times.p99_ms) == (None, None), "the tool prints neither, and none is made up"
    assert (report.peak_memory_mb, report.grown_mb) == (14.2578, 9.8125)
    assert report.delegated == "65 of 66 nodes run in TfLiteXNNPackDelegate" and report.by_type == ()


def test_the_profile_inside_the_delegate_is_the_one_shown():
    report = benchmark_model.parse(documented("benchmark-profile.txt"), 0, "a.tflite")
    assert [share for _, share in report.by_type] == [59.3, 25.5, 15.2]
    assert report.runs == 50 and report.times.p50_ms == 2.104, "the profile's own statistics are not the runs'"


def test_an_old_tool_has_no_median():
    report = benchmark_model.parse(documented("benchmark-2020.txt"), 0, "a.tflite")
    assert report.times is None and (report.mean_ms, report.runs) == (249.684, 50)
    assert report.unknown == ("--memory_footprint_check_interval_ms=5", "--output_filepath=out")


@pytest.mark.parametrize(
    ("line", "runs", "p50"),
    [
        ("count=1 curr=812 p5=812 median=812 p95=812", 1, 0.812),
        ("count=3 curr=812(all same) p5=812 median=812 p95=812", 3, 0.812),
        ("count=3 first=900 curr=812 min=812 max=1e+06 avg=1.25e+03 std=40 p5=812 median=900 p95=1000000", 3, 0.9),
    ],
)
def test_statistics_in_each_of_their_forms(line, runs, p50):
    text = (
        f"count=0\n{line}\nInference timings in us: Init: 1, First inference: 0, Warmup (avg): nan, Inference (avg): 9"
    )
    report = benchmark_model.parse(text.replace("nan", "0"), 0, "a.tflite")
    assert (report.runs, report.times.p50_ms) == (runs, p50)


@pytest.mark.parametrize(
    ("said", "code", "error", "expected"),
    [
        ("./benchmark_model: not executable: 64-bit ELF file", 126, DeviceUnsuitable, "build it for the device's ABI"),
        ("sh: exec format error", 126, DeviceUnsuitable, "cannot run the binary"),
        ("./benchmark_model: can't execute: Permission denied", 126, DeviceUnsuitable, "does not let the binary run"),
        ("./benchmark_model: No such file or directory not found", 127, DeviceUnsuitable, "built for Android"),
        ('CANNOT LINK EXECUTABLE "x": library "liblog.so" not found', 1, DeviceUnsuitable, "link it statically"),
        ("Killed", 137, EngineError, r"signal 9 \(out of memory\?\)"),
        ("ERROR: Op type not registered 'Foo'\nERROR: Benchmarking failed.", 1, EngineError, "Op type not registered"),
        ("", 1, EngineError, "it wrote nothing"),
    ],
)
def test_a_failure_is_named_by_its_cause(said, code, error, expected):
    with pytest.raises(error, match=expected):
        benchmark_model.parse(said, code, "a.tflite")


@pytest.mark.parametrize("number", ["1.2.3", "1e999", "9" * 5000])
def test_figures_that_make_no_sense_are_refused(number):
    for field in ("median=2104", "Init: 18420", "monitoring: 14.2578"):
        text = documented("benchmark.txt").replace(field, re.sub(r"[\d.]+$", number, field))
        with pytest.raises(EngineError, match="make no sense"):
            benchmark_model.parse(text, 0, "a.tflite")


def test_what_a_device_prints_cannot_reach_the_terminal_as_control():
    with pytest.raises(EngineError) as caught:
        benchmark_model.parse("ERROR: \x1b[2Jcleared", 1, "a.tflite")
    assert "\x1b" not in str(caught.value)
    assert "\x1b" not in android.facts("ro.product.model=Pixel\x1b]0;owned\x07").device


def test_facts_of_a_phone():
    facts = android.facts(documented("look-phone.txt"))
    assert facts.abis == ("arm64-v8a", "armeabi-v7a", "armeabi")
    assert facts.pinned(1) == (6,) and facts.pinned(3) == (4, 6, 7) and facts.pinned(99) == tuple(range(8))


def test_facts_of_a_board_without_android():
    facts = android.facts(
        "ro.product.cpu.abilist=\nmachine=aarch64\nkernel=Linux 6.12\nonline=0-1,3\ncore 0 \ncore 1 \n"
    )
    assert (facts.device, facts.abis) == ("Linux 6.12, arm64-v8a", ("arm64-v8a",))
    assert [number for number, _ in facts.cores] == [0, 1, 3] and facts.pinned(2) == ()


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("zones.txt", "zones", 53.9),
        ("thermalservice.txt", "thermalservice", 52.0),
        ("battery.txt", "battery", 28.4),
    ],
)
def test_temperatures(name, kind, expected):
    assert android.temperature_c(documented(name), kind) == expected
    assert android.temperature_c("", kind) is None


def test_the_clock_is_of_the_cores_that_were_used():
    text = "clock 0 1000000\nclock 1 2000000\nclock 2 \n"
    assert android.clock_mhz(text) == 1500 and android.clock_mhz(text, (1,)) == 2000
    assert android.clock_mhz("clock 0 \n") is None


def test_the_busiest_processes_are_named_and_the_tool_is_not():
    text = "%CPU NAME\n 0.3 init\n87.5 benchmark_model\n 31 com.example.game\n12.2 surfaceflinger\n"
    assert android.busiest(text, "benchmark_model") == "com.example.game 31 %, surfaceflinger 12 %"
    assert android.busiest("ps: not found", "benchmark_model") == ""


@pytest.mark.parametrize(
    ("bits", "machine", "expected"),
    [(2, 183, "arm64-v8a"), (1, 40, "armeabi-v7a"), (2, 62, "x86_64"), (1, 3, "x86"), (2, 8, "ELF machine 8")],
)
def test_the_abi_of_a_program(bits, machine, expected):
    head = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(11) + machine.to_bytes(2, "little")
    assert android.abi_of(head) == expected
    assert android.abi_of(b"#!/bin/sh\n" + bytes(20)) is None and android.abi_of(head[:10]) is None
