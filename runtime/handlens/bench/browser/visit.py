"""One browser's visit to `handlens bench --target browser`: what it is asked to measure, and what it told.

The page holds no rule of its own: goldens are compared, times summed up and notes written here, by the code that serves
every other target.
"""

import dataclasses
import hmac
import queue
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handlens import _codec, golden, selfcheck
from handlens.bench import sustained
from handlens.bench.browser.arrays import Answers, Refusal, outputs, times
from handlens.bench.browser.facts import Facts, device, limits
from handlens.bench.browser.jobs import Job, Served, jobs
from handlens.bench.figures import Figure, Moment, Order, Times
from handlens.errors import ArtifactTampered, EngineError, EngineUnavailable, EngineWrong, HandlensError

Event = str | Figure | HandlensError | None
"""Progress, a figure, what ends it all, or None when all is done."""

_SMALL = 2**16  # bytes of a message without arrays
_MOMENT = 8 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What the page tells of one job, but for its arrays."""

    job: int
    cold_ms: float
    first_ms: float
    wasm_bytes: int | None
    clock_step_ms: float
    hidden: bool


@dataclass(slots=True)
class _State:
    """A job's way: answered the goldens rightly, its figure so far, its moments; done."""

    right: bool = False
    figure: Figure | None = None
    moments: list[Moment] = field(default_factory=list)
    done: bool = False


class Visit:
    """Everything one page may ask and tell. Its methods are called from the server's threads.

    Args:
        order: what to measure.
        served: the artifacts, in the order's order.
        versions: of the engines, by their folders' names.
        engines: address that the engines lie under, such as "/engines/1a2b/".
    """

    def __init__(self, order: Order, served: Sequence[Served], versions: Mapping[str, str], engines: str) -> None:
        """Makes a token."""
        self.token = secrets.token_urlsafe(16)
        self.events: queue.Queue[Event] = queue.Queue()
        self.heard = self.moved = time.monotonic()
        self.leaving = False
        self._doing = ""
        self._order, self._served, self._versions, self._engines = order, served, dict(versions), engines
        self._lock = threading.RLock()
        self._session: str | None = None
        self._facts: Facts | None = None
        self._jobs: tuple[Job, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._states: list[_State] = []

    @property
    def claimed(self) -> bool:
        """Whether a browser has come."""
        return self._session is not None

    def limit(self, what: str) -> int:
        """The most bytes that a message of a kind may have."""
        if what == "moment":
            return _MOMENT
        if what == "answers":
            return _SMALL + 2 * max(each.answer_bytes for each in self._served)
        return _SMALL + (60 * self._order.runs if what == "figure" else 0)

    def claim(self, message: dict[str, Any]) -> dict[str, Any]:
        """Gives a session for the token, once."""
        token = message.pop("token", None)
        with self._lock:
            if not isinstance(token, str) or not _same(token, self.token):
                raise Refusal(403, "This is not the address that handlens shows now; open that one.")
            if self._session is not None:
                raise Refusal(410, "This address was opened already, and works once; run handlens bench again.")
            self._facts = _codec.build(Facts, message, "facts")
            kinds = [each.artifact.kind for each in self._served]
            self._jobs, left = jobs(self._order, kinds, self._facts)
            self._notes = (*limits(self._facts), *left)
            self._states = [_State() for _ in self._jobs]
            self._session = secrets.token_urlsafe(16)
            self._tell(f"{device(self._facts)}: {len(self._jobs)} to measure")
            return {"session": self._session}

    def admit(self, session: str) -> None:
        """Refuses whoever has not the session."""
        if self._session is None or not _same(session, self._session):
            raise Refusal(401, "This page has no session any more; run handlens bench again.")
        self.heard = time.monotonic()
        self.leaving = False

    def plan(self) -> dict[str, Any]:
        """What to measure; what is done already stays done when the page is loaded again."""
        assert self._facts is not None
        with self._lock:
            return {
                "device": device(self._facts),
                "notes": list(self._notes),
                "artifacts": [each.plain for each in self._served],
                "jobs": [
                    {**dataclasses.asdict(job), "done": state.done}
                    for job, state in zip(self._jobs, self._states, strict=True)
                ],
                "runs": self._order.runs,
                "warmup": self._order.warmup,
                "sustained_minutes": self._order.sustained_minutes,
                "span_s": sustained.EVERY_S,
                "engines": self._engines,
            }

    def data(self, what: str, artifact: int, index: int | None) -> bytes:
        """Bytes of a "model", "golden", "picture" or "table"."""
        try:
            served = self._served[artifact]
            parts = {"model": served.artifact.model, "picture": served.picture, "table": served.table}
            found = parts.get(what) if index is None else served.goldens[index] if what == "golden" else None
        except IndexError:
            found = None
        if found is None:
            raise Refusal(404, "There is nothing here.")
        return found

    def answers(self, message: dict[str, Any]) -> dict[str, Any]:
        """Compares the page's answers to the goldens; a wrong engine is not timed."""
        job, state = self._state(message)
        artifact = self._served[job.artifact].artifact
        given = message.get("outputs")
        if not isinstance(given, list) or len(given) != len(artifact.goldens):
            raise Refusal(400, f"expected outputs of {len(artifact.goldens)} goldens")
        engine = Answers(job.engine, self._version(job), [outputs(each, artifact.manifest.outputs) for each in given])
        verdict = golden.replay(engine, artifact.manifest, artifact.goldens)
        if not verdict.passed:
            self._fail(job, EngineWrong(selfcheck.explain(artifact, engine, verdict).split("; use another")[0]))
            message = {"message": "Its answers to the golden inputs are wrong, so it is not timed."}
            return {"right": False, "stop": job.accelerator == "cpu", **message}
        worst = verdict.worst
        with self._lock:
            state.right = True
        off = f"off by {worst.max_abs_error:.3g} at most (allowed: {worst.allowed:.3g})"
        text = f"{len(verdict.rows)} golden outputs right, {off}"
        self._tell(f"{self._title(job)}: {text}")
        return {"right": True, "message": text}

    def figure(self, message: dict[str, Any]) -> dict[str, Any]:
        """Takes the times of a job; gives them summed up."""
        job, state = self._state(message)
        if not state.right:
            raise Refusal(409, "The goldens come first.")
        arrays = {name: message.pop(name, None) for name in ("model", "pipeline", "parts")}
        told = _codec.build(_Measured, message, "figure")
        model = Times.of(times(arrays["model"], self._order.runs).tolist())
        whole = None if arrays["pipeline"] is None else Times.of(times(arrays["pipeline"], self._order.runs).tolist())
        parts = arrays["parts"] if isinstance(arrays["parts"], dict) else {}
        stages = {
            name: float(np.median(times(parts[name], self._order.runs)))
            for name in ("decode", "prepare", "run")
            if whole and name in parts
        }
        figure = dataclasses.replace(
            self._blank(job, self._told(told, model, whole)),
            cold_ms=told.cold_ms,
            warmup_ms=told.first_ms,
            model=model,
            pipeline=whole,
            stages_ms=stages,
        )
        with self._lock:
            state.figure = figure
            state.moments.clear()  # of before the page was loaded again
        if not self._order.sustained_minutes:
            self._end(state)
        pipeline = figure.pipeline.p50_ms if figure.pipeline else None
        shown = {"p50_ms": model.p50_ms, "p90_ms": model.p90_ms, "p99_ms": model.p99_ms}
        return {**shown, "cold_ms": figure.cold_ms, "pipeline_p50_ms": pipeline}

    def moment(self, message: dict[str, Any]) -> dict[str, Any]:
        """Takes the times of some seconds of the sustained mode, and ends the job with the last of them."""
        job, state = self._state(message)
        seconds = _codec.coerce(float, message.get("seconds"), "moment.seconds")
        if state.figure is None or not self._order.sustained_minutes:
            raise Refusal(409, "The figure comes first, and only the sustained mode has moments.")
        p50, p90 = (float(value) for value in np.percentile(times(message.get("times"), None), [50, 90]))
        state.moments.append(Moment(seconds=seconds, p50_ms=p50, p90_ms=p90))
        self._tell(f"{self._title(job)}: {seconds:.0f} s without a pause")
        if message.get("last") is True:
            self._end(state)
        return {}

    def trouble(self, message: dict[str, Any]) -> dict[str, Any]:
        """The page could not do a job."""
        job, _ = self._state(message)
        what = _codec.coerce(str, message.get("message"), "trouble.message")[:500]
        if message.get("changed") is True:
            self.events.put(ArtifactTampered(f"{self._file(job)}, on its way to the browser: {_ascii(what)}"))
            return {"message": what, "stop": True}
        on = f"{job.engine} {self._version(job)} with {job.accelerator}"
        self._fail(job, EngineUnavailable(f"{on} cannot run {self._file(job)} in the browser: {_ascii(what)}"))
        return {"message": what, "stop": job.accelerator == "cpu"}

    def beat(self, message: dict[str, Any]) -> dict[str, Any]:
        """The page lives, or says that it goes."""
        self.leaving = message.get("leaving") is True
        doing = message.get("doing")
        if isinstance(doing, str) and doing != self._doing:
            self._doing, self.moved = doing, time.monotonic()
            running = next((job for job in self._jobs if not self._states[job.number].done), None)
            if running and doing:
                self._tell(f"{self._title(running)}: {_ascii(doing)[:60]}")
        return {}

    def unfinished(self) -> tuple[Figure, ...]:
        """Figures that wait for the end of their sustained mode: kept when somebody presses Ctrl-C."""
        with self._lock:
            waiting = [state for state in self._states if state.figure is not None and not state.done]
            return tuple(_whole(state, "stopped before the sustained mode had ended") for state in waiting)

    def _state(self, message: Mapping[str, Any]) -> tuple[Job, _State]:
        self.moved = time.monotonic()
        number = message.get("job")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self._jobs):
            raise Refusal(400, "There is no such job.")
        if self._states[number].done:
            raise Refusal(409, "This job is done.")
        return self._jobs[number], self._states[number]

    def _blank(self, job: Job, notes: Sequence[str]) -> Figure:
        assert self._facts is not None
        return Figure(
            artifact=self._file(job),
            model_id=self._served[job.artifact].artifact.manifest.model_id,
            target="browser",
            device=device(self._facts),
            engine=job.engine,
            engine_version=self._version(job),
            threads=job.threads,
            accelerator=job.accelerator,
            notes=tuple(notes),
        )

    def _told(self, told: _Measured, model: Times, whole: Times | None) -> list[str]:
        notes = list(self._notes)
        if told.clock_step_ms > 0.05 * model.p50_ms:
            notes.append(
                f"the browser's clock steps by {told.clock_step_ms:.2g} ms, too coarse for p50; the mean of "
                f"{model.runs} runs is {model.mean_ms:.3g} ms"
            )
        if told.hidden:
            notes.append("the page was hidden meanwhile, and browsers slow hidden pages down")
        if model.wide:
            notes.append("p99 is more than twice p50; a page cannot see what else ran")
        if whole is not None:
            notes.append("the pipeline ends with the model's outputs; the page makes no answer of them")
        if told.wasm_bytes is not None:
            notes.append(f"WASM memory {told.wasm_bytes / 2**20:.0f} MB")
        return notes

    def _fail(self, job: Job, error: EngineError) -> None:
        """Without WebGPU a figure has its place in the table and says why; without a CPU there is nothing to show."""
        with self._lock:
            state = self._states[job.number]
            if job.accelerator == "cpu":
                state.done = True
                self.events.put(error)
            else:
                state.figure = self._blank(job, [*self._notes, str(error)])
                self._end(state)

    def _end(self, state: _State) -> None:
        with self._lock:
            if state.done:
                return
            state.done = True
            self.events.put(_whole(state))
            if all(each.done for each in self._states):
                self.events.put(None)

    def _file(self, job: Job) -> str:
        return self._served[job.artifact].artifact.path.name

    def _version(self, job: Job) -> str:
        return self._versions[{"litert.js": "litert", "onnxruntime-web": "onnxruntime"}[job.engine]]

    def _title(self, job: Job) -> str:
        where = "WebGPU" if job.accelerator == "webgpu" else f"{job.threads} thread{'' if job.threads == 1 else 's'}"
        return f"{self._file(job)}, {where}"

    def _tell(self, text: str) -> None:
        self.events.put(text)


def _whole(state: _State, stopped: str = "") -> Figure:
    assert state.figure is not None
    figure = dataclasses.replace(state.figure, sustained=tuple(state.moments))
    notes = (*figure.notes, *filter(None, (sustained.note(figure), stopped)))
    return dataclasses.replace(figure, notes=notes)


def _same(given: str, secret: str) -> bool:
    """Compares in a time that tells nothing; a lone surrogate, which JSON can hold, has no bytes of its own."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _ascii(text: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in text)
