"""The adb target against a real adbd of Debian, driven by the real adb: `make adb-test` runs this, nothing else does.

With HANDLENS_ADB_RECORD=1 each test that names a transcript records it, for test_bench_adb.py to replay.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import adb_transcript
import pytest
from phone import Phone, program

from handlens.artifact import Artifact
from handlens.bench import Bench, Figure, Options, Order, open_target
from handlens.errors import (
    ArtifactTampered,
    DeviceAmbiguous,
    DeviceFull,
    DeviceLost,
    DeviceNotFound,
    DeviceUnsuitable,
    EngineError,
    EngineWrong,
)

PACKAGES = Path(os.environ.get("HANDLENS_ADBD", "/nowhere"))
HELPERS = Path(__file__).parents[1] / "helpers"
ZOO = Path(__file__).parents[2] / "zoo" / "handlens_zoo" / "artifacts"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
# Not of 5555 to 5585, where adb looks for emulators by itself.
FIRST_PORT = 5701
SOURCE = "recorded: adb and adbd 34.0.5 of Debian trixie, mksh and toybox; made up: getprop, dumpsys, clocks in /sys"

if not (PACKAGES / "usr/bin/adb").exists():
    pytest.skip("needs a real adbd: make adb-test", allow_module_level=True)


class Desk:
    """The real adb with its server, phones to connect to, and a stand-in for benchmark_model."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.phones = folder, list[Phone]()
        self.tool = folder / "benchmark_model"
        program(self.tool, f'exec {sys.executable} {HELPERS / "benchmark_stand_in.py"} "$@"')
        loader = [
            str(PACKAGES / "usr/lib64/ld-linux-x86-64.so.2"),
            "--library-path",
            f"{PACKAGES}/usr/lib/x86_64-linux-gnu:{PACKAGES}/usr/lib/x86_64-linux-gnu/android",
        ]
        self.real = [*loader, str(PACKAGES / "usr/lib/android-sdk/platform-tools/adb")]
        # What stands between the recorder, if there is one, and adb itself.
        self.wire = folder / "wire"
        program(self.wire, f'exec {" ".join(self.real)} "$@"')
        self.bin = folder / "bin"
        self.bin.mkdir()
        program(self.bin / "adb", f'exec {self.wire} "$@"')
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.delenv("ANDROID_SERIAL", raising=False)
        with (folder / "server.log").open("w") as log:
            # Under Debian's own loader adb cannot find itself to start its server.
            self.server = subprocess.Popen([*self.real, "-L", "tcp:5037", "server", "nodaemon"], stdout=log, stderr=log)
        self._until(lambda: self.adb("devices").returncode == 0)

    def adb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.real, *arguments], capture_output=True, text=True, timeout=20, check=False)

    def connect(self, **given: object) -> Phone:
        phone = Phone(PACKAGES, self.folder, port=FIRST_PORT + 2 * len(self.phones), **given)
        self.phones.append(phone)
        self._until(lambda: f"{phone.serial}\tdevice" in self._try(phone))
        return phone

    def measure(self, *files: Path, target: str = "adb", binary: Path | None = None, **given: object) -> list[Figure]:
        order = Order(files=files, **{"runs": 20, "warmup": 2, **given})
        with open_target(target, Options(binary=binary or self.tool)) as opened:
            return list(opened.measure(order, lambda text: None))

    def close(self) -> None:
        self.adb("kill-server")
        self.server.wait(timeout=20)
        for phone in self.phones:
            phone.remove()

    def _try(self, phone: Phone) -> str:
        self.adb("connect", phone.serial)
        return self.adb("devices").stdout

    @staticmethod
    def _until(true: object) -> None:
        for _ in range(100):
            if true():
                return
            time.sleep(0.1)
        raise AssertionError("nothing came up within ten seconds")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    made = Desk(tmp_path, monkeypatch)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def recorded(bench: Desk, request: pytest.FixtureRequest) -> Iterator[None]:
    """Records the test's calls of adb under the test's name, where that is asked for."""
    if not os.environ.get("HANDLENS_ADB_RECORD"):
        yield
        return
    name = request.node.name.removeprefix("test_").replace("[", "_").rstrip("]")
    file = TRANSCRIPTS / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-I", str(HELPERS / "adb_transcript.py"), "record", str(file), str(bench.wire), "--"]
    program(bench.bin / "adb", f'exec {" ".join(command)} "$@"')
    yield
    adb_transcript.finish(str(file), SOURCE)


@pytest.fixture
def artifact(write) -> Artifact:
    return write("tiny_int8.tflite")


def test_a_model_is_measured(bench, recorded, artifact):
    phone = bench.connect()
    first, second = bench.measure(artifact.path, threads=(1, 2), sustained_minutes=0.01)
    assert (first.artifact, first.model_id) == ("tiny_int8.tflite", artifact.manifest.model_id)
    assert (first.target, first.device) == (f"adb:{phone.serial}", "Debian adbd in a namespace, Android 13, x86_64")
    assert (first.threads, second.threads, first.model.runs) == (1, 2, 20)
    assert 0 < first.model.min_ms <= first.model.p50_ms <= first.model.p95_ms and first.model.p99_ms is None
    assert first.cold_ms > first.warmup_ms > 0 and 0 < first.base_memory_mb < first.peak_memory_mb
    assert first.temperature_c == (41.25, 41.25) and len(first.sustained) == 1
    assert first.clock_mhz[0] >= second.clock_mhz[0] > 0, "one thread is pinned to the quickest core"
    assert not any("not checked" in note for note in first.notes), first.notes
    assert phone.left() == [] and phone.running("handlens-") == []


def test_the_zoo_answers_on_the_device_as_it_does_here(bench):
    phone = bench.connect()
    files = sorted(ZOO.glob("*.tflite"))
    assert files
    figures = bench.measure(*files, runs=5)
    assert not any("not checked" in note for figure in figures for note in figure.notes)
    assert [figure.artifact for figure in figures] == [file.name for file in files]
    assert phone.left() == []


def test_the_command_shows_a_table(bench, tmp_path):
    """`make adb-test ARGS="-k table -s"` shows it."""
    phone = bench.connect()
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "handlens", "bench", str(ZOO / "face-detector.tflite"), "--target", "adb"]
    command += ["--binary", str(bench.tool), "--threads", "1,2", "--runs", "50", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert f"adb:{phone.serial}: Debian adbd in a namespace" in done.stdout and "p95" in done.stdout
    assert [figure.threads for figure in Bench.from_json(out.read_text()).figures] == [1, 2]
    phone.pull_out()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "") and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_no_device(bench, recorded, artifact):
    with pytest.raises(DeviceNotFound, match="no Android device is connected"):
        bench.measure(artifact.path)


def test_a_device_of_another_name(bench, recorded, artifact):
    bench.connect()
    with pytest.raises(DeviceNotFound, match=r"no device 'R58M123'; adb lists: 127.0.0.1:5701 \(device\)"):
        bench.measure(artifact.path, target="adb:R58M123")


def test_two_devices(bench, recorded, artifact):
    bench.connect()
    bench.connect()
    with pytest.raises(DeviceAmbiguous, match="2 devices .* --target adb:127.0.0.1:5701"):
        bench.measure(artifact.path)


def test_one_of_two_devices(bench, artifact):
    other, chosen = bench.connect(), bench.connect()
    (figure,) = bench.measure(artifact.path, target=f"adb:{chosen.serial}")
    assert figure.target == f"adb:{chosen.serial}"
    assert other.left() == chosen.left() == []


def test_a_device_that_is_unplugged_in_the_middle(bench, recorded, artifact):
    phone = bench.connect()
    tool = bench.folder / "slow"
    program(tool, "echo $$ >$PWD/slow; sleep 60")

    def pull_out() -> None:
        bench._until(lambda: list(phone.data.glob("handlens-*/slow")))
        phone.pull_out()

    watcher = threading.Thread(target=pull_out)
    watcher.start()
    with pytest.raises(DeviceLost, match=f"{phone.serial} went away in the middle"):
        bench.measure(artifact.path, binary=tool)
    watcher.join()
    assert phone.left_soon() == [] and phone.running("sleep 60") == []
    assert "handlens" not in bench.adb("devices").stdout


def test_a_device_without_space_for_the_tool(bench, recorded, artifact):
    phone = bench.connect(megabytes=1)
    large = bench.folder / "large"
    large.write_bytes(b"#!/bin/sh\n" + b"#" * 2**21)
    with pytest.raises(DeviceFull, match=f"no space is left on {phone.serial}"):
        bench.measure(artifact.path, binary=large)
    assert phone.left() == []


def test_a_device_without_space_for_the_artifact(bench, artifact):
    phone = bench.connect(megabytes=1)
    (phone.data / "photos").write_bytes(b"x" * (2**20 - 3 * 4096))
    with pytest.raises(DeviceFull, match="no space is left"):
        bench.measure(artifact.path)
    assert phone.left() == ["photos"]


def test_a_binary_for_another_processor(bench, recorded, artifact):
    phone = bench.connect()
    arm = bench.folder / "benchmark_model_arm64"
    arm.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little") + bytes(44))
    with pytest.raises(DeviceUnsuitable, match="built for arm64-v8a; the device .* runs x86_64, x86"):
        bench.measure(artifact.path, binary=arm)
    assert phone.left() == []


def test_a_binary_that_the_kernel_refuses(bench, recorded, artifact):
    phone = bench.connect()
    broken = bench.folder / "broken"
    broken.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (62).to_bytes(2, "little") + bytes(44))
    with pytest.raises(DeviceUnsuitable, match="the device cannot run the binary|does not let the binary run"):
        bench.measure(artifact.path, binary=broken)
    assert phone.left() == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [("echo hello", "printed no 'Inference timings'"), ("kill -SEGV $$", "ended by signal 11"), ("exit 5", "code 5")],
    ids=["another_program", "a_crash", "a_failure"],
)
def test_a_binary_that_is_no_benchmark_model(bench, recorded, artifact, body, expected):
    phone = bench.connect()
    program(bench.folder / "other", body)
    with pytest.raises(EngineError, match=expected):
        bench.measure(artifact.path, binary=bench.folder / "other")
    assert phone.left() == []


def test_an_artifact_that_is_changed_on_the_way(bench, recorded, artifact):
    phone = bench.connect()
    # One byte more, in the copy that goes to the device.
    copy, adb = bench.folder / "copy", " ".join(bench.real)
    program(
        bench.wire,
        f'case "$*" in *push*.tflite)\ncp "$4" {copy}; echo >>{copy}; exec {adb} "$1" "$2" "$3" {copy} "$5";;\nesac\n'
        f'exec {adb} "$@"',
    )
    with pytest.raises(ArtifactTampered, match="tiny_int8.tflite was changed on the way"):
        bench.measure(artifact.path)
    assert phone.left() == []


def test_a_device_that_answers_wrongly(bench, recorded, artifact):
    phone = bench.connect()
    wrong = bench.folder / "wrong"
    # Zeros of the right size, as an engine with a broken delegate gives them.
    stand_in = f'{sys.executable} {HELPERS / "benchmark_stand_in.py"} "$@"'
    program(wrong, f"{stand_in} || exit 1; [ ! -e out ] || head -c 8 /dev/zero >out")
    with pytest.raises(EngineWrong, match="answers .* wrongly"):
        bench.measure(artifact.path, binary=wrong)
    assert phone.left() == []


def test_ctrl_c_leaves_nothing_behind(bench, artifact):
    phone = bench.connect()
    program(bench.folder / "slow", "echo >slow; sleep 60")
    code = (
        "import sys; from pathlib import Path; from handlens.bench import *\n"
        f"with open_target('adb', Options(binary=Path({str(bench.folder / 'slow')!r}))) as target:\n"
        f"    list(target.measure(Order(files=(Path({str(artifact.path)!r}),)), print))"
    )
    for ending in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True)
        bench._until(lambda: list(phone.data.glob("handlens-*/slow")))
        process.send_signal(ending)
        process.wait(timeout=30)
        assert phone.left_soon() == [] and phone.running("sleep 60") == [], ending
