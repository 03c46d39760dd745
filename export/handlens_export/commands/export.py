"""`handlens export`: compress a trained run, measure every artifact, and write those that pass the gate."""

from pathlib import Path
from typing import Annotated

import typer

RECIPES = "float32,float16,dynamic,int8,pruned50-int8,qat-int8"


def export(
    run: Annotated[Path, typer.Argument(help="Run folder that handlens train wrote.", show_default=False)],
    recipe: Annotated[str, typer.Option(help="Compression recipes, separated by commas.")] = RECIPES,
    format: Annotated[str, typer.Option(help="Formats to write: tflite, onnx.")] = "tflite,onnx",
    out: Annotated[Path, typer.Option(help="Folder for the artifacts.")] = Path("artifacts"),
    max_drop: Annotated[
        float, typer.Option(help="Points of the primary metric an artifact may lose against float32.", min=0, max=100)
    ] = 1.0,
    data: Annotated[Path | None, typer.Option(help="Data folder; default: HANDLENS_DATA.")] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Input size, 192 or 192x256 (height x width), where the task's network takes several."),
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector that finds and aligns faces; for a face verifier.")
    ] = None,
    calibration_images: Annotated[int, typer.Option(help="Training images to measure ranges on.", min=1)] = 200,
    calibration: Annotated[
        Path | None, typer.Option(help="Picked images (handlens calib pick) to measure ranges on, instead of a draw.")
    ] = None,
    ranges: Annotated[
        Path | None, typer.Option(help="Table of ranges (NAME-RECIPE.ranges.json) of an earlier export, to use again.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of calibration images and fine-tuning.", min=0)] = 0,
    max_minutes: Annotated[float, typer.Option(help="Time limit of one fine-tuning.", min=0.01)] = 10.0,
    steps: Annotated[int | None, typer.Option(help="Batches of fine-tuning at most; 0: one-shot.", min=0)] = None,
) -> None:
    """Compress a trained run and write self-describing artifacts: NAME-RECIPE.tflite and .onnx (NAME-SIZE-RECIPE).

    Each is evaluated through the runtime on the validation split and paired with float32; one that loses more than
    --max-drop points is not written, and the command ends with exit code 3.
    """
    from handlens_export import figures, sizes
    from handlens_export.recipes import parse_formats, parse_recipes
    from handlens_train.run import Run

    # What the user may have mistyped is checked before TensorFlow takes its seconds to load.
    recipes, formats = parse_recipes(recipe), parse_formats(format)
    opened = Run.open(run)
    wanted = None
    if size is not None:
        wanted = sizes.Size.parse(size)
        sizes.check(opened.task, wanted)
    picked = table = None
    if calibration is not None and ranges is not None:
        from handlens.errors import OptionError

        raise OptionError("--calibration and --ranges are both given; valid: images to measure on, or a table")
    if ranges is not None:
        from handlens_data.calibration.table import RangeTable

        table = RangeTable.load(ranges)
    if calibration is not None:
        from handlens_data.calibration import CalibrationSet

        picked = CalibrationSet.load(calibration)

    from handlens_export import quiet

    quiet.tensorflow()
    from rich.console import Console

    from handlens_data import where
    from handlens_export import door, summary
    from handlens_export.prepare import Options
    from handlens_train import tasks

    console = Console(stderr=True)
    task = tasks.get(opened.task)
    options = figures.options_for(opened.task, getattr(task, "OPTIONS", ()), {"detector": detector})
    source = sizes.load(opened, where.find(data) if task.READS_DATA else None, wanted, **options)
    outcome = door.export(
        source,
        recipes,
        formats,
        out,
        keep=run / "export",
        max_drop=max_drop,
        options=Options(
            calibration_images=calibration_images,
            seed=seed,
            max_minutes=max_minutes,
            steps=steps,
            calibration=picked,
            ranges=table,
        ),
        say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    summary.show(outcome)
    outcome.require()
