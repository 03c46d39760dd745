"""What `handlens bench` wrote, in the report: each figure beside its artifact, or said not to be here."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from handlens.artifact import Artifact
from handlens.bench import Bench, Figure, Moment, Times
from handlens.errors import InputError
from handlens_export.commands.report import report
from handlens_export.report.build import write_report

Maker = Callable[..., Artifact]


def figure(artifact: Artifact, /, **changes: object) -> Figure:
    known: dict[str, object] = {
        "artifact": artifact.path.name,
        "model_id": artifact.manifest.model_id,
        "target": "adb:R58",
        "device": "Phone <7>",
        "engine": "litert",
        "engine_version": "2.1",
        "threads": 4,
        "model": Times.of([3.25] * 10),
    }
    return Figure(**(known | changes))


def rows(html: str) -> list[list[str]]:
    """The text of the devices' table, row by row; also shows that the page is well-formed."""
    page = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    (section,) = [each for each in page.iter("section") if "devices" in each.get("class", "")]
    return [[" ".join(cell.itertext()) for cell in row] for row in section.iter("tr")]


@pytest.fixture
def folder(make_artifact: Maker, tmp_path: Path) -> Path:
    make_artifact(tmp_path / "a" / "one.tflite")
    make_artifact(tmp_path / "a" / "copy.tflite")
    make_artifact(tmp_path / "a" / "two.tflite", "tiny_int8.tflite", "int8")
    return tmp_path / "a"


def test_figures_stand_beside_their_artifact_and_empty_columns_are_left_out(folder: Path, tmp_path: Path) -> None:
    one, copy, two = (Artifact.open(folder / name) for name in ("one.tflite", "copy.tflite", "two.tflite"))
    moments = tuple(Moment(seconds=s, p50_ms=p, p90_ms=p) for s, p in ((10.0, 2.0), (600.0, 3.0)))
    few = Times(runs=50, p50_ms=5.0, p90_ms=None, p95_ms=6.5, p99_ms=None, min_ms=4.0, mean_ms=5.0)
    seen = [figure(two, sustained=moments), figure(one, model=few, notes=("one WASM thread",)), figure(copy)]
    gone = figure(one, artifact="gone.tflite", model_id="0" * 32, accelerator="webgpu")
    (tmp_path / "b1.json").write_text(Bench.now(seen).to_json())
    (tmp_path / "b2.json").write_text(Bench.now([gone]).to_json())
    made = write_report(folder, tmp_path / "r.html", rounds=1, bench=[tmp_path / "b1.json", tmp_path / "b2.json"])
    assert [row.path for row in made.devices] == ["two.tflite", "one.tflite", "copy.tflite", ""]
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    head, first, second, _, last = rows(html)
    assert head == ["artifact", "target", "engine", "threads", "model p50 ms", "p90 ms", "p99 ms", "slowdown"]
    assert first[0] == "two.tflite" and first[1] == "adb:R58 Phone <7>" and first[4] == "3.25"
    assert first[-1].startswith("1.50") and "after 10 min" in first[-1]
    assert second[6] == "6.50 p95" and "not in this folder" in last[0] and "on webgpu" in last[2]
    assert "one.tflite on adb:R58, 4 threads: one WASM thread" in html


def test_the_command_takes_several_files_and_names_strangers(folder: Path, tmp_path: Path) -> None:
    stranger = figure(Artifact.open(folder / "one.tflite"), artifact="other.tflite", model_id="f" * 32)
    (tmp_path / "b.json").write_text(Bench.now([stranger]).to_json())
    app, out = typer.Typer(), tmp_path / "r.html"
    app.command()(report)
    words = [str(folder), "-o", str(out), "--rounds", "1", "--bench", str(tmp_path / "b.json")]
    result = CliRunner().invoke(app, [*words, "--bench", str(tmp_path / "b.json")])
    assert result.exit_code == 0, result.output
    assert result.output.count("other.tflite") == 1 and len(rows(out.read_text(encoding="utf-8"))) == 3


def test_without_figures_there_is_no_such_section(folder: Path, tmp_path: Path) -> None:
    write_report(folder, tmp_path / "r.html", rounds=1)
    assert "Where it runs" not in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "{}", "nonsense", b"\xff\xfe"])
def test_a_file_that_is_no_bench_file_is_refused_before_anything_is_timed(
    folder: Path, tmp_path: Path, text: str | bytes | None
) -> None:
    file = tmp_path / "b.json"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"b\.json.*handlens bench"):
        write_report(folder, tmp_path / "r.html", bench=[file])
    assert not (tmp_path / "r.html").exists()
