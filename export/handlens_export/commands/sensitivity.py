"""`handlens sensitivity`: what int8 does to each layer of a network, as a page that opens offline."""

from pathlib import Path
from typing import Annotated

import typer

from handlens_export.commands.options import (
    CALIBRATION,
    CALIBRATION_IMAGES,
    DATA,
    DETECTOR,
    EVALUATION,
    IMAGES,
    MANIFEST,
    SEED,
)


def sensitivity(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE", help="Run folder, or a model: .keras, .tflite, .onnx, SavedModel.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The HTML file to write; its data goes beside, .json.")
    ] = Path("sensitivity.html"),
    recipe: Annotated[str, typer.Option(help="What ends in int8: int8, pruned50-int8, qat-int8, ...")] = "int8",
    format: Annotated[str | None, typer.Option(help="tflite or onnx; default: tflite, or FILE's own.")] = None,
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
    data: DATA = None,
    detector: DETECTOR = None,
    manifest: MANIFEST = None,
    images: IMAGES = None,
    evaluation: EVALUATION = None,
    calibration_images: CALIBRATION_IMAGES = 200,
    calibration: CALIBRATION = None,
    seed: SEED = 0,
    max_minutes: Annotated[
        float, typer.Option(help="Time limit of one fine-tuning, or of the repair.", min=0.01)
    ] = 10.0,
) -> None:
    """Show what int8 does to each layer: to the outputs when it alone is int8, and for the worst ones to the metric.

    Where int8 loses more than --max-drop points, finds the fewest layers to leave in float, as recipe "mixed" does.
    """
    from rich.console import Console

    from handlens.errors import OptionError
    from handlens_data.calibration import CalibrationSet
    from handlens_export import bring, quiet
    from handlens_export.commands.export import refuse, trained
    from handlens_export.recipes import parse_formats, parse_recipes

    recipes, formats = parse_recipes(recipe), parse_formats(format or "tflite")
    if len(recipes) != 1 or len(formats) != 1:
        raise OptionError(f"--recipe {recipe} --format {format} are several; a page is of one recipe in one format")
    if out.is_dir():
        raise OptionError(f"{out} is a folder; expected the name of the HTML file, such as {out / 'sensitivity.html'}")
    picked = None if calibration is None else CalibrationSet.load(calibration)
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    if bring.is_model(run):
        refuse("a run folder", {"--detector": detector}, run)
        from handlens_export.bring.load import load

        source = load(
            run, manifest=manifest, images=images, calibration=calibration, evaluation=evaluation, data=data, say=say
        )
        keep, picked = out.parent / "kept", None
    else:
        refuse("a model file", {"--manifest": manifest, "--images": images, "--evaluation": evaluation}, run)
        source, keep = trained(run, data, None, detector), run / "export"

    quiet.tensorflow()
    from handlens_export.harm import write
    from handlens_export.harm.page import sentence
    from handlens_export.harm.sensitivity import sensitivity as study
    from handlens_export.prepare import Options

    (kind,) = source.formats[:1] if source.formats and format is None else formats
    found = study(
        source,
        recipes[0],
        kind,
        keep=keep,
        max_drop=max_drop,
        top=top,
        options=Options(calibration_images=calibration_images, seed=seed, max_minutes=max_minutes, calibration=picked),
        say=say,
    )
    beside = write.write(found, out)
    typer.echo(f"{out} and {beside.name}: {sentence(found)}")
    if found.given_back:
        typer.echo(f"in float: {', '.join(found.given_back)}")
