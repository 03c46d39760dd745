"""Compares every pair of the demo's crops with a re-ID artifact: `python scripts/match_people.py ARTIFACT FOLDER`.

A file is named PERSON-VIEW.png.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from handlens import HandlensError, PersonReidentifier


def main(artifact: Path, folder: Path) -> None:
    """Prints the cosine similarities and the nearest other crop of each."""
    files = sorted(folder.glob("*.png"))
    people = [file.stem.rsplit("-", 1)[0] for file in files]
    with PersonReidentifier.load(artifact) as model:
        templates = model.embed(files)
    similarity = templates @ templates.T
    table = Table("", *(file.stem for file in files), "nearest", title=f"Cosine similarity by {artifact.name}")
    right = 0
    for row, file in enumerate(files):
        others = [column for column in range(len(files)) if column != row]
        nearest = max(others, key=lambda column: similarity[row, column])
        right += people[nearest] == people[row]
        cells = [f"{similarity[row, column]:.2f}" if column != row else "" for column in range(len(files))]
        table.add_row(file.stem, *cells, files[nearest].stem)
    Console(width=120).print(table)
    print(f"{right} of {len(files)} crops are nearest to another view of the same person")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/match_people.py ARTIFACT FOLDER")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except HandlensError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
