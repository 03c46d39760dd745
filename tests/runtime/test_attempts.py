"""Failed attempts: when the next one is refused, and what does not shorten the wait."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from handlens.attempts import Attempts, Moment, now, wait_after
from handlens.errors import StoreTampered, TooManyAttempts
from handlens.store import Store


@dataclasses.dataclass
class Clock:
    wall: float = 1_800_000_000.0
    boot: str = "first"
    uptime: float = 1000.0

    def __call__(self) -> Moment:
        return Moment(self.wall, self.boot, self.uptime)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds

    def restart(self, seconds: float = 60.0) -> None:
        self.wall += seconds
        self.boot, self.uptime = self.boot + "'", 5.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Store.open(tmp_path / "store", use_keyring=False)
    return tmp_path / "store"


def begin(folder: Path, clock: Clock, name: str = "Ada", endless: bool = False) -> None:
    """An attempt that fails, in a process of its own as far as the store can tell."""
    store = Store.open(folder)
    with store.lock():
        Attempts(store, clock).begin(name, endless=endless)


def refused(folder: Path, clock: Clock, name: str = "Ada") -> float | None:
    store = Store.open(folder)
    with store.lock(), pytest.raises(TooManyAttempts) as caught:
        Attempts(store, clock).begin(name)
    return caught.value.retry_after


def fail(folder: Path, clock: Clock, times: int, name: str = "Ada") -> None:
    for _ in range(times):
        begin(folder, clock, name)


def test_five_failures_are_free_and_the_sixth_has_to_wait(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    assert refused(folder, clock) == 30
    clock.wait(29)
    assert refused(folder, clock) == 1
    clock.wait(1)
    begin(folder, clock)
    assert refused(folder, clock) == 60, "twice as long"


def test_a_refused_attempt_neither_counts_nor_waits_longer(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    for _ in range(20):
        assert refused(folder, clock) == 30


def test_waits_grow_up_to_an_hour() -> None:
    waits = [wait_after(failures) for failures in range(4, 60)]
    assert waits[:4] == [0, 30, 60, 120] and max(waits) == 3600 and waits == sorted(waits)


def test_names_are_counted_apart(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5, "Ada")
    begin(folder, clock, "Bob")


def test_a_success_clears_the_counter(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 4)
    store = Store.open(folder)
    with store.lock():
        Attempts(store, clock).succeed("Ada")
    fail(folder, clock, 5)


def test_fifty_failures_end_it_until_an_operator_comes(folder: Path, clock: Clock) -> None:
    for _ in range(50):
        begin(folder, clock)
        clock.wait(3600)
    assert refused(folder, clock) is None
    clock.wait(10 * 365 * 86400)
    assert refused(folder, clock) is None


def test_a_counter_without_an_end_only_waits(folder: Path, clock: Clock) -> None:
    for _ in range(60):
        begin(folder, clock, endless=True)
        clock.wait(3600)


def test_a_clock_set_forward_does_not_shorten_the_wait(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    clock.wall += 86400
    assert refused(folder, clock) == 30


def test_a_clock_set_back_neither_shortens_the_wait_nor_makes_it_endless(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    clock.wall -= 10 * 365 * 86400
    assert refused(folder, clock) == 30
    clock.wait(30)
    begin(folder, clock)


def test_a_restart_does_not_forget_and_the_time_switched_off_counts(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    clock.wait(30)
    begin(folder, clock)
    clock.restart(20)
    assert refused(folder, clock) == 40
    clock.restart(40)
    begin(folder, clock)


def test_a_clock_set_back_over_a_restart_starts_the_rest_of_the_wait_anew(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    clock.wait(10)
    clock.restart(-1000)
    assert refused(folder, clock) == 30
    clock.wait(30)
    begin(folder, clock)


def test_without_a_boot_id_the_wall_clock_counts(folder: Path, clock: Clock) -> None:
    clock.boot = ""
    fail(folder, clock, 5)
    clock.wall -= 3600
    assert refused(folder, clock) == 30
    clock.wall += 30
    begin(folder, clock)


def test_a_removed_file_is_noticed(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    store = Store.open(folder)
    (folder / "attempts").unlink()
    with store.lock(), pytest.raises(StoreTampered, match="missing"):
        Attempts(store, clock).check("Ada")
    with pytest.raises(StoreTampered, match="missing"):
        Store.open(folder)


def test_a_changed_file_is_noticed(folder: Path, clock: Clock) -> None:
    fail(folder, clock, 5)
    data = bytearray((folder / "attempts").read_bytes())
    data[-1] ^= 1
    (folder / "attempts").write_bytes(data)
    store = Store.open(folder)
    with store.lock(), pytest.raises(StoreTampered):
        Attempts(store, clock).check("Ada")


def test_the_file_of_another_store_is_noticed(folder: Path, clock: Clock, tmp_path: Path) -> None:
    Store.open(tmp_path / "other", use_keyring=False)
    shutil.copy(tmp_path / "other" / "attempts", folder / "attempts")
    store = Store.open(folder)
    with store.lock(), pytest.raises(StoreTampered):
        Attempts(store, clock).check("Ada")


def test_an_older_file_of_the_same_store_is_not_noticed(folder: Path, clock: Clock) -> None:
    """The limit that docs/door.md states: whoever can write the folder can put back an older counter."""
    fail(folder, clock, 4)
    older = (folder / "attempts").read_bytes()
    fail(folder, clock, 1)
    assert refused(folder, clock) == 30
    (folder / "attempts").write_bytes(older)
    begin(folder, clock)


def test_names_that_visitors_type_do_not_fill_the_disk(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlens.attempts._MOST_NAMES", 10)
    fail(folder, clock, 5, "Ada")
    size = 0
    for number in range(30):
        begin(folder, clock, "x" * number + str(number))
        size = max(size, (folder / "attempts").stat().st_size)
    assert size < 3000
    assert refused(folder, clock, "Ada") == 30, "those who failed most are kept"


def test_names_are_not_kept(folder: Path, clock: Clock) -> None:
    begin(folder, clock, "Ada Lovelace")
    store = Store.open(folder)
    with store.lock():
        plain = store.read("attempts", "attempts", {})
    assert plain is not None and b"Ada" not in plain


def test_the_machine_has_both_clocks() -> None:
    first, second = now(), now()
    assert second.uptime >= first.uptime and second.boot == first.boot and second.wall > 1_700_000_000
