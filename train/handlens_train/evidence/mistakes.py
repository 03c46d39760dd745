"""The worst mistakes: the probes whose true match is farthest down, with the images taken for them."""

from pathlib import Path

import numpy as np

from handlens_train.evidence.drawing import Cell, Line, colour_image, sheet
from handlens_train.evidence.matches import Crowd, Matches


def draw_mistakes(matches: Matches, probe_crowd: Crowd, gallery_crowd: Crowd, output: Path, *, rows: int = 10) -> str:
    """A sheet of probe, nearest gallery images and the true match with its rank, worst first; returns a caption.

    At most one probe an identity, so that one hard person does not fill the sheet.
    """
    first = matches.ranking.first_match
    order = np.argsort(-first, kind="stable")
    _, leaders = np.unique(probe_crowd.ids[order], return_index=True)
    worst = [int(i) for i in order[np.sort(leaders)] if first[i] > 0][:rows]
    lines = [_line(matches, i, probe_crowd, gallery_crowd) for i in worst]
    shown = matches.nearest.shape[1]
    header = ("probe", "", *(str(k + 1) for k in range(shown)), "", "nearest true")
    sheet(output, f"{matches.name}: worst mistakes", lines, header)
    wrong = int(np.sum(first > 0))
    return (
        f"{wrong} of {len(first)} probes ({wrong / len(first):.1%}) have somebody else in first place; "
        f"these {len(lines)} are the worst, one a person. "
        "Green frames are right, red dashed ones wrong; numbers are cosine distances."
    )


def _line(matches: Matches, probe: int, probe_crowd: Crowd, gallery_crowd: Crowd) -> Line:
    person = probe_crowd.ids[probe]
    cells: list[Cell | None] = [Cell(colour_image(probe_crowd.images[probe])), None]
    cells += nearest_cells(matches, probe, person, gallery_crowd)
    truth = matches.truth[probe]
    caption = f"rank {matches.ranking.first_match[probe] + 1} · {matches.truth_distance[probe]:.2f}"
    cells += [None, Cell(colour_image(gallery_crowd.images[truth]), caption, True)]
    return Line(f"person {person}\ncamera {probe_crowd.cameras[probe]}", cells)


def nearest_cells(
    matches: Matches, probe: int, person: int, gallery_crowd: Crowd, count: int | None = None
) -> list[Cell]:
    """The first `count` gallery images of a probe, framed right or wrong, with their distances."""
    cells = []
    for item, distance in zip(matches.nearest[probe][:count], matches.distances[probe], strict=False):
        if np.isfinite(distance):
            image = colour_image(gallery_crowd.images[item])
            cells.append(Cell(image, f"{distance:.2f}", bool(gallery_crowd.ids[item] == person)))
    return cells
