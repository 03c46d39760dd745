"""Prints how many golden vectors the Kotlin tests replayed, stage by stage, and how far the worst was off.

Usage: python scripts/vector_table.py FOLDER, where FOLDER has the files that io.handlens.testing.VectorLog wrote.
Ends with 1 when a stage was not replayed at all: then a test was lost.
"""

import sys
from pathlib import Path

STAGES = {
    "artifact": "bytes of the model part",
    "json": "values",
    "patterns": "levels of 255",
    "resize": "levels of 255",
    "letterbox": "levels of 255",
    "align": "levels of 255",
    "tensor": "of the tensor's own units",
    "quantize": "levels",
    "decode": "of the input's pixels, or of a score",
    "nms": "of the input's pixels, or of a score",
    "heads": "of a confidence",
    "labels": "values",
    "mask": "levels of 255",
    "crops": "levels of 255",
    "matching": "of a score",
    "gallery": "bytes",
    "gates": "of a gate's own units",
    "attempts": "seconds",
    "sealed": "bytes",
    "models-litert": "of what the tolerance allows",
    "models-onnx": "of what the tolerance allows",
    "answers": "of a score",
}
"""Each stage, and what its differences are counted in."""


def totals(log: Path) -> tuple[int, float]:
    """Sums up one stage's file: a line `count difference` for each test.

    Returns:
        The vectors replayed, and the largest difference.
    """
    rows = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    return sum(int(count) for count, _ in rows), max(float(difference) for _, difference in rows)


def main(folder: Path) -> int:
    """Prints the table; returns 1 if a stage is missing."""
    found = {log.stem: totals(log) for log in sorted(folder.glob("*.txt"))}
    print(f"{'stage':<16}{'vectors':>8}  largest difference to Python")
    for stage in [*STAGES, *sorted(set(found) - set(STAGES))]:
        if stage in found:
            count, difference = found[stage]
            print(f"{stage:<16}{count:>8}  {difference:g} {STAGES.get(stage, '') if difference else ''}".rstrip())
    print(f"{'all':<16}{sum(count for count, _ in found.values()):>8}")
    missing = sorted(set(STAGES) - set(found))
    if missing:
        print(f"error: no vector of these stages was replayed: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
