"""A folder on an Android device, with LiteRT's `benchmark_model` in it, that is removed whatever happens.

A shell on the device guards the folder: it reads from the connection, and when that ends (handlens ends it, dies, or
the cable is pulled) it ends what runs in the folder and removes it.
"""

import contextlib
import hashlib
import secrets
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlens.bench import sensors
from handlens.bench.adb import android
from handlens.bench.adb.android import Thermometer
from handlens.bench.adb.bridge import Bridge
from handlens.errors import ArtifactTampered, DeviceError, DeviceUnsuitable

TOOL = "benchmark_model"
HOW = "docs/bench-adb.md tells how to get one"
_PARENT = "/data/local/tmp"
_GUARD_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the tool.

    Attributes:
        text: what it printed, standard output and error together.
        code: its exit code.
        clock_mhz: of the cores it was pinned to, right before and right after; None where the device does not tell.
        temperature_c: of the processor, likewise.
    """

    text: str
    code: int
    clock_mhz: tuple[float, float] | None
    temperature_c: tuple[float, float] | None


class Device:
    """The folder and the tool; made by `open_device`.

    Attributes:
        facts: what the device says about itself.
        thermometer: where its temperature comes from.
        tool_sha256: of the tool, hex digits.
    """

    def __init__(self, bridge: Bridge, binary: Path) -> None:
        """Looks at the device; `open` then puts things there.

        Raises:
            DeviceError: it cannot run the tool, or is lost.
        """
        self._bridge, self._binary = bridge, binary
        self._folder = f"{_PARENT}/handlens-{secrets.token_hex(6)}"
        self._guard: subprocess.Popen[str] | None = None
        self.facts = android.facts(bridge.shell(android.LOOK).text)
        _check(binary, self.facts)
        self.thermometer = self._find_thermometer()
        self.tool_sha256 = ""

    @property
    def serial(self) -> str:
        """The device's."""
        return self._bridge.serial

    def open(self) -> None:
        """Makes the folder and puts the tool into it.

        Raises:
            DeviceFull: no space is left; nothing is left behind either.
            DeviceError: the device refused, or is lost.
        """
        try:
            self._start_guard()
            self.tool_sha256 = self.put(self._binary, TOOL)
            self._command(f"chmod 700 {self._folder}/{TOOL}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends what still runs in the folder, and removes it. May be called again."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        assert guard.stdin is not None and guard.stdout is not None
        with contextlib.suppress(OSError):
            guard.stdin.close()
        try:
            guard.wait(timeout=10)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
        guard.stdout.close()
        with contextlib.suppress(DeviceError):  # a lost device's own guard removes the folder
            # Where the connection outlives the guard's input (a shell of Android 6), it is removed from here.
            self._bridge.shell(f"[ ! -e {self._folder} ] || rm -rf {self._folder}", timeout=20)

    def put(self, local: Path, name: str) -> str:
        """Copies a file into the folder, and has the device hash what arrived.

        Returns:
            Its SHA-256, hex digits.

        Raises:
            ArtifactTampered: what arrived is not what was sent.
            DeviceFull: no space is left.
            DeviceError: the device refused, or is lost.
        """
        remote = f"{self._folder}/{name}"
        sent = hashlib.sha256(local.read_bytes()).hexdigest()
        self._bridge.push(local, remote)
        arrived = self._command(f"sha256sum {remote}").split(" ")[0].strip()
        if arrived != sent:
            raise ArtifactTampered(
                f"{local} was changed on the way to {self.serial}: sent with SHA-256 {sent[:12]}..., there it is "
                f"{arrived[:12] or 'unreadable'}...; try another cable or port, and measure again"
            )
        return sent

    def get(self, name: str, local: Path) -> None:
        """Copies a file out of the folder.

        Raises:
            DeviceError: it is not there, or the device is lost.
        """
        self._bridge.pull(f"{self._folder}/{name}", local)

    def remove(self, *names: str) -> None:
        """Removes files of the folder."""
        self._command("rm -f " + " ".join(f"{self._folder}/{name}" for name in names))

    def call(
        self,
        arguments: Sequence[str],
        cores: Sequence[int],
        timeout: float,
        tick: Callable[[float], None] | None = None,
    ) -> Call:
        """Calls the tool in the folder.

        Args:
            arguments: for it.
            cores: to pin it to; none for any.
            timeout: in seconds.
            tick: told every five seconds how many have passed.

        Raises:
            DeviceLost: the device went away.
        """
        pin = f"taskset {sum(1 << core for core in cores):x} " if cores else ""
        look = f"{android.CLOCKS}; {android.THERMOMETERS[self.thermometer]}"
        told = " ".join(map(shlex.quote, arguments))
        # In the background, so that its number is known to the guard; the sensors right before and right after.
        script = (
            f"cd {self._folder} || exit 97; {look}; echo '#run'; "
            f"{pin}./{TOOL} {told} & echo $! >pid; wait $!; code=$?; rm -f pid; "
            f"echo; echo '#after'; {look}; exit $code"
        )
        answer = self._bridge.shell(script, timeout, tick)
        before, _, rest = answer.text.partition("#run\n")
        said, _, after = rest.rpartition("\n#after")
        clocks = [android.clock_mhz(text, cores) for text in (before, after)]
        warmth = [android.temperature_c(text, self.thermometer) for text in (before, after)]
        return Call(text=said, code=answer.code, clock_mhz=sensors.pair(*clocks), temperature_c=sensors.pair(*warmth))

    def busiest(self) -> str:
        """Who else used the processor, in words; empty where the device does not tell."""
        return android.busiest(self._bridge.shell(android.BUSIEST).text, TOOL)

    def _start_guard(self) -> None:
        folder = self._folder
        script = (
            # The tool by its number, and whatever it started by the folder that it works in.
            f"clean() {{ [ ! -f {folder}/pid ] || kill -9 $(cat {folder}/pid); "
            f"ls -l /proc/[0-9]*/cwd | while read -r line; do case $line in *' -> {folder}'*) "
            "line=${line##*/proc/}; kill -9 ${line%%/*};; esac; done; "
            f"rm -rf {folder}; }} 2>/dev/null; "
            f"mkdir -m 700 {folder} || exit 1; trap clean EXIT; trap 'exit 0' HUP INT TERM PIPE; "
            "echo ready; cat >/dev/null"
        )
        self._guard = guard = self._bridge.open_shell(script)
        assert guard.stdout is not None
        alarm = threading.Timer(_GUARD_S, guard.kill)  # a device that hangs must not hang us
        alarm.start()
        said = guard.stdout.readline()
        alarm.cancel()
        if said.strip() != "ready":
            raise self._bridge.refusal(said + guard.stdout.read())

    def _command(self, script: str) -> str:
        """Runs a script that should not fail."""
        answer = self._bridge.shell(script)
        if answer.code != 0:
            raise self._bridge.refusal(answer.text)
        return answer.text

    def _find_thermometer(self) -> Thermometer:
        for kind, script in android.THERMOMETERS.items():
            if android.temperature_c(self._bridge.shell(script).text, kind) is not None:
                return kind
        return "none"


def _check(binary: Path, facts: android.Facts) -> None:
    """Refuses a program of another ABI; one that is no ELF file (a script) is the device's to judge."""
    with binary.open("rb") as stream:
        built = android.abi_of(stream.read(20))
    if built is not None and built not in facts.abis:
        raise DeviceUnsuitable(
            f"--binary {binary} is built for {built}; the device ({facts.device}) runs {', '.join(facts.abis)}; {HOW}"
        )
    if not facts.sha256sum:
        raise DeviceUnsuitable(f"the device ({facts.device}) has no sha256sum, so nothing on it can be checked")
