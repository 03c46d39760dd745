"""`handlens sweep`: find the smallest or fastest artifact within an accuracy budget, and keep the evidence."""

from pathlib import Path
from typing import Annotated

import typer

from handlens_export.commands.options import (
    CALIBRATION,
    DATA,
    DETECTOR,
    EVALUATION,
    IMAGES,
    MANIFEST,
    MAX_MINUTES,
    SEED,
    STEPS,
)
from handlens_export.sweep.wishes import ARITHMETIC


def sweep(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Run folder or model; several are a ladder of widths, and the first one's float32 is the yardstick.",
            show_default=False,
        ),
    ],
    budget: Annotated[str, typer.Option(help="What may be lost against float32: rank1-1.0 is 1.0 points of rank-1.")],
    out: Annotated[Path, typer.Option(help="Folder of the sweep; one that is there goes on where it was.")],
    objective: Annotated[str, typer.Option(help="What to make small: bytes (after gzip), or latency.")] = "bytes",
    search: Annotated[
        str, typer.Option(help="ladder: bisects for the budget's edge; grid: every combination.")
    ] = "ladder",
    format: Annotated[str, typer.Option(help="Formats to write: tflite, onnx.")] = "tflite",
    recipes: Annotated[
        str | None, typer.Option(help="Recipes to try as they are, separated by commas.", show_default=False)
    ] = None,
    arithmetic: Annotated[
        str | None,
        typer.Option(
            help=f"Ends of recipes to put channels and sparsity before. Default: {ARITHMETIC}.", show_default=False
        ),
    ] = None,
    channels: Annotated[str, typer.Option(help="Percent of the cost to remove with whole channels.")] = "0,25,40",
    sparsity: Annotated[
        str, typer.Option(help="Percent of the weights to set to zero; a ladder searches between the ends.")
    ] = "0,90",
    calibration_images: Annotated[str, typer.Option(help="Training images to measure ranges on.")] = "200",
    calibration: CALIBRATION = None,
    data: DATA = None,
    detector: DETECTOR = None,
    manifest: MANIFEST = None,
    images: IMAGES = None,
    evaluation: EVALUATION = None,
    trials: Annotated[int | None, typer.Option(help="At most so many trials, float32 included.", min=2)] = None,
    jobs: Annotated[int, typer.Option(help="Trials at once on this machine.", min=1)] = 1,
    trial_minutes: Annotated[float, typer.Option(help="A trial is ended after so many minutes.", min=0.01)] = 60.0,
    trial_memory: Annotated[
        int | None,
        typer.Option(
            help="A trial is ended beyond so many MiB. Default: 80% of the machine's, shared by --jobs.", min=64
        ),
    ] = None,
    seed: SEED = 0,
    max_minutes: MAX_MINUTES = 10.0,
    steps: STEPS = None,
    ray: Annotated[
        str | None, typer.Option(help="Run the trials on the Ray cluster at this address.", show_default=False)
    ] = None,
) -> None:
    """Try many recipes on one run or several, each in a process of its own, and keep all in OUT/sweep.sqlite.

    Ctrl-C keeps what is done, and the same command goes on. Ends with exit code 3 when nothing meets the budget.
    """
    from rich.console import Console

    from handlens.errors import GateFailed
    from handlens_data.calibration import CalibrationSet
    from handlens_export.recipes import parse_formats
    from handlens_export.sweep import lab, wishes

    if calibration is not None:
        CalibrationSet.load(calibration)
    space = wishes.space(runs, parse_formats(format), recipes, arithmetic, channels, sparsity, calibration_images)
    plan = lab.plan(
        space,
        budget=budget,
        objective=wishes.objective(objective),
        search=wishes.one_of(search, "--search", wishes.SEARCHES),
        data=data,
        options={"detector": detector, "manifest": manifest, "images": images, "evaluation": evaluation},
        calibration=calibration,
        seed=seed,
        max_minutes=max_minutes,
        steps=steps,
    )
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    with lab.lanes(jobs, ray, say) as lanes:
        limits = lab.limits(jobs if ray is None else None, trial_minutes, trial_memory, trials)
        try:
            found = lab.run(plan, out, lanes, limits, console)
        except KeyboardInterrupt:
            lab.show(out, plan)
            say(f"interrupted; {out} keeps every trial that has ended. The same command goes on from there.")
            raise typer.Exit(130) from None
    lab.show(out, plan)
    typer.echo(f"page: {found.page}")
    if found.best is None:
        raise GateFailed(found.sentence)
    typer.echo(found.sentence)
