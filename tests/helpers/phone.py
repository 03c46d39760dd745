"""A device to test against: Debian's real `adbd` in a root of its own, with Android's shell (mksh) and tools (toybox).

Only for a process that has network and mounts to itself (`make adb-test` starts pytest so). Real are adbd, the adb
server and client, shell, tools, and the file system of /data/local/tmp (a tmpfs, whose size is a real limit). Made up
are getprop, dumpsys, and the clocks in /sys.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

APPLETS = "cat chmod echo head kill ls mkdir ps rm sha256sum sleep taskset true uname".split()
PROPERTIES = {
    "ro.product.cpu.abilist": "x86_64,x86",
    "ro.product.manufacturer": "Debian",
    "ro.product.model": "adbd in a namespace",
    "ro.build.version.release": "13",
}
THERMAL = """IsStatusOverride: false
ThermalEventListeners:
Current temperatures from HAL:
\tTemperature{mValue=31.5, mType=3, mName=skin, mStatus=0}
\tTemperature{mValue=41.25, mType=0, mName=CPU0, mStatus=0}
"""


class Phone:
    """One adbd; `data` is what it holds under /data/local/tmp, as this process sees it."""

    def __init__(self, packages: Path, folder: Path, port: int = 5701, megabytes: int = 96) -> None:
        self.packages, self.root, self.port = packages, folder / f"phone-{port}", port
        self.serial = f"127.0.0.1:{port}"
        self._adbd: subprocess.Popen[bytes] | None = None
        self.loader = [
            str(packages / "usr/lib64/ld-linux-x86-64.so.2"),
            "--library-path",
            f"{packages}/usr/lib/x86_64-linux-gnu:{packages}/usr/lib/x86_64-linux-gnu/android",
        ]
        self.root.mkdir()
        mount("-t", "tmpfs", "-o", "size=4m", "none", self.root)
        # What the packages, and the stand-in with its Python, need of this machine; it cannot be written through here.
        wanted = {"usr", "lib", "lib64", "etc", "dev", "proc"}
        for used in (packages, Path(__file__), Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable)):
            wanted |= {used.parts[1], used.resolve().parts[1]}
        for entry in sorted(Path("/") / name for name in wanted):
            place = self.root / entry.name
            if entry.is_symlink():
                place.symlink_to(os.readlink(entry))
            elif entry.is_dir():
                place.mkdir()
                # Its own mounts come along only where the kernel insists: in a namespace of a plain user.
                if subprocess.run(["mount", "--bind", entry, place], capture_output=True, check=False).returncode:
                    mount("--rbind", entry, place)
                mount("-o", "remount,bind,ro", place)
        self.data = self.root / "data/local/tmp"
        self.data.mkdir(parents=True)
        mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", self.data)
        self._system()
        self.plug_in()

    def plug_in(self) -> None:
        command = [
            "/usr/sbin/chroot",
            self.root,
            *self.loader,
            self.packages / "usr/lib/android-sdk/platform-tools/adbd",
        ]
        env = {"PATH": "/system/bin", "ADBD_PORT": str(self.port)}
        with (self.root.parent / f"adbd-{self.port}.log").open("ab") as log:
            self._adbd = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)

    def pull_out(self) -> None:
        """What a cable does: the daemon is gone from one moment to the next, and every connection with it."""
        if self._adbd is not None:
            self._adbd.send_signal(signal.SIGKILL)
            self._adbd.wait()
            self._adbd = None

    def remove(self) -> None:
        """Ends it, and unmounts all that its root shows."""
        self.pull_out()
        subprocess.run(["umount", "--lazy", self.root], check=True)

    def left(self) -> list[str]:
        """What is in /data/local/tmp."""
        return sorted(entry.name for entry in self.data.iterdir())

    def left_soon(self) -> list[str]:
        """The same, once it is empty or five seconds have passed."""
        for _ in range(50):
            if not self.left():
                break
            time.sleep(0.1)
        return self.left()

    def running(self, word: str) -> list[str]:
        """Command lines of processes that have a word in them and the phone's root."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if word in line and os.readlink(process / "root") == str(self.root):
                    found.append(line)
            except OSError:
                continue
        return found

    def _system(self) -> None:
        tools = self.root / "system/bin"
        tools.mkdir(parents=True)
        (self.root / "bin").mkdir()
        for shell in (tools / "sh", self.root / "bin/sh"):
            shell.symlink_to(self.packages / "usr/lib/x86_64-linux-musl/bin/mksh")
        loader = " ".join(self.loader)
        for name in APPLETS:
            program(tools / name, f'exec {loader} {self.packages}/usr/bin/toybox {name} "$@"')
        values = "\n".join(f'{name}) echo "{value}";;' for name, value in PROPERTIES.items())
        program(tools / "getprop", f'case "$1" in\n{values}\nesac')
        program(tools / "dumpsys", f"[ \"$1\" = thermalservice ] && cat <<'END'\n{THERMAL}END")
        cores = len(os.sched_getaffinity(0))
        cpu = self.root / "sys/devices/system/cpu"
        for number in range(cores):
            (cpu / f"cpu{number}/cpufreq").mkdir(parents=True)
            (cpu / f"cpu{number}/cpufreq/cpuinfo_max_freq").write_text(f"{2000000 + 400000 * number}\n")
            (cpu / f"cpu{number}/cpufreq/scaling_cur_freq").write_text(f"{1800000 + 400000 * number}\n")
        for name in ("online", "possible", "present"):
            (cpu / name).write_text(f"0-{cores - 1}\n")


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
