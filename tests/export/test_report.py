"""`handlens report` on real artifacts in a folder: tiny networks, this machine's engines."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from handlens.artifact import Artifact
from handlens.errors import EmptyFolder, InputError
from handlens.manifest import Metric
from handlens_export.commands.report import report
from handlens_export.report.build import write_report
from handlens_export.report.collect import collect

Maker = Callable[..., Artifact]


def metric(split: str, name: str, value: float) -> Metric:
    return Metric(dataset="market1501", split=split, name=name, n=50, value=value, low=value - 0.05, high=value + 0.05)


@pytest.fixture(scope="module")
def make(make_artifact: Maker) -> Maker:
    def write(
        path: Path, model_file: str, recipe: str, rank1: float, extras: dict[str, object] | None = None
    ) -> Artifact:
        figures = (metric("val", "rank1", rank1), metric("val", "mAP", 0.5), metric("test", "rank1", rank1 - 0.1))
        return make_artifact(path, model_file, recipe, figures, extras)

    return write


@pytest.fixture(scope="module")
def folder(make: Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three artifacts, one of them deeper and one ONNX, and two damaged files."""
    root = tmp_path_factory.mktemp("artifacts")
    make(root / "tiny-float32.tflite", "tiny_float32.tflite", "float32", 0.80, {"cmc.json": [0.80, 0.85, 0.9]})
    drop = {"dataset": "market1501", "split": "val", "metric": "rank1", "value": -0.02, "low": -0.05, "high": 0.01}
    made = make(root / "tiny-int8.tflite", "tiny_int8.tflite", "int8", 0.78, {"gate.json": drop, "cmc.json": {"x": []}})
    make(root / "deep" / "tiny-float32.onnx", "tiny_float32.onnx", "float32", 0.80)
    data = made.path.read_bytes()
    (root / "short.tflite").write_bytes(data[:-200])
    middle = len(data) // 2
    (root / "edited.tflite").write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    (root / ".half-written.tflite").write_bytes(b"x")
    return root


def test_a_folder_becomes_rows_and_damaged_files_say_why(folder: Path) -> None:
    found = collect(folder)
    assert [row.path for row in found.rows] == ["deep/tiny-float32.onnx", "tiny-float32.tflite", "tiny-int8.tflite"]
    assert [(b.path, b.error) for b in found.broken] == [
        ("edited.tflite", "ArtifactTampered"),
        ("short.tflite", "ArtifactTruncated"),
    ]
    assert all(b.reason and str(folder) not in b.reason for b in found.broken)


def test_sizes_curves_and_paired_drops_come_from_the_file(folder: Path) -> None:
    rows = {row.path: row for row in collect(folder).rows}
    plain, small = rows["tiny-float32.tflite"], rows["tiny-int8.tflite"]
    assert plain.size == (folder / plain.path).stat().st_size and 0 < plain.gzip_size < plain.size
    val, test = plain.on("market1501", "val"), plain.on("market1501", "test")
    assert val is not None and val.curve == (0.80, 0.85, 0.9)
    assert test is not None and test.curve == ()  # the curve starts at the validation rank-1, so it is not the test's
    assert [(d.value, d.low, d.high) for d in small.drops] == [(-0.02, -0.05, 0.01)]
    assert any(heading == "Data and licence" for heading, _ in small.details)


@pytest.mark.parametrize("extra", [{"cmc.json": "no"}, {"cmc.json": [0.8, "x"]}, {"gate.json": [1]}, {"gate.json": {}}])
def test_extras_of_another_shape_count_as_none(make: Maker, tmp_path: Path, extra: dict[str, object]) -> None:
    make(tmp_path / "a.tflite", "tiny_float32.tflite", "float32", 0.8, extra)
    (row,) = collect(tmp_path).rows
    assert row.drops == () and all(m.curve == () for m in row.measured)


def test_a_folder_becomes_a_page_with_every_file_timed(folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    out = tmp_path / "new" / "report.html"
    made = write_report(folder, out, rounds=3, progress=told.append)
    for row in made.rows:
        assert row.timing is not None, row.timing_problem
        assert len(row.timing.rounds_ms) == 3 and row.timing.runs >= 9
        assert 0 < row.timing.p50_ms <= row.timing.p90_ms
        assert row.timing.fresh is not None and (row.timing.fresh.peak_mb or 99) > 10
    assert made.host and told.count("timing, round 3 of 3") == 1
    html = out.read_text(encoding="utf-8")
    for name in ("deep/tiny-float32.onnx", "tiny-float32.tflite", "tiny-int8.tflite", "edited.tflite", "short.tflite"):
        assert name in html
    assert str(folder) not in html
    assert html.count("market1501 · val") == html.count("market1501 · test") == 1


def test_the_command_says_what_it_wrote_and_what_it_could_not_read(folder: Path, tmp_path: Path) -> None:
    for name in ("tiny-int8.tflite", "short.tflite"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    app, out = typer.Typer(), tmp_path / "report.html"
    app.command()(report)
    result = CliRunner().invoke(app, [str(tmp_path), "-o", str(out), "--rounds", "1", "--title", "one <tiny> net"])
    assert result.exit_code == 0, result.output
    assert "1 artifact, 1 not readable" in result.output and "short.tflite: ArtifactTruncated" in result.output
    assert "one &lt;tiny&gt; net" in out.read_text(encoding="utf-8")


def test_an_engine_that_fails_its_goldens_is_not_timed_and_says_so(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlens import _backends

    make(tmp_path / "a" / "tiny.tflite", "tiny_float32.tflite", "float32", 0.8)
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path / "cache"))
    honest = _backends.TfliteEngine.run
    monkeypatch.setattr(
        _backends.TfliteEngine, "run", lambda self, feeds: {k: v * 1.5 + 1 for k, v in honest(self, feeds).items()}
    )
    (row,) = write_report(tmp_path / "a", tmp_path / "r.html", rounds=1).rows
    assert row.timing is None and row.timing_problem.startswith("EngineWrong: ")
    assert "EngineWrong" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no artifact")
    with pytest.raises(EmptyFolder, match=r"no \.tflite or \.onnx"):
        write_report(tmp_path, tmp_path / "r.html")
    with pytest.raises(InputError, match="not a folder"):
        write_report(tmp_path / "nowhere", tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_a_folder_as_target_is_refused_before_anything_is_measured(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write_report(folder, tmp_path)


def test_an_artifact_that_wants_five_points_is_timed_like_any_other(make_artifact: Maker, tmp_path: Path) -> None:
    made = make_artifact(tmp_path / "a" / "face.tflite", task="face-verifier")
    spec = made.manifest.input
    points = [
        (spec.width * x, spec.height * y) for x, y in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.4, 0.8), (0.6, 0.8))
    ]
    align = replace(spec, geometry="align", template=tuple(value for point in points for value in point))
    make_artifact(made.path, task="face-verifier", input=align)
    (row,) = write_report(tmp_path / "a", tmp_path / "r.html", rounds=1).rows
    assert row.timing is not None and row.timing.fresh is not None and row.timing.fresh.pipeline_ms > 0
