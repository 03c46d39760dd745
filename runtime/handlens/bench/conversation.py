"""Talking to a worker process, here or behind ssh: an order in, a figure out, kept even when it is interrupted."""

import contextlib
import dataclasses
import json
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NoReturn

from handlens import _codec, errors
from handlens.bench import sustained
from handlens.bench.figures import Figure, Moment, Order
from handlens.bench.machine import Host
from handlens.bench.target import Progress
from handlens.errors import ArtifactError, EngineError, HandlensError, InputError, ManifestInvalid

ENTRY = "from handlens.bench.worker import main; main()"
_SILENCE_S = 900.0
_MAX_LINE = 2**20
_KINDS = {"progress", "figure", "moment", "end", "error"}

Ended = Callable[[int, str], HandlensError]
"""Makes the error for a worker that ended with a code before it had answered; takes the code and its last words."""


def converse(
    command: Sequence[str],
    file: PurePath,
    order: Order,
    threads: int,
    *,
    target: str,
    progress: Progress,
    ended: Ended,
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[Figure, Host]]:
    """Runs a worker to its end; gives one figure.

    When Ctrl-C or a broken connection ends the sustained mode, the figure with the moments so far comes first, then
    the `KeyboardInterrupt` or error. The worker is gone when this ends, however it ends.

    Args:
        command: that starts the worker.
        file: the artifact, where the worker finds it.
        order: what to measure; its files and threads are not looked at.
        threads: for the engine.
        target: to be named in the figure.
        progress: told what happens.
        ended: makes the error for a worker that died.
        env: of the command; None for this process's own.

    Raises:
        HandlensError: what the worker said went wrong, or `ended`.
    """
    seconds = None if order.sustained_minutes is None else order.sustained_minutes * 60
    words = {
        "file": str(file),
        "engine": order.engine,
        "threads": threads,
        "runs": order.runs,
        "warmup": order.warmup,
        "sustained_s": seconds,
    }
    found: tuple[Figure, Host] | None = None
    moments: list[Moment] = []
    others = ""
    title = f"{file.name}, {threads} thread{'' if threads == 1 else 's'}"
    try:
        with _worker(command, words, env, ended) as events:
            for event in events:
                others = str(event.get("others", ""))[:500]
                match event["event"]:
                    case "progress":
                        progress(f"{title}: {event['text']}")
                    case "figure":
                        figure = Figure.from_plain(event["figure"])
                        found = dataclasses.replace(figure, target=target), _codec.build(Host, event["host"], "host")
                    case "moment":
                        moments.append(_codec.build(Moment, event["moment"], "moment"))
                        progress(f"{title}: {moments[-1].seconds:.0f} of {seconds or 0:.0f} s without a pause")
        if found is None:
            raise EngineError(f"the worker for {file.name} ended without a figure")
    except (ManifestInvalid, KeyError) as error:
        raise EngineError(f"the worker for {file.name} answered nonsense: {error}") from None
    except (KeyboardInterrupt, HandlensError):
        if found:
            yield _whole(found, moments, "", "stopped before the sustained mode had ended")
        raise
    yield _whole(found, moments, others)


def _whole(
    found: tuple[Figure, Host], moments: Sequence[Moment], others: str, stopped: str = ""
) -> tuple[Figure, Host]:
    figure, host = found
    figure = dataclasses.replace(figure, sustained=tuple(moments))
    notes = (*figure.notes, *filter(None, (sustained.note(figure, others), stopped)))
    return dataclasses.replace(figure, notes=notes), host


@contextlib.contextmanager
def _worker(
    command: Sequence[str], words: Mapping[str, Any], env: Mapping[str, str] | None, ended: Ended
) -> Iterator[Iterator[Mapping[str, Any]]]:
    with tempfile.TemporaryFile() as last_words:
        # A process group of its own: Ctrl-C comes to this process alone, which then ends the worker.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=last_words,
            env=None if env is None else dict(env),
            process_group=0,
        )
        try:
            yield _events(process, words, last_words, ended)
        finally:
            _end(process)


def _events(
    process: subprocess.Popen[bytes], words: Mapping[str, Any], last_words: Any, ended: Ended
) -> Iterator[Mapping[str, Any]]:
    assert process.stdin is not None and process.stdout is not None

    def fail() -> NoReturn:
        _end(process)
        last_words.seek(0)
        lines = last_words.read()[-4096:].decode("utf-8", "replace").strip().splitlines()
        raise ended(process.returncode, lines[-1][:300] if lines else "it wrote nothing")

    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(words).encode() + b"\n")
        process.stdin.flush()  # and it stays open: its end tells the worker that nobody listens
    while True:
        try:
            line = lines.get(timeout=_SILENCE_S)
        except queue.Empty:
            raise EngineError(f"the worker was silent for {_SILENCE_S:.0f} s; try fewer runs: --runs 10") from None
        event = _parse(line)
        if event is None:
            fail()
        if event["event"] == "error":
            _raise(event)
        yield event
        if event["event"] == "end":
            return


def _read(stream: Any, lines: "queue.Queue[bytes]") -> None:
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(_MAX_LINE):
            lines.put(line)
    lines.put(b"")


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and event.get("event") in _KINDS else None


def _raise(event: Mapping[str, Any]) -> NoReturn:
    """Raises what the worker said, by its name where that is an error a file, an engine or an option can cause."""
    kind = getattr(errors, str(event.get("kind")), EngineError)
    fits = isinstance(kind, type) and issubclass(kind, (ArtifactError, EngineError, InputError))
    raise (kind if fits and not issubclass(kind, errors.Refused) else EngineError)(str(event.get("message"))[:2000])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a worker, first by closing its input, then harder."""
    for stream in (process.stdin,):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    for how in (None, signal.SIGTERM, signal.SIGKILL):
        if how is not None:
            process.send_signal(how)
        try:
            process.wait(timeout=3)
            break
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()
