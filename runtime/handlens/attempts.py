"""Failed attempts, counted in a sealed file: after five in a row each further one has to wait, longer every time.

An attempt is counted as failed before it is compared, and cleared when it succeeds: killing the process in between, or
asking from many at once, gains nothing. The wait is measured by the machine's uptime while it stays up, so setting the
clock does not shorten it; after a restart by the clock, and a clock set back starts the rest of the wait anew.

Source: five failures, at least 30 seconds after that and an end at 50 follow NIST SP 800-63B-4 for biometrics without
presentation attack detection; that the wait doubles is ours.
"""

import hashlib
import hmac
import json
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handlens.errors import StoreTampered, TooManyAttempts
from handlens.store import ATTEMPTS, Store

FREE = 5  # failures in a row before the first wait
FIRST_WAIT = 30.0  # seconds
LONGEST_WAIT = 3600.0
LAST = 50  # failures in a row after which an operator has to reset the counter
_MOST_NAMES = 4096  # counters kept: names are whatever somebody types
_ADVICE = "wait, or use the way in that needs no face"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, by two clocks.

    Attributes:
        wall: seconds since 1970; somebody may set it.
        boot: identifies the run of the machine; "" where it is unknown.
        uptime: seconds since the machine started; nobody can set it.
    """

    wall: float
    boot: str
    uptime: float


def now() -> Moment:
    """Reads both clocks. Without Linux's boot id only the wall clock counts."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return Moment(time.time(), "", 0.0)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Failures in a row, and what was left to wait at a moment."""

    failures: int
    wait: float
    since: Moment

    def left(self, at: Moment) -> float:
        same = self.since.boot != "" and self.since.boot == at.boot
        passed = at.uptime - self.since.uptime if same else at.wall - self.since.wall
        return max(0.0, self.wait - max(0.0, passed))


class Attempts:
    """The counters of a store, by name. Every method wants the store's lock held by the caller."""

    def __init__(self, store: Store, clock: Callable[[], Moment] = now) -> None:
        """Takes the store, and for tests a clock."""
        self._store = store
        self._clock = clock

    def check(self, name: str, *, endless: bool = False) -> None:
        """Refuses an attempt that comes too early; counts nothing.

        Args:
            name: whose turn it is.
            endless: True for a counter without an end, which only ever waits.

        Raises:
            TooManyAttempts: there is still time to wait, or an operator has to reset the counter.
            StoreError: the file was changed, removed, or is open to others.
        """
        salt, entries = self._read()
        key, moment = _hashed(salt, name), self._clock()
        entry = entries.get(key)
        if entry is None:
            return
        left = entry.left(moment)
        if left > 0 and (moment.boot != entry.since.boot or moment.wall < entry.since.wall):
            # From another run of the machine: what is left counts from now, or a clock set back would stop it for good.
            entries[key] = _Entry(entry.failures, left, moment)
            self._write(salt, entries)
        if entry.failures >= LAST and not endless:
            raise TooManyAttempts(
                f"{entry.failures} attempts in a row failed; an operator has to reset the counter "
                "(handlens forget NAME --attempts)",
                "use the way in that needs no face",
            )
        if left > 0:
            raise TooManyAttempts(
                f"{entry.failures} attempts in a row failed; the next is in {math.ceil(left)} seconds",
                _ADVICE,
                retry_after=left,
            )

    def begin(self, name: str, *, endless: bool = False) -> None:
        """Counts an attempt as failed, until `succeed` says otherwise.

        Raises:
            TooManyAttempts: as `check`; nothing is counted then.
            StoreError: the file was changed, removed, or is open to others.
        """
        self.check(name, endless=endless)
        salt, entries = self._read()
        key = _hashed(salt, name)
        failures = entries[key].failures + 1 if key in entries else 1
        entries[key] = _Entry(failures, wait_after(failures), self._clock())
        if len(entries) > _MOST_NAMES:
            del entries[min(entries.keys() - {key}, key=lambda other: entries[other].failures)]
        self._write(salt, entries)

    def succeed(self, name: str) -> None:
        """Clears a counter.

        Raises:
            StoreError: the file was changed, removed, or is open to others.
        """
        salt, entries = self._read()
        if entries.pop(_hashed(salt, name), None) is not None:
            self._write(salt, entries)

    def failures(self, name: str) -> int:
        """Failures in a row so far."""
        salt, entries = self._read()
        entry = entries.get(_hashed(salt, name))
        return entry.failures if entry else 0

    def _read(self) -> tuple[bytes, dict[str, _Entry]]:
        plain = self._store.read(ATTEMPTS, ATTEMPTS, {})
        if plain is None:
            raise StoreTampered(f"{self._store.folder / ATTEMPTS} is missing; put it back, or enrol in a new store")
        data = json.loads(plain)
        if not data:
            return secrets.token_bytes(16), {}
        entries = {
            key: _Entry(int(row[0]), float(row[1]), Moment(float(row[2]), str(row[3]), float(row[4])))
            for key, row in data["entries"].items()
        }
        return bytes.fromhex(data["salt"]), entries

    def _write(self, salt: bytes, entries: dict[str, _Entry]) -> None:
        rows = {
            key: [entry.failures, entry.wait, entry.since.wall, entry.since.boot, entry.since.uptime]
            for key, entry in entries.items()
        }
        plain = json.dumps({"salt": salt.hex(), "entries": rows}).encode()
        self._store.write(ATTEMPTS, ATTEMPTS, {}, plain)


def wait_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row: none up to four, 30 after five, then twice as long each time."""
    return 0.0 if failures < FREE else min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - FREE, 20))


def _hashed(salt: bytes, name: str) -> str:
    """Names are not kept, and take the same room whatever somebody types."""
    return hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:32]
