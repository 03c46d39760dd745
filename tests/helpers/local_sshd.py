"""A real ssh server of this test's own: loopback, a free port, fresh keys, this user; and a client that knows it."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def sshd_program() -> str | None:
    """Where sshd is; None where it, or the client, is not installed."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])
    return shutil.which("sshd", path=places) if shutil.which("ssh") and shutil.which("ssh-keygen") else None


@dataclass
class Server:
    """A running server.

    Attributes:
        where: for `--target ssh:`.
        path: a PATH whose `ssh` knows key, user and port.
        tmp: TMPDIR of what runs behind it.
        process: of the server that listens; each connection has one of its own.
    """

    where: str
    path: str
    tmp: Path
    process: subprocess.Popen[bytes]

    def left(self, wait: float = 5.0) -> list[str]:
        """What is left in the temporary folder, once that had time to be removed."""
        end = time.monotonic() + wait
        while (found := sorted(entry.name for entry in self.tmp.iterdir())) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def cut(self) -> None:
        """Kills the connections, as a pulled plug would."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), 9)


@contextlib.contextmanager
def running(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Starts a server; `environment` is set for what runs behind it."""
    program = sshd_program()
    assert program is not None
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    tmp = folder / "remote-tmp"
    tmp.mkdir()
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"TMPDIR": str(tmp), **(environment or {})}
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'mine.pub'}\n"
        "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n"
        f"PermitRootLogin prohibit-password\nSetEnv {' '.join(f'{key}={value}' for key, value in settings.items())}\n"
    )
    public = (folder / "host.pub").read_text().strip()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "ssh_config").write_text(
        f"Host board\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  LogLevel ERROR\n"
        f"  IdentityFile {folder / 'mine'}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  UserKnownHostsFile {folder / 'known'}\n"
        "Host gone\n  HostName 127.0.0.1\n  Port 1\n"
    )
    client = folder / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "ssh_config"} "$@"\n')
    client.chmod(0o755)
    process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield Server("board", f"{client.parent}{os.pathsep}{os.environ['PATH']}", tmp, process)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "sshd ended at once"
        time.sleep(0.05)
    raise AssertionError("sshd does not listen")
