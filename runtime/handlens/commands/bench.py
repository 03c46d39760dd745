"""`handlens bench FILE...`: how long artifacts take where they run."""

import re
import signal
from pathlib import Path
from typing import Annotated

import typer

from handlens.bench.figures import Bench, Figure, Order
from handlens.bench.target import VALID, Options, open_target
from handlens.errors import InputError, OptionError


def bench(
    artifacts: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Artifacts, .tflite or .onnx.")],
    target: Annotated[str, typer.Option(help=f"Where to measure: {VALID}.")] = "local",
    engine: Annotated[
        str | None, typer.Option(help="litert, tflite-runtime or onnxruntime; left out: the target's default.")
    ] = None,
    threads: Annotated[str, typer.Option(help="Numbers of threads to try, such as 1,2,4.")] = "1",
    runs: Annotated[int, typer.Option(help="Timed runs of the model, and again of the whole pipeline.")] = 200,
    warmup: Annotated[int, typer.Option(help="Untimed runs before them.")] = 20,
    sustained: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Afterwards run for so long without a pause.")
    ] = None,
    as_json: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT.json", help="Write the figures; handlens report reads them."),
    ] = None,
    remote_python: Annotated[
        str, typer.Option(help="ssh: the Python of the other side, with NumPy, OpenCV and an engine.")
    ] = "python3",
    binary: Annotated[
        Path | None, typer.Option(help="adb: LiteRT's benchmark_model, built for the device's processor.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="browser: let other devices of this network in.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="browser: to listen on; 0 for any free one.")] = 0,
) -> None:
    """Measure artifacts: cold start, p50, p90, p99 of the model alone and of the whole pipeline, memory.

    A target is this machine (local), one behind ssh, an Android device behind adb, or a browser. Whatever was put there
    is removed again. Ctrl-C shows and writes the figures so far.
    """
    if as_json is not None and as_json.is_dir():
        raise InputError(
            f"{as_json} is a folder; expected the name of a file to write, such as {as_json / 'bench.json'}"
        )
    order = Order(
        files=tuple(artifacts),
        engine=engine,
        threads=_threads(threads),
        runs=runs,
        warmup=warmup,
        sustained_minutes=sustained,
    )
    options = Options(remote_python=remote_python, binary=binary, share=share, port=port)
    found: list[Figure] = []
    stopped = False
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C: what is on a device must go
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        _measure(order, target, options, as_json, found)
    except KeyboardInterrupt:
        stopped = True
    finally:
        _show(found)
    if stopped:
        typer.echo(f"stopped: {len(found)} of {len(order.files) * len(order.threads)} figures", err=True)
        raise typer.Exit(130)


def _measure(order: Order, target: str, options: Options, out: Path | None, found: list[Figure]) -> None:
    """Adds each figure to `found` as soon as it is there, and writes the file anew with it."""
    from rich.console import Console

    from handlens import files
    from handlens.artifact import Artifact

    place = open_target(target, options)
    for file in order.files:  # refused here, before anything is sent anywhere
        Artifact.open(file)
    # A spinner that turns quickly would take part in what is measured.
    with Console(stderr=True).status(f"{target}: starting", refresh_per_second=2) as status, place as opened:
        for figure in opened.measure(order, lambda text: status.update(f"{target}: {text}")):
            found.append(figure)
            if out is not None:
                files.write_text(out, Bench.now(found, opened.host).to_json())


def _show(figures: list[Figure]) -> None:
    from handlens.bench import table

    for line in table.lines(figures):
        typer.echo(line)


def _threads(text: str) -> tuple[int, ...]:
    """The numbers of "1,2,4", each once.

    Raises:
        OptionError: it is no such list.
    """
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        raise OptionError(f"threads is {text!r}; valid: numbers with commas between them, such as 1,2,4")
    return tuple(dict.fromkeys(int(number) for number in text.split(",")))
