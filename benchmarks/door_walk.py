"""The whole door on a folder of photographs: enrol people, then let them, and strangers, come.

    python benchmarks/door_walk.py face-detector.tflite face-verifier.tflite --photographs DATA/lfw --test-only

The folder holds a folder a person; `--test-only` takes LFW's people of folds 7 and 8, whom no training saw. Of those
with six photographs or more, `--people` are enrolled with three (a photograph that is refused is replaced by the next);
as many others are strangers. Each enrolled person then comes with the photographs left, claims their own name, and is
looked for among all; each stranger claims somebody's name, and is looked for. Counters of failed attempts are cleared
in between: this measures the comparison, not the patience.
"""

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import cv2
import typer

from handlens.access import Decision, Door, DoorOptions
from handlens.attempts import Attempts
from handlens.errors import EnrolmentInconsistent, EnrolmentTooAlike, FaceRefused, RateUnsupported, Refused
from handlens.store import Store
from handlens_data.datasets import lfw

SET = 3


def main(
    detector: Path,
    verifier: Path,
    photographs: Annotated[Path, typer.Option(help="A folder with a folder a person.")],
    people: Annotated[int, typer.Option(help="Enrolled; as many others are strangers.")] = 40,
    probes: Annotated[int, typer.Option(help="Photographs of each who comes, at most.")] = 4,
    fmr: float = 1e-3,
    fpir: float = 0.1,
    test_only: Annotated[bool, typer.Option("--test-only", help="Of LFW: people of folds 7 and 8.")] = False,
    seed: int = 7,
) -> None:
    """Print what happened."""
    cv2.setNumThreads(1)
    folders = [folder for folder in sorted(photographs.iterdir()) if folder.is_dir()]
    if test_only:
        kept = set(lfw.load(photographs, "test").people)
        folders = [folder for folder in folders if folder.name in kept]
    known = [files for folder in folders if len(files := sorted(folder.iterdir())) >= 2 * SET]
    random.Random(seed).shuffle(known)
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        options = DoorOptions(fmr=fmr, fpir=fpir)
        with Door.open(detector, verifier, store, options=options, use_keyring=False) as door:
            walk(
                door,
                Store.open(store),
                known[:people],
                [files[:probes] for files in known[people : 2 * people]],
                probes,
            )


def walk(door: Door, store: Store, members: list[list[Path]], strangers: list[list[Path]], probes: int) -> None:
    """Enrols, lets everybody come, and prints a table."""
    refused: Counter[str] = Counter()
    left: dict[str, list[Path]] = {}
    for files in members:
        name = files[0].parent.name
        remaining = enrol(door, name, list(files), refused)
        if remaining is not None:
            left[name] = remaining[:probes]
    print(
        f"enrolled {len(left)} of {len(members)} people, {SET} photographs each; photographs refused: {words(refused)}"
    )
    names = sorted(left)
    own, other, found, nobody = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for name, files in left.items():
        for file in files:
            own[come(door, store, name, file)] += 1
            found[look(door, store, file, name)] += 1
    for index, files in enumerate(strangers):
        for file in files:
            other[come(door, store, names[index % len(names)], file)] += 1
            nobody[look(door, store, file, None)] += 1
    rows = {
        "own name": own,
        "a stranger, another's name": other,
        "own face among all": found,
        "a stranger among all": nobody,
    }
    for what, counts in rows.items():
        print(f"{what}, {sum(counts.values())} photographs: {words(counts)}")


def enrol(door: Door, name: str, files: list[Path], refused: Counter[str]) -> list[Path] | None:
    """Enrols with the first photographs that are taken; returns the ones left, or None."""
    chosen, files = files[:SET], files[SET:]
    while True:
        try:
            door.enrol(name, chosen)
            return files
        except (FaceRefused, EnrolmentInconsistent, EnrolmentTooAlike) as refusal:
            refused[type(refusal).__name__] += 1
            if not files:
                return None
            # The refusal names the image; the last number in it that is one of ours.
            numbers = [int(word.strip(":,")) for word in refusal.seen.split() if word.strip(":,").isdigit()]
            bad = next((number for number in numbers if 1 <= number <= SET), SET)
            chosen[bad - 1] = files.pop(0)


def come(door: Door, store: Store, name: str, file: Path) -> str:
    """Verifies; returns the outcome, or the refusal's class."""
    try:
        return outcome(door.verify(name, file))
    except Refused as refusal:
        return type(refusal).__name__
    finally:
        clear(store, name)


def look(door: Door, store: Store, file: Path, name: str | None) -> str:
    """Identifies; returns the outcome, or the refusal's class."""
    try:
        decision = door.identify(file)
    except (Refused, RateUnsupported) as refusal:
        return type(refusal).__name__
    finally:
        clear(store, "\0anybody")
    if decision.admitted and decision.name != name:
        return "taken for somebody else"
    return outcome(decision)


def outcome(decision: Decision) -> str:
    """The outcome, in words for the table."""
    return "a person decides" if decision.outcome == "person" else decision.outcome


def clear(store: Store, name: str) -> None:
    """Clears a counter of failed attempts."""
    with store.lock():
        Attempts(store).succeed(name)


def words(counts: Counter[str]) -> str:
    """Counts as text, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


if __name__ == "__main__":
    typer.run(main)
