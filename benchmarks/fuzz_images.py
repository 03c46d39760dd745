"""Ten thousand mutated images into `detect`: does anything break it, and does it keep memory?

    python benchmarks/fuzz_images.py face-detector.tflite
    python benchmarks/fuzz_images.py face-detector.tflite --http
    python benchmarks/fuzz_images.py face-detector.tflite --only 4711

Every file must be answered with faces or with an `ImageError`. Resident memory is read after a warm-up, and at the end:
what it grew by is printed, and fails the run above --allowed.
"""

import collections
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import mutants
import typer

from handlens.errors import ImageError
from handlens.face import FaceDetector


def resident() -> float:
    """Resident memory of this process, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status; this runs on Linux")


def directly(file: Path) -> Iterator[Callable[[bytes], str]]:
    """Calls the detector; an answer is "faces" or the error's name."""
    with FaceDetector.load(file) as detector:

        def ask(data: bytes) -> str:
            try:
                return f"{len(detector.detect(data))} faces"
            except ImageError as error:
                return type(error).__name__

        yield ask


def over_http(file: Path) -> Iterator[Callable[[bytes], str]]:
    """Posts to a server in this process; an answer is "faces" or the refusal's code; a 5xx raises."""
    import httpx

    from handlens.serve.app import make_app
    from handlens.serve.limits import Limits
    from handlens.serve.models import open_models
    from handlens.serve.run import Address, bind, run

    limits, address, servers = Limits(), Address(port=0), []
    bound = bind(address)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    with open_models(file, None, limits) as (service, _):
        app = make_app(service, limits)
        thread = threading.Thread(target=run, args=(app, address, bound), kwargs={"on_start": servers.append})
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:

                def ask(data: bytes) -> str:
                    kind = {"Content-Type": "application/octet-stream"}
                    answer = client.post("/v1/detect", content=data, headers=kind)
                    if answer.status_code >= 500:
                        raise RuntimeError(f"answered {answer.status_code}: {answer.text[:200]}")
                    body: dict[str, Any] = answer.json()
                    return f"{len(body['faces'])} faces" if answer.is_success else str(body["error"]["code"])

                yield ask
        finally:
            servers[0].should_exit = True
            thread.join()


def main(
    file: Annotated[Path, typer.Argument(help="A face-detector artifact.")],
    count: Annotated[int, typer.Option(min=1)] = 10_000,
    warm_up: Annotated[int, typer.Option(help="Images before memory is first read.")] = 1_000,
    allowed: Annotated[float, typer.Option(help="MiB by which memory may grow after the warm-up.")] = 32.0,
    http: Annotated[bool, typer.Option(help="Through a running server.")] = False,
    only: Annotated[int | None, typer.Option(help="One number: make it again, and let its error through.")] = None,
    save: Annotated[Path | None, typer.Option(help="JSON with the counts.")] = None,
) -> None:
    """Feed mutated images to a detector."""
    with contextlib.contextmanager(over_http if http else directly)(file) as ask:
        if only is not None:
            kind, data = mutants.make(only)
            typer.echo(f"{only}: {kind}, {len(data):,} bytes: {ask(data)}")
            return
        answers: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        broken: list[str] = []
        memory: list[tuple[int, float]] = []
        started, slowest = time.perf_counter(), (0.0, 0)
        for number in range(count):
            kind, data = mutants.make(number)
            before = time.perf_counter()
            try:
                answers[kind][ask(data)] += 1
            except Exception as error:
                broken.append(f"{number} ({kind}): {type(error).__name__}: {error}")
                answers[kind]["BROKEN"] += 1
            slowest = max(slowest, (time.perf_counter() - before, number))
            if number + 1 == warm_up or (number + 1 > warm_up and (number + 1) % 500 == 0) or number + 1 == count:
                memory.append((number + 1, resident()))
                typer.echo(f"{number + 1:>6} images  {memory[-1][1]:.1f} MiB  {time.perf_counter() - started:.0f} s")
    for kind, counts in answers.items():
        typer.echo(f"{kind:<12} " + ", ".join(f"{answer} {times}" for answer, times in counts.most_common()))
    grown = memory[-1][1] - memory[0][1]
    typer.echo(f"{count:,} images, {len(broken)} broken; memory {memory[0][1]:.1f} MiB after {memory[0][0]:,}, ")
    typer.echo(f"{memory[-1][1]:.1f} MiB at the end: {grown:+.1f}; slowest {slowest[0]:.2f} s (number {slowest[1]})")
    for line in broken[:20]:
        typer.echo(line, err=True)
    if save:
        save.write_text(json.dumps({"answers": answers, "memory": memory, "broken": broken}, indent=1) + "\n")
    raise typer.Exit(1 if broken or grown > allowed else 0)


if __name__ == "__main__":
    typer.run(main)
