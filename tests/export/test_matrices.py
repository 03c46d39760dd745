"""Confusion matrices all the way: from an evaluation into the file, onto a terminal and onto the report's page."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from handlens.errors import InputError
from handlens.metrics import Interval
from handlens_export import figures
from handlens_export.report.boards import boards
from handlens_export.report.details import details_of
from handlens_export.report.matrices import matrices
from handlens_export.report.rows import Measured, ReportRow, Score
from handlens_train.evaluation import Evaluation, Matrix

LUGGAGE = Matrix("luggage", ("none", "backpack", "case"), ((80, 15, 5), (10, 30, 0), (0, 0, 0)))


def evaluation() -> Evaluation:
    return Evaluation(
        dataset="peta",
        split="test",
        protocol="by hand",
        n=140,
        primary="mean_accuracy",
        metrics={"mean_accuracy": Interval(0.78, 0.7, 0.8)},
        outcomes=np.empty(0),
        groups=np.arange(140),
        engine="litert 2",
        matrices=(LUGGAGE,),
    )


def test_a_matrix_whose_counts_do_not_fit_its_labels_is_refused() -> None:
    for counts in (((1, 2),), ((1, 2), (3,)), ((1, 2), (3, 4), (5, 6))):
        with pytest.raises(InputError, match="2 labels"):
            Matrix("gender", ("male", "female"), counts)


def extras(content: object) -> SimpleNamespace:
    """What `details_of` reads of an artifact."""
    return SimpleNamespace(extras={"evaluation.json": json.dumps({"peta/test": content}).encode()})


def test_what_was_recorded_is_read_back() -> None:
    (detail,) = details_of(extras(evaluation().detail())).values()  # type: ignore[arg-type]
    assert detail.matrices == (LUGGAGE,)


@pytest.mark.parametrize(
    "matrix",
    [
        None,
        {"name": "x"},
        {"name": "x", "labels": ["a", "b"], "counts": [[1, 2]]},
        {"name": "x", "labels": ["a"], "counts": [[-1]]},
        {"name": "x", "labels": ["a"], "counts": [[1.5]]},
        {"name": "x", "labels": ["a"], "counts": [[True]]},
        {"name": "x", "labels": [], "counts": []},
        {"name": "x", "labels": ["a"] * 65, "counts": [[1] * 65] * 65},
    ],
)
def test_a_hostile_matrix_is_left_out(matrix: object) -> None:
    (detail,) = details_of(extras({"matrices": [matrix]})).values()  # type: ignore[arg-type]
    assert detail.matrices == ()


def test_the_terminal_shows_each_row_with_its_number() -> None:
    lines = figures.text(Path("a.tflite"), evaluation()).splitlines()
    first = next(i for i, line in enumerate(lines) if line.split()[:1] == ["luggage"])
    assert lines[first + 1].split() == ["truth", "1", "2", "3"]
    assert lines[first + 2].split() == ["1", "none", "80", "15", "5"]
    assert lines[first + 4].split() == ["3", "case", "0", "0", "0"]


def row(path: str, size: int, matrix: Matrix) -> ReportRow:
    score = Score("mean_accuracy", 0.78, 0.7, 0.8, 140)
    measured = Measured("peta", "test", (score,), primary="mean_accuracy", matrices=(matrix,))
    return ReportRow(
        path=path,
        name="attributes",
        task="attributes",
        family="attributes (run)",
        format="tflite",
        recipe=path.partition(".")[0],
        weights="int8",
        size=size,
        gzip_size=size // 2,
        parameters=1000,
        sparsity=0.0,
        measured=(measured,),
    )


def test_the_page_shows_the_chosen_files_matrix_in_shares_of_the_row() -> None:
    other = Matrix("luggage", LUGGAGE.labels, ((100, 0, 0), (0, 40, 0), (0, 0, 0)))
    (board,) = boards((row("float32.tflite", 900, other), row("int8.tflite", 300, LUGGAGE)))
    drawn = matrices(board, ["float32.tflite", "int8.tflite"])
    assert drawn is not None
    tree = ElementTree.fromstring(drawn)
    rows = [["".join(cell.itertext()) for cell in line] for line in tree.iter("tr")]
    assert rows[0] == ["truth", "n", "none", "backpack", "case"]
    assert rows[1] == ["none", "100", "80", "15", "5"] and rows[2] == ["backpack", "40", "25", "75", ""]
    assert rows[3][1] == "0" and "1 more in their files" in drawn
    shades = [cell.get("class") for cell in list(tree.iter("tr"))[1]][2:]
    assert shades == ["num s8", "num s2", "num s0"]
    (again,) = boards((row("float32.tflite", 900, other),))
    assert "more in their files" not in (matrices(again, []) or "")


def test_many_classes_are_numbered_and_hostile_labels_stay_text() -> None:
    count = 20
    wide = Matrix("<b>", tuple(f"<i>{i}" for i in range(count)), tuple((1,) * count for _ in range(count)))
    (board,) = boards((row("int8.tflite", 300, wide),))
    tree = ElementTree.fromstring(matrices(board, []) or "")
    heads = ["".join(cell.itertext()) for cell in next(tree.iter("tr"))]
    assert heads == ["truth", "n", *map(str, range(1, count + 1))]
    assert tree.find(".//i") is None and tree.find(".//b") is None


def test_a_board_without_matrices_shows_nothing() -> None:
    bare = row("int8.tflite", 300, LUGGAGE)
    score = Score("mean_accuracy", 0.78, 0.7, 0.8, 140)
    (board,) = boards((replace(bare, measured=(Measured("peta", "test", (score,), primary="mean_accuracy"),)),))
    assert matrices(board, []) is None
