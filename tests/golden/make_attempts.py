"""Writes attempts.json beside this file: whom the counter of attempts lets try, and how long the others wait.

Run `python tests/golden/make_attempts.py` only when a script is added; a recorded step never changes. A step is
[what, name, wall seconds, boot id, uptime seconds, outcome, failures after it]; what is "begin", "check", "succeed", or
"endless" (begin, without an end). The outcome is "ok", "operator", or the seconds to wait.
"""

import json
import random
from pathlib import Path
from typing import Any

from handlens.attempts import Attempts, Moment
from handlens.errors import TooManyAttempts

Step = list[Any]


class Memory:
    """What the counter needs of a store, in memory."""

    folder = Path("store")

    def __init__(self) -> None:
        self.plain = b"{}"

    def read(self, name: str, kind: str, header: dict[str, str]) -> bytes:
        return self.plain

    def write(self, name: str, kind: str, header: dict[str, str], plain: bytes) -> None:
        self.plain = plain


def play(steps: list[Step]) -> list[Step]:
    """The steps with their outcomes."""
    moment = Moment(0.0, "", 0.0)
    counter = Attempts(Memory(), lambda: moment)  # type: ignore[arg-type]
    done = []
    for what, name, wall, boot, uptime in steps:
        moment = Moment(wall, boot, uptime)
        outcome: object = "ok"
        try:
            if what == "check":
                counter.check(name)
            elif what == "succeed":
                counter.succeed(name)
            else:
                counter.begin(name, endless=what == "endless")
        except TooManyAttempts as refusal:
            outcome = "operator" if refusal.retry_after is None else refusal.retry_after
        done.append([what, name, wall, boot, uptime, outcome, counter.failures(name)])
    return done


def in_a_row(count: int, what: str = "begin") -> list[Step]:
    """Attempts that wait as long as it takes, an hour and a second apart."""
    return [[what, "Ada", 1e9 + 3601 * step, "a", 3601.0 * step] for step in range(count)]


def impatient() -> list[Step]:
    """Attempts ten seconds apart, with a success in between, and somebody else at the same time."""
    steps: list[Step] = []
    for step in range(40):
        steps.append(["begin", "Ada", 1e9 + 10 * step, "a", 10.0 * step])
        if step % 9 == 0:
            steps.append(["check", "Bob", 1e9 + 10 * step, "a", 10.0 * step])
            steps.append(["begin", "Bob", 1e9 + 10 * step, "a", 10.0 * step])
        if step == 25:
            steps.append(["succeed", "Ada", 1e9 + 10 * step, "a", 10.0 * step])
    return steps


def clocks() -> list[Step]:
    """The wall clock set forward and back, and the machine restarted, between attempts."""
    steps = [["begin", "Ada", 1e9, "a", 100.0] for _ in range(6)]
    tries = [
        (1e9 + 5000, "a", 110.0), (1e9 - 5000, "a", 115.5), (1e9 + 1, "b", 3.0), (1e9 - 9000, "b", 4.0),
        (1e9 - 8990, "b", 14.0), (1e9 - 8990, "", 0.0), (1e9 - 8980, "", 0.0), (1e9 - 8975.25, "b", 1.0),
        (2e9, "c", 1.0), (2e9, "c", 2.0), (2e9, "c", 62.5),
    ]  # fmt: skip
    return steps + [["begin", "Ada", wall, boot, uptime] for wall, boot, uptime in tries]


def drawn(seed: int) -> list[Step]:
    """Whatever comes: names, waits, restarts and clocks by a seed."""
    draw = random.Random(seed)
    wall, boot, uptime, steps = 1.7e9, "boot0", 50.0, []
    for step in range(120):
        wait = draw.choice([0.5, 3.0, 31.0, 64.25, 700.0])
        wall, uptime = wall + wait, uptime + wait
        if draw.random() < 0.06:
            boot, uptime = f"boot{step}", draw.choice([0.25, 20.0])
        if draw.random() < 0.06:
            wall += draw.choice([-4000.0, -30.5, 86400.0])
        what = draw.choices(["begin", "check", "succeed", "endless"], [6, 2, 0.4, 2])[0]
        steps.append([what, draw.choice(["Ada", "Ada", "Zoë"]), wall, boot, uptime])
    return steps


if __name__ == "__main__":
    scripts = [in_a_row(55), in_a_row(55, "endless"), impatient(), clocks(), *(drawn(seed) for seed in range(4))]
    rows = [",\n".join(json.dumps(step) for step in play(script)) for script in scripts]
    text = "[[\n" + "\n], [\n".join(rows) + "\n]]\n"
    (Path(__file__).parent / "attempts.json").write_text(text, encoding="utf-8")
