"""`handlens bench` on this machine: figures that hang together. Nothing here asserts how quick anything is."""

import dataclasses
import json
import math
import os
import platform
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from handlens import bench, cli
from handlens.bench import Bench, Figure, Moment, Order, Times, conversation, local, measure, open_target, table
from handlens.bench.machine import host
from handlens.engine import default_engine
from handlens.errors import EngineError, EngineUnavailable, InputError, ManifestInvalid, NotAnArtifact, OptionError


@pytest.fixture(scope="module")
def ballast() -> np.ndarray:
    """A large parent: its memory must not show in the child's figure."""
    return np.ones(256 * 2**20, np.uint8)


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.app(["bench", *map(str, words)])
    return int(ended.value.code or 0)


def test_a_measurement_hangs_together_and_is_of_a_fresh_process(write, any_file, ballast):
    artifact = write(any_file)
    seen = measure(artifact.path, threads=2, runs=30, warmup=2)
    assert (seen.artifact, seen.model_id, seen.target) == (artifact.path.name, artifact.manifest.model_id, "local")
    assert seen.engine == default_engine(artifact.kind) and seen.engine_version[0].isdigit()
    assert (seen.threads, seen.model.runs, seen.pipeline.runs) == (2, 30, 30)
    assert 0 < seen.model.min_ms <= seen.model.p50_ms <= seen.model.p90_ms <= seen.model.p99_ms
    assert 0 < seen.warmup_ms < seen.cold_ms
    assert list(seen.stages_ms) == ["decode", "prepare", "run", "answer"] and min(seen.stages_ms.values()) > 0
    if platform.system() == "Linux":
        assert 10 < seen.base_memory_mb <= seen.peak_memory_mb < 250
    assert Figure.from_plain(json.loads(json.dumps(dataclasses.asdict(seen)))) == seen


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runs": 0}, "runs is 0.*valid: 1 or more"),
        ({"warmup": -1}, "valid: 1 or more"),
        ({"threads": (0,)}, "threads is '0'; valid: numbers of 1 to"),
        ({"threads": ()}, "valid: numbers"),
        ({"files": ()}, "no artifact to measure"),
        ({"sustained_minutes": 0.0}, "valid: more than 0"),
        ({"sustained_minutes": math.nan}, "valid: more than 0"),
    ],
)
def test_an_order_out_of_range_is_refused(changes, said):
    with pytest.raises(OptionError, match=said):
        Order(**({"files": (Path("x"),)} | changes))


def test_errors_of_the_process_come_through_by_their_names(write, tmp_path):
    with pytest.raises(NotAnArtifact, match="gone"):
        measure(tmp_path / "gone.tflite")
    with pytest.raises(OptionError, match="valid: litert"):
        measure(write().path, engine="onnxruntime")
    if np.__version__.split(".")[0] != "1":
        with pytest.raises(EngineUnavailable, match="tflite-runtime"):
            measure(write().path, engine="tflite-runtime")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'Illegal instruction' >&2\nexit 132", "code 132: Illegal instruction"),
        ("exit 0", "code 0: it wrote nothing"),
        ("echo nonsense; cat >/dev/null", "its process ended"),
        ('echo \'{"event": "moment", "moment": {"seconds": "x"}}\'; cat >/dev/null', "answered nonsense"),
        ('echo \'{"event": "end"}\'; cat >/dev/null', "without a figure"),
        ('echo \'{"event": "figure"}\'; cat >/dev/null', "answered nonsense"),
    ],
)
def test_a_process_that_dies_or_babbles_is_an_engine_error(write, monkeypatch, tmp_path, script, said):
    path = write().path
    broken = tmp_path / "broken-python"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(local.sys, "executable", str(broken))
    with pytest.raises(EngineError, match=said):
        measure(path)


def test_a_process_that_is_silent_for_too_long_is_ended(write, monkeypatch, tmp_path):
    path, mark = write().path, tmp_path / "alive"
    silent = tmp_path / "silent-python"
    silent.write_text(f"#!/bin/sh\ntouch {mark}\ntrap 'rm {mark}; exit 0' TERM\ncat >/dev/null\nrm {mark}\n")
    silent.chmod(0o755)
    monkeypatch.setattr(local.sys, "executable", str(silent))
    monkeypatch.setattr(conversation, "_SILENCE_S", 0.3)
    with pytest.raises(EngineError, match="silent for 0 s; try fewer runs"):
        measure(path)
    assert not mark.exists()


def test_the_command_shows_a_table_and_writes_a_file(write, tmp_path, capsys):
    first, second, out = write().path, write("tiny_int8.tflite").path, tmp_path / "new" / "figures.json"
    assert command(first, second, "--threads", "2,1,2", "--runs", 3, "--warmup", 0, "--json", out) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("local: ") and "milliseconds" in shown[0]
    rows = [line.split() for line in shown if line.startswith("  tiny_")]
    assert [(row[0], row[1]) for row in rows] == [
        (path.name, threads) for path in (first, second) for threads in ("2", "1")
    ]
    read = Bench.from_json(out.read_text())
    assert read.schema == 1 and read.host == dataclasses.replace(host(), load_average=read.host.load_average)
    assert [(f.artifact, f.threads) for f in read.figures] == [(row[0], int(row[1])) for row in rows]
    assert Bench.from_json(read.to_json()) == read
    assert stat.S_IMODE(out.stat().st_mode) & 0o400


def test_what_was_measured_before_a_failure_is_shown_and_kept(write, tmp_path, capsys, monkeypatch):
    good, out = write().path, tmp_path / "figures.json"
    fails = write("tiny_float32.onnx").path
    assert command(good, fails, "--engine", "litert", "--runs", 2, "--json", out) == 2
    seen = capsys.readouterr()
    assert "tiny_float32.tflite" in seen.out and "does not read .onnx" in seen.err
    assert [figure.artifact for figure in Bench.from_json(out.read_text()).figures] == ["tiny_float32.tflite"]


def test_a_damaged_artifact_is_refused_before_anything_is_measured(write, tmp_path, capsys):
    good, bad = write().path, tmp_path / "bad.tflite"
    bad.write_bytes(good.read_bytes()[:-10])
    assert command(good, bad, "--json", tmp_path / "f.json") == 2
    seen = capsys.readouterr()
    assert seen.out == "" and "bad.tflite" in seen.err and not (tmp_path / "f.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threads", "1,x"], "such as 1,2,4"),
        (["--threads", "0"], "1 to 256"),
        (["--target", "local:x"], "valid: local, ssh:HOST"),
        (["--target", "ssh"], "valid: local, ssh:HOST"),
        (["--target", "adb:"], "valid: local, ssh:HOST"),
        (["--json", "."], "is a folder"),
    ],
)
def test_options_that_make_no_sense_are_named(write, capsys, words, said):
    assert command(write().path, *words) == 2
    assert said in capsys.readouterr().err


def test_the_sustained_mode_gives_moments_and_says_when_it_slowed_down(write):
    order = Order(files=(write().path,), runs=3, warmup=0, sustained_minutes=0.4 / 60)
    with open_target("local") as target:
        (figure,) = target.measure(order, lambda text: None)
    (moment,) = figure.sustained
    assert 0.3 < moment.seconds < 30 and 0 < moment.p50_ms <= moment.p90_ms


def test_ctrl_c_keeps_what_there_is_and_ends_the_worker(write, tmp_path):
    out, path = tmp_path / "kept.json", write().path
    words = [str(path), "--runs", "3", "--warmup", "0", "--sustained", "5", "--json", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "handlens", "bench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, Ctrl-C is switched off; the command must have it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    verdicts, end = tmp_path / "cache" / "verdicts", time.monotonic() + 60
    while not (verdicts.is_dir() and any(verdicts.iterdir())) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=60)  # a worker that lived on would keep the pipes open
    assert process.returncode == 130 and "stopped: 1 of 1 figures" in said and "Traceback" not in said
    assert "stopped before the sustained mode had ended" in shown
    assert Bench.from_json(out.read_text()).figures[0].model.runs == 3


def test_the_worker_needs_numpy_opencv_and_an_engine_alone():
    code = "import handlens.bench.worker, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"numpy", "cv2"} <= loaded and not loaded & {"typer", "rich", "click", "segno", "cryptography"}


def test_a_record_of_a_newer_or_another_schema_is_refused():
    good = json.loads(Bench.now([]).to_json())
    for change, said in (
        ({"schema": 2}, "up to 1: update handlens"),
        ({"schema": 0}, "expected a file that handlens bench"),
        ({"figures": [{}]}, "lacks artifact"),
        ({"extra": 1}, "unknown key"),
        ({"created": "\x1b[2J"}, "control characters"),
    ):
        with pytest.raises(InputError, match=said):
            Bench.from_json(json.dumps(good | change))
    with pytest.raises(InputError, match="not JSON"):
        Bench.from_json("{")


def test_times_that_do_not_hang_together_are_refused():
    good = {"runs": 3, "p50_ms": 2.0, "p90_ms": 3.0, "p99_ms": 4.0, "min_ms": 1.0, "mean_ms": 2.0}
    assert Times(**good) and Times.of([1, 2, 3]).p50_ms == 2
    for change in ({"runs": 0}, {"min_ms": 2.5}, {"p90_ms": 5.0}, {"p99_ms": math.inf}, {"mean_ms": 0.5}):
        with pytest.raises(ManifestInvalid):
            Times(**(good | change))


def made(**changes: object) -> Figure:
    plain = {"artifact": "a.tflite", "model_id": "m", "target": "adb:1", "device": "Phone", "engine": "litert"}
    return Figure(**(plain | {"engine_version": "2", "threads": 1, "model": Times.of([1.0, 2.0])} | changes))


def test_the_table_leaves_out_what_a_target_cannot_tell_and_names_what_is_rare():
    plain = table.lines([made()])
    assert not any(word in "\n".join(plain) for word in ("cold", "whole pipeline", "memory", "MHz", "note"))
    moments = tuple(Moment(seconds=10.0 * i, p50_ms=1.0 + i, p90_ms=2.0 + i, temperature_c=40.0 + i) for i in (1, 2))
    full = made(
        accelerator="webgpu", temperature_c=(41.0, 77.0), clock_mhz=(2400.0, 1800.0), sustained=moments, notes=("hot",)
    )
    shown = "\n".join(table.lines([made(), full, made(device="Other")]))
    for text in ("litert 2 on webgpu", "41 > 77", "2400 > 1800", "20 s without a pause", "over the first: 1.50"):
        assert text in shown
    assert "note: a.tflite, webgpu: hot" in shown and "adb:1: Other" in shown


def test_the_host_is_described_without_its_name():
    described = bench.host()
    assert described.cpu and described.architecture == platform.machine()
    assert 1 <= described.cores <= (os.cpu_count() or 1)
    assert described.versions["numpy"] == np.__version__
    assert described.load_average is None or math.isfinite(described.load_average)
    if len(platform.node()) > 3:
        assert platform.node() not in json.dumps(dataclasses.asdict(described))
