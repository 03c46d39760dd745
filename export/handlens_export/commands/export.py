"""`handlens export`: compress a trained run, measure every artifact, and write those that pass the gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens_export.commands.options import (
    CALIBRATION,
    CALIBRATION_IMAGES,
    DATA,
    DETECTOR,
    EVALUATION,
    IMAGES,
    MANIFEST,
    MAX_MINUTES,
    SEED,
    STEPS,
)

if TYPE_CHECKING:
    from handlens_train.exportable import Exportable

RECIPES = "float32,float16,dynamic,int8,pruned50-int8,qat-int8"


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of handlens train; or a model: .keras, float32 .tflite or .onnx, SavedModel folder.",
            show_default=False,
        ),
    ],
    recipe: Annotated[str, typer.Option(help="Compression recipes, separated by commas.")] = RECIPES,
    format: Annotated[str, typer.Option(help="Formats to write: tflite, onnx.")] = "tflite,onnx",
    out: Annotated[Path, typer.Option(help="Folder for the artifacts.")] = Path("artifacts"),
    max_drop: Annotated[
        float, typer.Option(help="Points of the primary metric an artifact may lose against float32.", min=0, max=100)
    ] = 1.0,
    data: DATA = None,
    size: Annotated[
        str | None,
        typer.Option(help="Input size, 192 or 192x256 (height x width), where the task's network takes several."),
    ] = None,
    detector: DETECTOR = None,
    calibration_images: CALIBRATION_IMAGES = 200,
    calibration: CALIBRATION = None,
    ranges: Annotated[
        Path | None, typer.Option(help="Table of ranges (NAME-RECIPE.ranges.json) of an earlier export, to use again.")
    ] = None,
    manifest: MANIFEST = None,
    images: IMAGES = None,
    evaluation: EVALUATION = None,
    seed: SEED = 0,
    max_minutes: MAX_MINUTES = 10.0,
    steps: STEPS = None,
) -> None:
    """Compress a trained run, or a model, into self-describing artifacts: NAME-RECIPE.tflite, .onnx (NAME-SIZE-RECIPE).

    Each is evaluated through the runtime on the validation split and paired with float32; one that loses more than
    --max-drop points is not written, and the command ends with exit code 3.
    """
    from rich.console import Console

    from handlens.errors import OptionError
    from handlens_data.calibration import CalibrationSet
    from handlens_data.calibration.table import RangeTable
    from handlens_export import bring, quiet
    from handlens_export.recipes import parse_formats, parse_recipes

    # What the user may have mistyped is checked before TensorFlow takes its seconds to load.
    recipes, formats = parse_recipes(recipe), parse_formats(format)
    if calibration is not None and ranges is not None:
        raise OptionError("--calibration and --ranges are both given; valid: images to measure on, or a table")
    table = None if ranges is None else RangeTable.load(ranges)
    picked = None if calibration is None else CalibrationSet.load(calibration)
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    if bring.is_model(run):
        refuse("a run folder", {"--size": size, "--detector": detector}, run)
        from handlens_export.bring.load import load

        source = load(
            run, manifest=manifest, images=images, calibration=calibration, evaluation=evaluation, data=data, say=say
        )
        keep, picked = out / "kept", None
    else:
        refuse("a model file", {"--manifest": manifest, "--images": images, "--evaluation": evaluation}, run)
        source, keep = trained(run, data, size, detector), run / "export"

    quiet.tensorflow()
    from handlens_export import door, summary
    from handlens_export.prepare import Options

    outcome = door.export(
        source,
        recipes,
        formats,
        out,
        keep=keep,
        max_drop=max_drop,
        options=Options(
            calibration_images=calibration_images,
            seed=seed,
            max_minutes=max_minutes,
            steps=steps,
            calibration=picked,
            ranges=table,
        ),
        say=say,
    )
    summary.show(outcome)
    outcome.require()


def refuse(what: str, given: Mapping[str, object], run: Path) -> None:
    """Options of the other kind of source.

    Raises:
        OptionError: one was given.
    """
    from handlens.errors import OptionError

    named = [name for name, value in given.items() if value is not None]
    if named:
        raise OptionError(f"{named[0]} is for {what}, which {run} is not. Leave it out")


def trained(run: Path, data: Path | None, size: str | None, detector: Path | None) -> "Exportable":
    """What a run folder hands to export.

    Raises:
        RunError: it is none.
        OptionError: a size or an option that its task does not take.
    """
    from handlens_data import where
    from handlens_export import figures, quiet, sizes
    from handlens_train import tasks
    from handlens_train.run import Run

    opened = Run.open(run)
    wanted = None
    if size is not None:
        wanted = sizes.Size.parse(size)
        sizes.check(opened.task, wanted)
    task = tasks.get(opened.task)
    options = figures.options_for(opened.task, getattr(task, "OPTIONS", ()), {"detector": detector})
    quiet.tensorflow()
    return sizes.load(opened, where.find(data) if task.READS_DATA else None, wanted, **options)
