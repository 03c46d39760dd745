"""One Android device behind the `adb` program: which there are, commands on it with their exit codes, files to it.

Nothing here trusts adb's own exit code: older devices give none of a command's, and a lost connection gives any.
"""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handlens.errors import (
    DeviceAmbiguous,
    DeviceError,
    DeviceFull,
    DeviceLost,
    DeviceNotFound,
    DeviceUnsuitable,
)

_SHORT_S, _COPY_S = 30.0, 600.0
_TICK_S = 5.0
_STATES = {
    "unauthorized": "has not let this computer in: unlock it and accept the question about USB debugging",
    "offline": "is offline: plug it in again, or run: adb reconnect",
    "no permissions": "may not be opened by this user: add a udev rule (Debian: android-sdk-platform-tools-common)",
    "recovery": "is in recovery: restart it",
    "sideload": "is in sideload: restart it",
    "bootloader": "is in its bootloader: restart it",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of `adb devices`."""

    serial: str
    state: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command on the device wrote, standard output and error together, and its exit code."""

    code: int
    text: str


class Bridge:
    """A device that is connected and lets us in.

    Attributes:
        serial: of the device.
    """

    def __init__(self, program: str, serial: str) -> None:
        """Takes a serial that `choose` gave."""
        self._program = program
        self.serial = serial

    def shell(self, script: str, timeout: float = _SHORT_S, tick: Callable[[float], None] | None = None) -> Answer:
        """Runs a POSIX shell script on the device.

        Args:
            script: to run.
            timeout: in seconds; a device that takes longer counts as lost.
            tick: told every five seconds how many have passed.

        Raises:
            DeviceLost: the connection ended, or the time.
        """
        # Random, so that nothing the script prints is taken for its end.
        mark = f"handlens-{secrets.token_hex(8)}="
        wrapped = f"({script}\n) 2>&1; code=$?; echo; echo {mark}$code"
        said = self._run(["shell", wrapped], timeout, tick)
        body, found, code = said.rpartition(f"\n{mark}")
        if not found or not code.strip().isdigit():
            raise self._lost(said)
        return Answer(int(code), body.removesuffix("\n"))

    def push(self, local: Path, remote: str) -> None:
        """Copies a file to the device.

        Raises:
            DeviceFull: no space is left.
            DeviceLost: the connection ended.
            DeviceError: the device refused it.
        """
        self._copy(["push", str(local), remote], f"{local} to {remote}")

    def pull(self, remote: str, local: Path) -> None:
        """Copies a file from the device.

        Raises:
            DeviceLost: the connection ended.
            DeviceError: it is not there.
        """
        self._copy(["pull", remote, str(local)], f"{remote} from the device")

    def open_shell(self, script: str) -> "subprocess.Popen[str]":
        """Starts a script that reads its standard input until the connection ends."""
        return subprocess.Popen(
            self._command(["shell", script]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C is for handlens, which then ends this in order.
            start_new_session=True,
        )

    def connected(self) -> bool:
        """Whether adb still reaches the device."""
        try:
            return self._run(["get-state"], 10.0).strip() == "device"
        except DeviceLost:
            return False

    def refusal(self, said: str) -> DeviceError:
        """The error for what the device said when it would not store something."""
        last = _last_line(said)
        if "no space left" in said.lower():
            return DeviceFull(f"no space is left on {self.serial} ({last}); free some, then measure again")
        if not self.connected():
            return self._lost(said)
        return DeviceError(f"{self.serial} refused: {last}; its /data/local/tmp must be writable for the shell")

    def _copy(self, arguments: list[str], what: str) -> None:
        process = self._start(arguments)
        said = self._wait(process, _COPY_S, None)
        if process.returncode != 0:
            raise self.refusal(said or f"copying {what} ended with code {process.returncode}")

    def _run(self, arguments: list[str], timeout: float, tick: Callable[[float], None] | None = None) -> str:
        return self._wait(self._start(arguments), timeout, tick)

    def _start(self, arguments: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def _wait(self, process: "subprocess.Popen[str]", timeout: float, tick: Callable[[float], None] | None) -> str:
        start = time.monotonic()
        try:
            while True:
                try:
                    return process.communicate(timeout=min(_TICK_S, timeout))[0]
                except subprocess.TimeoutExpired:
                    passed = time.monotonic() - start
                    if passed >= timeout:
                        raise DeviceLost(f"{self.serial} did not answer for {passed:.0f} s; is it asleep?") from None
                    if tick is not None:
                        tick(passed)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _command(self, arguments: list[str]) -> list[str]:
        return [self._program, "-s", self.serial, *arguments]

    def _lost(self, said: str) -> DeviceLost:
        return DeviceLost(
            f"{self.serial} went away in the middle ({_last_line(said) or 'the connection ended'}); connect it again, "
            "see that 'adb devices' lists it, and measure again"
        )


def find_program() -> str:
    """Finds adb: on the PATH, else in the Android SDK that ANDROID_HOME names.

    Raises:
        DeviceUnsuitable: it is in neither.
    """
    found = shutil.which("adb")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        kept = Path(os.environ.get(name, "/nowhere")) / "platform-tools" / "adb"
        if found is None and kept.is_file():
            found = str(kept)
    if found is None:
        raise DeviceUnsuitable(
            "adb is neither on the PATH nor under ANDROID_HOME; install it: apt-get install adb, "
            "brew install android-platform-tools, or Android Studio's SDK manager"
        )
    return found


def choose(program: str, serial: str | None) -> Bridge:
    """Finds the one device that is meant.

    Args:
        program: adb.
        serial: of the device; None for the only one there is (or the one ANDROID_SERIAL names, as for adb itself).

    Raises:
        DeviceNotFound: there is none, not the one named, or it does not let us in.
        DeviceAmbiguous: there are several, and none was named.
        DeviceUnsuitable: adb does not work.
    """
    serial = serial or os.environ.get("ANDROID_SERIAL") or None
    there = devices(program)
    shown = ", ".join(f"{listed.serial} ({listed.state})" for listed in there) or "none"
    if serial is not None:
        chosen = [listed for listed in there if listed.serial == serial]
        if not chosen:
            hint = f"; over the network: adb connect {serial}" if ":" in serial else ""
            raise DeviceNotFound(f"no device {serial!r}; adb lists: {shown}{hint}")
    else:
        # A device that cannot be used does not make another ambiguous.
        chosen = [listed for listed in there if listed.state == "device"] or list(there)
    if not chosen:
        raise DeviceNotFound(
            "no Android device is connected; switch on USB debugging in its developer options and plug it in "
            "(over the network: adb connect HOST:PORT), until 'adb devices' lists it"
        )
    if len(chosen) > 1:
        raise DeviceAmbiguous(
            f"{len(chosen)} devices are connected: {shown}; name one: --target adb:{chosen[0].serial}"
        )
    (one,) = chosen
    if one.state != "device":
        advice = _STATES.get(one.state, f"is in state {one.state!r}; it must be 'device'")
        raise DeviceNotFound(f"{one.serial} {advice}")
    return Bridge(program, one.serial)


def devices(program: str) -> tuple[Listed, ...]:
    """What `adb devices` lists.

    Raises:
        DeviceUnsuitable: adb does not work.
    """
    try:
        done = subprocess.run(
            [program, "devices"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60.0, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceUnsuitable(f"{program} devices: {error}; try it by hand") from None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not any(line.startswith("List of devices") for line in lines):
        raise DeviceUnsuitable(f"{program} devices: {_last_line(done.stderr + done.stdout)}; try: adb kill-server")
    found = []
    for line in lines:
        serial, tab, rest = line.partition("\t")
        if tab and serial:
            state = "no permissions" if rest.startswith("no permissions") else rest.strip()
            found.append(Listed(serial, state))
    return tuple(found)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
