"""`handlens sensitivity`: what int8 does to each layer of a network, as a page that opens offline."""

from pathlib import Path
from typing import Annotated

import typer


def sensitivity(
    run: Annotated[Path, typer.Argument(help="Run folder that handlens train wrote.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The HTML file to write; its data goes beside, .json.")
    ] = Path("sensitivity.html"),
    recipe: Annotated[str, typer.Option(help="What ends in int8: int8, pruned50-int8, qat-int8, ...")] = "int8",
    format: Annotated[str, typer.Option(help="tflite or onnx.")] = "tflite",
    top: Annotated[
        int,
        typer.Option(min=0, help="Layers with the largest output error to measure by the metric, one evaluation each."),
    ] = 8,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Points that may be lost; where int8 loses more, layers are given back float."
        ),
    ] = 1.0,
    data: Annotated[Path | None, typer.Option(help="Data folder; default: HANDLENS_DATA.")] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector that finds and aligns faces; for a face verifier.")
    ] = None,
    calibration_images: Annotated[int, typer.Option(help="Training images to measure ranges on.", min=1)] = 200,
    calibration: Annotated[
        Path | None, typer.Option(help="Picked images (handlens calib pick) to measure ranges on, instead of a draw.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of calibration images and fine-tuning.", min=0)] = 0,
    max_minutes: Annotated[
        float, typer.Option(help="Time limit of one fine-tuning, or of the repair.", min=0.01)
    ] = 10.0,
) -> None:
    """Show what int8 does to each layer: to the outputs when it alone is int8, and for the worst ones to the metric.

    Where int8 loses more than --max-drop points, finds the fewest layers to leave in float, as recipe "mixed" does.
    """
    from handlens.errors import OptionError
    from handlens_export.recipes import parse_formats, parse_recipes
    from handlens_train.run import Run

    recipes, formats = parse_recipes(recipe), parse_formats(format)
    if len(recipes) != 1 or len(formats) != 1:
        raise OptionError(f"--recipe {recipe} --format {format} are several; a page is of one recipe in one format")
    if out.is_dir():
        raise OptionError(f"{out} is a folder; expected the name of the HTML file, such as {out / 'sensitivity.html'}")
    opened = Run.open(run)
    picked = None
    if calibration is not None:
        from handlens_data.calibration import CalibrationSet

        picked = CalibrationSet.load(calibration)

    from handlens_export import quiet

    quiet.tensorflow()
    from rich.console import Console

    from handlens_data import where
    from handlens_export import figures, sizes
    from handlens_export.harm import write
    from handlens_export.harm.page import sentence
    from handlens_export.harm.sensitivity import sensitivity as study
    from handlens_export.prepare import Options
    from handlens_train import tasks

    console = Console(stderr=True)
    task = tasks.get(opened.task)
    options = figures.options_for(opened.task, getattr(task, "OPTIONS", ()), {"detector": detector})
    source = sizes.load(opened, where.find(data) if task.READS_DATA else None, None, **options)
    found = study(
        source,
        recipes[0],
        formats[0],
        keep=run / "export",
        max_drop=max_drop,
        top=top,
        options=Options(calibration_images=calibration_images, seed=seed, max_minutes=max_minutes, calibration=picked),
        say=lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    beside = write.write(found, out)
    typer.echo(f"{out} and {beside.name}: {sentence(found)}")
    if found.repaired is not None and found.repaired.floats:
        typer.echo(f"in float: {', '.join(found.repaired.floats)}")
