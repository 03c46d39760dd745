"""`handlens bench --target ssh:` against a real server on this machine: it measures, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import local_sshd
import pytest

from handlens import cli
from handlens.artifact import Artifact
from handlens.bench import Bench, Order
from handlens.bench.ssh.target import SshTarget
from handlens.errors import DeviceFull, DeviceLost, DeviceNotFound, DeviceUnsuitable, EngineError, OptionError

pytestmark = pytest.mark.skipif(
    local_sshd.sshd_program() is None, reason="no OpenSSH server and client here; scripts/ensure-sshd installs them"
)


@pytest.fixture
def server(tmp_path, monkeypatch):
    folder = tmp_path / "sshd"
    folder.mkdir()
    with local_sshd.running(folder) as running:
        monkeypatch.setenv("PATH", running.path)
        yield running


@pytest.fixture
def bare_python(tmp_path) -> str:
    """A Python with what a board has: the packages, but no handlens (its editable install is a .pth of site)."""
    program = tmp_path / "board python"
    packages = sysconfig.get_path("purelib")
    program.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{packages}" exec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    return str(program)


def order(artifact: Artifact, **changes: object) -> Order:
    return Order(**({"files": (artifact.path,), "runs": 3, "warmup": 1} | changes))


def quiet(text: str) -> None:
    pass


def cut_soon(server: local_sshd.Server) -> None:
    threading.Timer(1.5, server.cut).start()


def test_it_measures_over_there_with_the_handlens_of_here(server, bare_python, write):
    artifact = write()
    with SshTarget("board", bare_python) as target:
        seen = list(target.measure(order(artifact, threads=(1, 2)), quiet))
        assert len(server.left(0)) == 1
        assert [(figure.target, figure.threads) for figure in seen] == [("ssh:board", 1), ("ssh:board", 2)]
        assert all(figure.model.p50_ms > 0 and figure.cold_ms > 0 for figure in seen)
        assert target.host is not None and target.host.cores >= 1
    assert server.left() == []


def test_the_command_shows_a_table_and_writes_what_report_reads(server, bare_python, write, tmp_path):
    out = tmp_path / "figures.json"
    words = [
        str(write().path),
        "--target",
        "ssh:board",
        "--remote-python",
        bare_python,
        "--runs",
        "3",
        "--json",
        str(out),
    ]
    done = subprocess.run([sys.executable, "-m", "handlens", "bench", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ssh:board" in done.stdout and "model alone" in done.stdout
    assert Bench.from_json(out.read_text()).figures[0].target == "ssh:board"
    assert server.left() == []


def test_no_connection_no_python_no_packages(server, tmp_path):
    with pytest.raises(DeviceNotFound, match="no ssh connection to gone.*ssh gone"), SshTarget("gone", "python3"):
        pass
    with (
        pytest.raises(DeviceUnsuitable, match="cannot run '/no/such'.*--remote-python"),
        SshTarget("board", "/no/such"),
    ):
        pass
    empty = tmp_path / "empty"
    empty.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    empty.chmod(0o755)
    lacks = "lacks numpy opencv-python-headless ai-edge-litert; run there: .* -m pip install numpy"
    with pytest.raises(DeviceUnsuitable, match=lacks), SshTarget("board", str(empty)):
        pass
    empty.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"python": [3, 9, 2], "has": []}\'\n')
    with pytest.raises(DeviceUnsuitable, match=r"Python 3\.9\.2; handlens needs 3\.11"), SshTarget("board", str(empty)):
        pass
    assert server.left() == []


@pytest.mark.parametrize("where", ["-oProxyCommand=x", "a b", "host:port", "host:1:2", "", "$(x)"])
def test_what_is_no_host_is_refused_before_ssh_sees_it(where):
    with pytest.raises(OptionError, match="ssh:USER@HOST:PORT"):
        SshTarget(where, "python3")


def test_a_missing_engine_is_named(server, tmp_path, write):
    says = json.dumps({"python": [3, 11, 0], "has": ["numpy", "cv2", "onnxruntime"]})
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{says}'\n")
    other.chmod(0o755)
    with SshTarget("board", str(other)) as target:
        with pytest.raises(DeviceUnsuitable, match="lacks ai-edge-litert; run there"):
            list(target.measure(order(write()), quiet))
        with pytest.raises(DeviceUnsuitable, match="lacks tflite-runtime"):
            list(target.measure(order(write(), engine="tflite-runtime"), quiet))
    assert server.left() == []


def test_a_connection_that_breaks_is_named_and_the_folder_goes(server, bare_python, write):
    with pytest.raises(DeviceLost, match="the connection to board broke"), SshTarget("board", bare_python) as target:
        for _ in target.measure(order(write()), lambda text: "cold" in text and server.cut()):
            pass
    assert server.left() == []


def test_what_was_seen_before_the_connection_broke_is_kept(server, bare_python, write):
    kept = []
    with pytest.raises(DeviceLost), SshTarget("board", bare_python) as target:
        several = order(write(), sustained_minutes=5.0)
        for figure in target.measure(several, lambda text: "pipeline" in text and cut_soon(server)):
            kept.append(figure)
    assert [figure.model.runs for figure in kept] == [3] and "stopped before" in kept[0].notes[-1]
    assert server.left() == []


def test_an_artifact_that_changes_on_the_way_is_refused_there(server, bare_python, write, monkeypatch):
    artifact = write()
    with SshTarget("board", bare_python) as target:
        send = target._shell.send

        def meddle(data: bytes, name: str) -> None:
            send(data[:100] + bytes([data[100] ^ 1]) + data[101:], name)

        monkeypatch.setattr(target._shell, "send", meddle)
        with pytest.raises(Exception, match=f"{artifact.path.name}") as caught:
            list(target.measure(order(artifact), quiet))
        assert type(caught.value).__name__ == "ArtifactTampered" and "handlens-" not in str(caught.value)
    assert server.left() == []


def test_a_full_disk_is_named(tmp_path, monkeypatch, write):
    folder = tmp_path / "sshd"
    (folder / "programs").mkdir(parents=True)
    # What the disk would say; the keeper's own `cat` writes nothing, and goes on.
    cat = folder / "programs" / "cat"
    cat.write_text(
        '#!/bin/sh\n[ "$(readlink /proc/self/fd/1)" = /dev/null ] && exec /bin/cat\n'
        "head -c 1000\necho 'cat: write error: No space left on device' >&2\nexit 1\n"
    )
    cat.chmod(0o755)
    path = f"{folder / 'programs'}{os.pathsep}{os.environ['PATH']}"
    with local_sshd.running(folder, {"PATH": path}) as server:
        monkeypatch.setenv("PATH", server.path)
        with pytest.raises(DeviceFull, match="board could not take handlens.zip .*No space left"):
            with SshTarget("board", sys.executable):
                pass
        assert server.left() == []


def test_a_worker_that_dies_is_named(server, tmp_path, write):
    dies = tmp_path / "dies"
    dies.write_text(
        f'#!/bin/sh\n[ "$1" = - ] && exec {sys.executable} "$@"\necho "Illegal instruction" >&2\nexit 132\n'
    )
    dies.chmod(0o755)
    with SshTarget("board", str(dies)) as target, pytest.raises(EngineError, match="code 132: Illegal instruction"):
        list(target.measure(order(write()), quiet))
    assert server.left() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle_nothing_stays(server, bare_python, write, tmp_path, how):
    out = tmp_path / "kept.json"
    words = [str(write().path), "--target", "ssh:board", "--remote-python", bare_python, "--runs", "3", "--warmup", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "handlens", "bench", *words, "--sustained", "5", "--json", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, Ctrl-C is switched off; the command must have it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 60
    while not list(server.tmp.glob("*/cache/verdicts/*")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    assert server.left(0)
    process.send_signal(how)
    shown, said = process.communicate(timeout=60)
    assert server.left() == []
    if how != signal.SIGKILL:
        assert process.returncode == 130 and "stopped: 1 of 1 figures" in said
        assert "stopped before the sustained mode had ended" in shown
        assert Bench.from_json(out.read_text()).figures[0].model.runs == 3


def test_an_unknown_target_is_an_option_error(write, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.app(["bench", str(write().path), "--target", "telnet:board"])
    assert ended.value.code == 2
    assert "valid: local, ssh:HOST" in capsys.readouterr().err


def test_the_server_s_helper_sees_what_is_left(server):
    (Path(server.tmp) / "handlens-x").mkdir()
    assert server.left(0) == ["handlens-x"]
