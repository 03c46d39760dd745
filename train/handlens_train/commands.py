"""`handlens train`: one sub-command a task, and the evidence of a run. Keras is imported when a training starts.

A task's command is made from its file: what it is from the first line, its recipes from RECIPES (the first is the
default), and the options that it alone has from the keyword-only parameters of its `train` that Typer annotates.
"""

import inspect
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from handlens_train import tasks

Out = Annotated[Path, typer.Option(help="The run folder; a run that is there is resumed.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the data. Default: HANDLENS_DATA.")]
Seed = Annotated[int, typer.Option(help="Of weights, batches and augmentation.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="Wall-clock limit over all sessions of the run.")]
Patience = Annotated[int | None, typer.Option(min=1, help="Evaluations without a better score before an early stop.")]
Devices = Annotated[int, typer.Option(min=1, help="Among which each batch is divided; KERAS_BACKEND=jax only.")]


class Tasks(TyperGroup):
    """The tasks' commands, each made when it is asked for, and those that are written out below."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, tasks first."""
        return [*tasks.names(), *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None."""
        return _command(cmd_name) if cmd_name in tasks.names() else super().get_command(ctx, cmd_name)


app = typer.Typer(cls=Tasks, no_args_is_help=True)


@app.callback()
def _train_group() -> None:
    """Train a recipe into a run folder, or look at what a run learnt."""


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


def _command(task: str) -> Any:
    module = tasks.get(task)

    def train(**given: Any) -> None:
        _train(module, **given)

    options = _options(module)
    train.__doc__ = (module.__doc__ or "").strip().partition("\n")[0]
    train.__annotations__ = {option.name: option.annotation for option in options}
    train.__signature__ = inspect.Signature(options)
    alone = typer.Typer(add_completion=False)
    alone.command(task)(train)
    return typer.main.get_command(alone)


def _options(module: ModuleType) -> list[inspect.Parameter]:
    recipes = module.RECIPES
    first = next(iter(recipes))
    chosen = Annotated[str, typer.Option(help=f"One of: {', '.join(recipes)}.")]
    common: dict[str, tuple[Any, Any]] = {"out": (Out, inspect.Parameter.empty), "recipe": (chosen, first)}
    if module.READS_DATA:
        common["data"] = (Data, None)
    common["seed"] = (Seed, 0)
    if hasattr(recipes[first], "epochs"):
        common |= {"epochs": (Epochs, None), "max_minutes": (Minutes, None), "patience": (Patience, None)}
        common["devices"] = (Devices, 1)
    hints = get_type_hints(module.train, include_extras=True)
    own = {
        name: (hints[name], parameter.default)
        for name, parameter in inspect.signature(module.train).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and hasattr(hints.get(name), "__metadata__")
    }
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in (common | own).items()
    ]


def _train(module: ModuleType, out: Path, recipe: str, data: Path | None = None, **given: Any) -> None:
    from handlens_data import where
    from handlens_train.progress import Training
    from handlens_train.recipe import choose

    epochs = given.pop("epochs", None)
    total = epochs or getattr(choose(module.RECIPES, module.TASK, recipe), "epochs", 0)
    overrides = {} if epochs is None else {"epochs": epochs}
    root = where.find(data) if module.READS_DATA else None
    with _on(given.pop("devices", 1)), Training(recipe, total) as shown:
        status = module.train(
            recipe, root, out, overrides=overrides, tick=shown.tick, callbacks=shown.callbacks, **given
        )
    if status == "interrupted":
        typer.echo(f"interrupted; {out} keeps the last whole epoch. The same command goes on from there.", err=True)
        raise typer.Exit(130)
    typer.echo(f"trained {recipe} into {out}. Next: handlens export {out} --out DIR")


def _on(count: int) -> AbstractContextManager[None]:
    if count == 1:
        return nullcontext()
    from handlens_train import devices

    return devices.use(count)
