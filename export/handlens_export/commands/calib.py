"""`handlens calib`: what int8's ranges are measured on: drawn, looked over, and kept as tables."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handlens_export.commands.options import DATA, DETECTOR

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="An artifact of the model, such as its float32 .tflite.")]


@app.callback()
def calib() -> None:
    """Calibration: images that int8's ranges are measured on, and tables of ranges."""


@app.command()
def pick(
    file: File,
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    data: DATA = None,
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    by: Annotated[
        str, typer.Option(help="random, or diversity: spread over what FILE's outputs tell apart (k-centre).")
    ] = "random",
    detector: DETECTOR = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of training images of your own, never tested ones, to draw from.")
    ] = None,
) -> None:
    """Draw images of the task's training split, prepared for FILE's input, and refuse any that is tested, too."""
    from handlens.artifact import Artifact
    from handlens.errors import OptionError
    from handlens_data.calibration import pick as draw

    if by not in ("random", "diversity"):
        raise OptionError(f"--by is {by!r}; valid: random, diversity")
    artifact = Artifact.open(file)
    spec = artifact.manifest.input
    if spec.geometry == "vector":
        raise OptionError(
            f"{file.name} takes numbers and no image, and is written in float32 alone: there is nothing to calibrate"
        )
    if images is not None:
        from handlens_export.bring import images as own

        pool = own.pool(images)
    else:
        pool = _pool(artifact.manifest.task, data, detector)
    if by == "diversity":
        from handlens_export.outputs import Rows

        with Rows(artifact) as rows:
            picked = draw(pool, spec, count, seed, rows)
    else:
        picked = draw(pool, spec, count, seed)
    picked.save(out)
    typer.echo(
        f"{out}: {count} images of {picked.dataset}/{picked.split}, by {picked.by}, seed {seed}, "
        f"sha256 {picked.sha256[:16]}" + (f"; none is among {len(pool.tested):,} tested images" if pool.tested else "")
    )


@app.command()
def lint(
    file: File,
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="What calib pick wrote, or float tensors as .npy, (N, ...).")
    ],
) -> None:
    """Look for mistakes that cost int8 its accuracy; each finding says what to do. Exit code 3 when one is an error."""
    from handlens.artifact import Artifact
    from handlens.errors import GateFailed
    from handlens_data.calibration import activations, lint
    from handlens_data.calibration.sets import CalibrationSet

    artifact = Artifact.open(file)
    spec = artifact.manifest.input
    if images.suffix == ".npy":
        findings = lint.look_at_tensors(_tensors(images), spec)
    else:
        picked = CalibrationSet.load(images)
        findings = lint.look_at_images(picked.images, picked.groups)
        if picked.images.shape[1:] != (spec.height, spec.width, spec.channels):
            shape = f"{picked.images.shape[1:]} each; the model takes {(spec.height, spec.width, spec.channels)}"
            findings.insert(0, lint.Finding("error", "shape", f"the images are {shape}", "pick them for this FILE"))
        elif artifact.kind == "onnx":
            typer.echo("the tensors inside an .onnx are not looked at; bring a float32 .tflite for that")
        else:
            findings += lint.look_at_activations(activations.measure(artifact, picked.images))
    for finding in findings:
        typer.echo(f"{finding.severity}: {finding.about}: {finding.what}\n    fix: {finding.fix}")
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    typer.echo(f"{images}: {errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")
    if errors:
        raise GateFailed(f"{images} would calibrate {file.name} wrongly: see the error{'s' * (errors > 1)} above")


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A table of ranges, NAME-RECIPE.ranges.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another of the same network.")],
    most: Annotated[int, typer.Option(min=1, help="How many tensors to list.")] = 20,
) -> None:
    """Show where two tables of ranges differ, the most moved tensors first."""
    from handlens_data.calibration.table import RangeTable, compare

    tables = RangeTable.load(old), RangeTable.load(new)
    changes = compare(*tables)
    for name, table in zip((old, new), tables, strict=True):
        typer.echo(f"{name}: {table.count} images of {table.dataset}/{table.split}, seed {table.seed}")
    width = max(len(change.name) for change in changes[:most])
    for change in changes[:most]:
        ends = "  ".join(f"{low:>10.4g} to {high:<10.4g}" for low, high in (change.old, change.new))
        typer.echo(f"  {change.name:<{width}}  {ends} {change.growth:>6.1%}")
    typer.echo(f"{sum(change.growth > 0.1 for change in changes)} of {len(changes)} ranges moved by more than 10%")


def _pool(name: str, data: Path | None, detector: Path | None) -> Any:
    """The training images of a task, which no task may test.

    Raises:
        OptionError: it has none, or takes no detector.
    """
    from dataclasses import replace

    from handlens.errors import OptionError
    from handlens_data import where
    from handlens_export import figures
    from handlens_train import tasks
    from handlens_train.tested import tested_elsewhere

    task = tasks.get(name)
    if not hasattr(task, "pool"):
        raise OptionError(f"task {name!r} has no files to pick from; handlens export draws by itself")
    options = figures.options_for(name, getattr(task, "OPTIONS", ()), {"detector": detector})
    folder = where.find(data)
    pool = task.pool(folder, **options)
    return replace(pool, tested=tuple(dict.fromkeys((*pool.tested, *tested_elsewhere(folder, name)))))


def _tensors(path: Path) -> Any:
    """An array of a .npy file, without objects.

    Raises:
        DataError: it is none.
    """
    import numpy as np

    from handlens.errors import DataError

    try:
        tensors = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no array ({error}). Write one with numpy.save, shape (N, H, W, C).") from None
    if tensors.ndim < 2 or not len(tensors):
        raise DataError(f"{path} holds an array of shape {tensors.shape}; expected (N, H, W, C), N of 1 or more")
    return np.asarray(tensors)
