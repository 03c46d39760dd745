"""`handlens train`: one sub-command a task, and the evidence of a run. Keras is imported when a training starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Train a recipe into a run folder, or look at what a run learnt.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="The run folder; a run that is there is resumed.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the data. Default: HANDLENS_DATA.")]
Seed = Annotated[int, typer.Option(help="Of weights, batches and augmentation.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Wall-clock limit over all sessions of the run.")]
Patience = Annotated[int | None, typer.Option(min=1, help="Evaluations without a better score before an early stop.")]


@app.command()
def reid(
    recipe: Annotated[str, typer.Option(help="Such as reid-large, reid-small, vgg-triplet, pca95, lda.")],
    out: Out,
    data: Data = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    max_minutes: Minutes = None,
    patience: Patience = None,
    teacher: Annotated[Path | None, typer.Option(help="Artifact to distil from, of the same dimension.")] = None,
    warm_start: Annotated[Path | None, typer.Option(help="Run whose layers to start from, where they fit.")] = None,
    flip: Annotated[float | None, typer.Option(help="Probability of a mirrored image, 0 to 1.")] = None,
    shift: Annotated[int | None, typer.Option(help="Largest shift in pixels, 0 to 64.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Largest rotation in degrees, 0 to 45.")] = None,
    colour: Annotated[float | None, typer.Option(help="Largest change of brightness and the like, 0 to 0.9.")] = None,
    erase: Annotated[float | None, typer.Option(help="Probability of an erased rectangle, 0 to 1.")] = None,
) -> None:
    """Person re-identification on Market-1501, either layout."""
    from dataclasses import replace

    from handlens_data import where
    from handlens_train.tasks import reid as task

    flags = {"flip": flip, "shift": shift, "rotate": rotate, "colour": colour, "erase": erase}
    given = {name: value for name, value in flags.items() if value is not None}
    overrides: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    how = task.recipe(recipe)
    if given:
        overrides["augment"] = replace(how.augment, **given)
    options = {"seed": seed, "max_minutes": max_minutes, "patience": patience, "teacher": teacher}
    options["warm_start"] = warm_start
    _run(task.train, recipe, where.find(data), out, epochs or how.epochs, overrides=overrides, **options)


@app.command()
def facecheck(
    out: Out,
    recipe: Annotated[str, typer.Option(help="Only tiny.")] = "tiny",
    seed: Seed = 0,
    epochs: Epochs = None,
    max_minutes: Minutes = None,
    patience: Patience = None,
) -> None:
    """Face or not, on patches that scikit-image ships: the demo's task."""
    from handlens_train.tasks import facecheck as task

    total = epochs or task.recipe(recipe).epochs
    overrides = {} if epochs is None else {"epochs": epochs}
    options = {"seed": seed, "max_minutes": max_minutes, "patience": patience}
    _run(task.train, recipe, None, out, total, overrides=overrides, **options)


@app.command()
def gender(
    out: Out,
    recipe: Annotated[str, typer.Option(help="Only gender.")] = "gender",
    data: Data = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    max_minutes: Minutes = None,
    patience: Patience = None,
) -> None:
    """Gender of a face crop, on UTKFace in any of its layouts."""
    from handlens_data import where
    from handlens_train.tasks import gender as task

    total = epochs or task.recipe(recipe).epochs
    overrides = {} if epochs is None else {"epochs": epochs}
    options = {"seed": seed, "max_minutes": max_minutes, "patience": patience}
    _run(task.train, recipe, where.find(data), out, total, overrides=overrides, **options)


@app.command("face-verifier")
def face_verifier(
    out: Out,
    recipe: Annotated[
        str, typer.Option(help="face-verifier; face-pca and face-teacher to compare with.")
    ] = "face-verifier",
    data: Data = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Folder with face_recognition_model.bin, from npm's @vladmandic/face-api.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector that finds the five points. Default: the zoo's.")
    ] = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    max_minutes: Minutes = None,
    patience: Patience = None,
    warm_start: Annotated[Path | None, typer.Option(help="Run whose weights to start from.")] = None,
) -> None:
    """Face verification on LFW (View 2), distilled from a teacher; folds 6 to 10 never train."""
    from handlens_data import where
    from handlens_train.tasks import face_verifier as task

    total = epochs or task.recipe(recipe).epochs
    options = {"seed": seed, "max_minutes": max_minutes, "patience": patience, "teacher": teacher}
    options |= {"detector": detector, "overrides": {} if epochs is None else {"epochs": epochs}}
    _run(task.train, recipe, where.find(data), out, total, **options)


@app.command("face-detector")
def face_detector(
    out: Out,
    recipe: Annotated[
        str, typer.Option(help="face-detector-start; then face-detector and face-detector-nano with --warm-start.")
    ] = "face-detector-start",
    data: Data = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of a teacher's SET.json, by handlens annotate. Default: in the data.")
    ] = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    max_minutes: Minutes = None,
    patience: Patience = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Run of a detector to start from: its layers that fit.")
    ] = None,
) -> None:
    """Face detection with five points and gender, on WIDER FACE or folders with a boxes.csv."""
    from handlens_data import where
    from handlens_train.tasks import face_detector as task

    options = {"seed": seed, "max_minutes": max_minutes, "patience": patience, "warm_start": warm_start}
    options |= {"annotations": annotations, "overrides": {} if epochs is None else {"epochs": epochs}}
    _run(task.train, recipe, where.find(data), out, epochs or task.recipe(recipe).epochs, **options)


@app.command()
def evidence(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    data: Data = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Further runs or artifacts to compare with; may be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="val, or test: look at it only when no choice is left to make.")] = "val",
) -> None:
    """Curves, CMC, t-SNE, triplets and the worst mistakes as pictures, into RUN/evidence."""
    from handlens_data import where
    from handlens_train.evidence import write_evidence

    typer.echo(f"wrote {write_evidence(run, where.find(data), against or (), split=split)}")


def _run(train: Callable[..., str], recipe: str, data: Path | None, out: Path, epochs: int, **options: Any) -> None:
    from handlens_train.progress import Training

    with Training(recipe, epochs) as shown:
        status = train(recipe, data, out, tick=shown.tick, callbacks=shown.callbacks, **options)
    if status == "interrupted":
        typer.echo(f"interrupted; {out} keeps the last whole epoch. The same command goes on from there.", err=True)
        raise typer.Exit(130)
    typer.echo(f"trained {recipe} into {out}. Next: handlens export {out} --out DIR")
