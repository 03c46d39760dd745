"""The `handlens` command: finds its commands through entry points, and imports one only when it is called.

An entry point of the group `handlens.commands` names a function with Typer annotations, or a `typer.Typer` of
several. Its errors become one line on stderr: a `HandlensError` exits with its `exit_code`, an operating system's
error with 2.
"""

import importlib.metadata
from typing import Annotated, Any, NoReturn

import typer

from handlens.errors import HandlensError, MissingExtra

GROUP = "handlens.commands"

# What `handlens --help` says of the house's own commands, and the extra that each needs: known without an import.
_ABOUT = {
    "inspect": ("Show what an artifact says about itself.", ""),
    "check": ("Replay an artifact's golden vectors on an engine.", ""),
    "bench": ("Measure how long artifacts take: here, behind ssh, on a phone, in a browser.", ""),
    "enrol": ("Enrol a person from several photographs; templates are kept encrypted.", "access"),
    "verify": ("Compare a face with the name of an enrolled person.", "access"),
    "identify": ("Look for a face among all who are enrolled.", "access"),
    "forget": ("Delete an enrolled person's templates.", "access"),
    "serve": ("Serve detection and the door over HTTP, with a page that uses the camera.", "serve"),
    "detect": ("Find faces: boxes, five points, gender.", ""),
    "match": ("Compare the faces of two photographs.", ""),
    "attributes": ("Say what people look like on crops of them: gender, clothes, luggage.", ""),
    "segment": ("Separate people from the background; masks, drawings, transparent PNGs.", ""),
    "annotate": ("Let a detector annotate a folder of images: COCO JSON.", ""),
    "recommend": ("Recommend titles to somebody, by ratings.", ""),
    "import": ("Wrap a foreign .tflite or .onnx model into an artifact.", ""),
    "calib": ("Draw, look over and compare what int8 is calibrated on.", "export"),
    "train": ("Train a task's recipe into a run folder, and look at what it learnt.", "train"),
    "export": ("Compress a trained run, convert it and write the artifacts that pass the gate.", "export"),
    "sweep": ("Search for the smallest or fastest artifact within an accuracy budget.", "export"),
    "evaluate": ("Measure an artifact's accuracy through the runtime.", ""),
    "android": ("Put artifacts and the Kotlin library into an Android archive (AAR).", ""),
    "report": ("Write one HTML file: accuracy against size against latency.", "export"),
    "diff": ("Say whether a new artifact is worse than an old one beyond noise.", "export"),
}


def main() -> None:
    """Runs the command line; ends the process with its exit code."""
    build()(prog_name="handlens")


def run(entry: importlib.metadata.EntryPoint, arguments: list[str]) -> None:
    """Imports one command and runs it.

    Raises:
        SystemExit: always, with the command's exit code.
    """
    try:
        command = entry.load()
        if not isinstance(command, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(entry.name)(command)
            command = alone
        command(args=arguments, prog_name=f"handlens {entry.name}")
    except HandlensError as error:
        _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package.startswith("handlens"):
            raise
        _fail(str(MissingExtra(package, _ABOUT.get(entry.name, ("", ""))[1] or "dev")), MissingExtra.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}", HandlensError.exit_code)


def build() -> typer.Typer:
    """Makes the root command from the entry points found, the house's own first."""
    root = typer.Typer(
        name="handlens",
        help="Face and person vision for small devices: train, compress, export one self-describing file, run it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # Plain help: importing rich took half of the time that --help may take.
    )
    root.callback()(_root)
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
    for name in [*(known for known in _ABOUT if known in found), *sorted(found.keys() - _ABOUT.keys())]:
        _add(root, found[name])
    return root


def _add(root: typer.Typer, entry: importlib.metadata.EntryPoint) -> None:
    def forward(context: typer.Context) -> None:
        run(entry, context.args)

    about, _ = _ABOUT.get(entry.name, (f"From {entry.value.partition(':')[0]}.", ""))
    # The stand-in takes whatever comes, --help included: the command itself knows its options.
    root.command(
        entry.name,
        help=about,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    )(forward)


def _version(value: bool) -> None:
    if value:
        import handlens

        typer.echo(f"handlens {handlens.__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that stand before a command."""


def _fail(message: str, code: int) -> NoReturn:
    typer.secho("error: " + " ".join(message.split()), fg=typer.colors.RED, err=True)
    raise SystemExit(code)


def __getattr__(name: str) -> Any:
    # Built when asked for: tests and tools import this module for `run` without a scan of all installed packages.
    if name == "app":
        globals()["app"] = value = build()
        return value
    raise AttributeError(f"module 'handlens.cli' has no attribute {name!r}")
