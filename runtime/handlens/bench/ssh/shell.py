"""One ssh connection with a folder of its own on the other side, which goes when the connection does.

The first connection asks what ssh must ask (a password, a host key) and then carries all others. A shell over there
keeps the folder: it reads until its input ends, by our hand or because the connection broke, and removes it.
"""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.errors import DeviceError, DeviceFull, DeviceLost, DeviceNotFound, DeviceUnsuitable, OptionError

_CONNECT_S, _STEP_S = 20, 120
_OPTIONS = (
    *("-o", f"ConnectTimeout={_CONNECT_S}", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
    *("-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-o", "RequestTTY=no", "-a", "-x"),
)
# The folder goes when the input ends; a process that still writes into it gets a moment to notice.
_KEEPER = (
    'umask 077; d=$(mktemp -d "${TMPDIR:-/tmp}/handlens-XXXXXXXX") || exit 73; '
    'trap "rm -rf \\"$d\\" || { sleep 1; rm -rf \\"$d\\"; }" EXIT; trap "exit 1" HUP INT TERM; '
    'printf "%s\\n" "$d" "$HOME"; cat >/dev/null'
)
_FULL = re.compile(r"no space left|disk quota|file too large", re.IGNORECASE)


class Shell:
    """A connection; a context manager.

    Attributes:
        where: as given.
        home: the user's home folder over there.
    """

    home: str

    def __init__(self, where: str) -> None:
        """Takes HOST, USER@HOST, or either with :PORT.

        Raises:
            OptionError: it is none of these.
        """
        found = re.fullmatch(r"([\w][\w.@%+-]*|(?:[\w.-]+@)?\[[0-9A-Fa-f:.%\w]+\])(?::(\d{1,5}))?", where)
        if not found:
            raise OptionError(f"target is 'ssh:{where}'; valid: ssh:HOST, ssh:USER@HOST, ssh:USER@HOST:PORT")
        self.where = where
        self._place = [*(("-p", found[2]) if found[2] else ()), found[1].replace("[", "").replace("]", "")]
        self._folder = ""
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Connects and makes the folder.

        Raises:
            DeviceUnsuitable: no ssh on this machine.
            DeviceNotFound: no connection.
            DeviceFull: no folder can be made.
        """
        if shutil.which("ssh") is None:
            raise DeviceUnsuitable("this machine has no ssh; install OpenSSH's client (package openssh-client)")
        with contextlib.ExitStack() as stack:
            # Short: the path of a socket may have about 100 characters.
            control = stack.enter_context(tempfile.TemporaryDirectory(prefix="hl-"))
            self._ssh = ["ssh", *_OPTIONS, "-S", str(Path(control) / "s")]
            self._connect()
            stack.callback(self._hang_up)
            keeper = stack.enter_context(self._keep())
            assert keeper.stdout is not None
            stack.callback(self._let_go, keeper)
            line, home = (keeper.stdout.readline(4096).decode("utf-8", "replace").strip() for _ in range(2))
            if not re.fullmatch(r"/[^\0\n]*/handlens-\w+", line):
                raise DeviceFull(f"{self.where} made no temporary folder: {line[:200] or 'is its disk full?'}")
            self._folder, self.home = line, home
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets the other side remove the folder, waits for that, and hangs up."""
        self._open.close()

    def command(self, words: Sequence[str], **environment: str) -> list[str]:
        """The local command that runs one over there, in the folder."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        line = f"cd {shlex.quote(self._folder)} && exec env {shlex.join([*settings, *words])}"
        # A word for `sh`, whatever the login shell is.
        return [*self._ssh, *self._place, f"exec sh -c {shlex.quote(line)}"]

    def run(self, words: Sequence[str], given: bytes = b"") -> tuple[int, str, str]:
        """Runs a command over there; its exit code, output, and last line of complaint.

        Raises:
            DeviceLost: the connection broke.
        """
        try:
            done = subprocess.run(
                self.command(words), input=given, capture_output=True, timeout=_STEP_S, check=False, process_group=0
            )
        except subprocess.TimeoutExpired:
            raise DeviceLost(f"{self.where} did not answer within {_STEP_S} s; is it busy, or gone?") from None
        words_ = _last_line(done.stderr)
        if done.returncode == 255:
            raise DeviceLost(f"the connection to {self.where} broke: {words_}")
        return done.returncode, done.stdout.decode("utf-8", "replace"), words_

    def send(self, data: bytes, name: str) -> None:
        """Writes a file into the folder.

        Raises:
            DeviceFull: it does not fit.
            DeviceLost: the connection broke.
        """
        code, _, words = self.run(["sh", "-c", 'cat > "./$1"', "sh", name], data)
        if code:
            kind: type[DeviceError] = DeviceFull if _FULL.search(words) else DeviceLost
            size = f"{len(data) / 2**20:.1f} MiB"
            raise kind(f"{self.where} could not take {name} ({size}): {words}; free some space in its TMPDIR or /tmp")

    def remove(self, name: str) -> None:
        """Removes a file from the folder.

        Raises:
            DeviceLost: the connection broke.
        """
        self.run(["rm", "-f", f"./{name}"])

    def _connect(self) -> None:
        # Its complaints go to a file: the connection stays in the background and would keep a pipe open.
        with tempfile.TemporaryFile() as words:
            # Should this process be killed, the connection ends by itself once nobody has used it for 30 s.
            opening = ["ssh", *_OPTIONS, "-M", "-N", "-f", "-o", "ControlPersist=30", *self._ssh[-2:], *self._place]
            code = subprocess.run(opening, stdin=subprocess.DEVNULL, stdout=words, stderr=words, check=False).returncode
            words.seek(0)
            if code:
                raise DeviceNotFound(
                    f"no ssh connection to {self.where}: {_last_line(words.read())}; "
                    f"make this work first: ssh {shlex.join(self._place)}"
                )

    def _keep(self) -> subprocess.Popen[bytes]:
        self._folder = "/"
        return subprocess.Popen(
            self.command(["sh", "-c", _KEEPER]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def _let_go(self, keeper: subprocess.Popen[bytes]) -> None:
        assert keeper.stdin is not None
        with contextlib.suppress(OSError):
            keeper.stdin.close()
        try:
            keeper.wait(timeout=15)
        except subprocess.TimeoutExpired:
            keeper.kill()

    def _hang_up(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            closing = [*self._ssh, "-O", "exit", *self._place]
            subprocess.run(closing, capture_output=True, timeout=15, check=False)


def zipped() -> bytes:
    """The running runtime as a zip that Python imports from; without its commands and its server."""
    root = Path(__file__).resolve().parents[2]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root.parent)
            if name.parts[1] not in ("commands", "serve"):
                archive.writestr(str(name.as_posix()), file.read_bytes())
    return packed.getvalue()


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(c if c.isprintable() else "?" for c in lines[-1].strip())[:300] if lines else "it said nothing"
