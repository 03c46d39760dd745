"""The adb target: pushes artifacts and LiteRT's `benchmark_model` to an Android device, runs it, reads its output."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens import golden
from handlens.artifact import Artifact
from handlens.bench import sustained
from handlens.bench.adb import benchmark_model, bridge
from handlens.bench.adb.benchmark_model import MAX_S, Report
from handlens.bench.adb.device import HOW, TOOL, Call, Device
from handlens.bench.adb.goldens import DeviceEngine
from handlens.bench.figures import Figure, Moment, Order
from handlens.bench.machine import Host
from handlens.bench.target import Options, Progress
from handlens.errors import DeviceUnsuitable, EngineUnavailable, EngineWrong, OptionError

_TIMEOUT_S = 2 * MAX_S + 60
_PROFILED_RUNS = 50


class AdbTarget:
    """An Android device; see `handlens.bench.target.Target`."""

    def __init__(self, serial: str | None, binary: Path | None) -> None:
        """Takes a serial (None: the only device) and the tool to push."""
        self.name = f"adb:{serial}" if serial else "adb"
        self.host: Host | None = None
        self._serial, self._binary = serial, binary
        self._device: Device | None = None

    def __enter__(self) -> Self:
        """Finds the device, and puts the tool there.

        Raises:
            DeviceError: no such device, or it cannot measure; nothing is left on it.
        """
        binary = self._binary
        if binary is None:
            raise DeviceUnsuitable(f"an adb target needs --binary: LiteRT's benchmark_model for the device; {HOW}")
        if not binary.is_file():
            raise DeviceUnsuitable(f"--binary {binary}: there is no such file; {HOW}")
        device = Device(bridge.choose(bridge.find_program(), self._serial), binary)
        device.open()
        self._device, self.name = device, f"adb:{device.serial}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes all that was put on the device."""
        if self._device is not None:
            self._device.close()

    def measure(self, order: Order, progress: Progress) -> Iterator[Figure]:
        """Measures each file at each number of threads; before that, the goldens are replayed on the device.

        Raises:
            ArtifactError: a file is refused, or reached the device changed.
            OptionError: another engine was asked for.
            EngineWrong: the device answers the goldens wrongly.
            EngineError: the tool failed on a model.
            DeviceError: the device is lost or full, or cannot run the tool.
        """
        if order.engine not in (None, "litert"):
            raise OptionError(f"engine is {order.engine!r}; valid for an adb target: litert (LiteRT's benchmark_model)")
        artifacts = [Artifact.open(file) for file in order.files]
        for artifact in artifacts:
            if artifact.kind != "tflite":
                raise OptionError(f"{artifact.path} is .{artifact.kind}; benchmark_model reads .tflite alone")
        assert self._device is not None, "measure is called within the target's context"
        for number, artifact in enumerate(artifacts):
            graph = f"{number}.tflite"
            progress(f"{artifact.path.name}: to {self.name}")
            self._device.put(artifact.path, graph)
            progress(f"{artifact.path.name}: goldens on {self.name}")
            checked = _replay(self._device, artifact, graph)
            for threads in order.threads:
                yield from _Measurement(self._device, artifact, graph, threads, order, progress).figures(checked)
            self._device.remove(graph)


def open_target(where: str | None, options: Options) -> AdbTarget:
    """Makes the target of a serial; None for the only device there is."""
    return AdbTarget(where, options.binary)


class _Measurement:
    """One artifact at one number of threads."""

    def __init__(
        self, device: Device, artifact: Artifact, graph: str, threads: int, order: Order, progress: Progress
    ) -> None:
        self._device, self._graph, self._threads, self._order = device, graph, threads, order
        self._artifact, self._name = artifact, artifact.path.name
        self._title = f"{self._name}, {threads} thread{'' if threads == 1 else 's'}, adb:{device.serial}"
        self._progress = progress
        self._cores = device.facts.pinned(threads)

    def figures(self, checked: str) -> Iterator[Figure]:
        """Gives one figure; on Ctrl-C in the sustained mode it has the moments so far, and the interrupt follows."""
        order = self._order
        _, cold = self._call("cold start", runs=1, warmup=1, memory=True)
        call, timed = self._call(f"{order.runs} runs", runs=order.runs, warmup=order.warmup)
        _, profiled = self._call("profile", runs=min(order.runs, _PROFILED_RUNS), profile=True)
        peak, grown = cold.peak_memory_mb, cold.grown_mb
        figure = Figure(
            artifact=self._name,
            model_id=self._artifact.manifest.model_id,
            target=f"adb:{self._device.serial}",
            device=self._device.facts.device,
            engine=TOOL,
            engine_version=f"sha256 {self._device.tool_sha256[:12]}",
            threads=self._threads,
            cold_ms=cold.init_ms + cold.first_ms,
            warmup_ms=cold.first_ms,
            model=timed.times,
            peak_memory_mb=peak,
            base_memory_mb=None if peak is None or grown is None else max(peak - grown, 0.0),
            temperature_c=call.temperature_c,
            clock_mhz=call.clock_mhz,
            notes=(*self._notes(timed, profiled), *filter(None, [checked])),
        )
        moments: list[Moment] = []
        try:
            for moment in self._sustain():
                moments.append(moment)
        except KeyboardInterrupt:
            yield _whole(figure, moments, "stopped before the sustained mode had ended")
            raise
        yield _whole(figure, moments)

    def _call(
        self,
        what: str,
        *,
        runs: int,
        warmup: int = 0,
        seconds: float = 0.0,
        memory: bool = False,
        profile: bool = False,
    ) -> tuple[Call, Report]:

        def tick(passed: float) -> None:
            self._progress(f"{self._title}: {what}, {passed:.0f} s so far")

        self._progress(f"{self._title}: {what}")
        given = benchmark_model.arguments(
            self._graph, self._threads, runs=runs, warmup=warmup, seconds=seconds, memory=memory, profile=profile
        )
        call = self._device.call(given, self._cores, _TIMEOUT_S, tick)
        return call, benchmark_model.parse(call.text, call.code, self._name)

    def _sustain(self) -> Iterator[Moment]:
        """Calls of ten seconds, one right after the other: of a longer one the tool would tell only its sum."""
        whole = 60 * (self._order.sustained_minutes or 0)
        passed = 0.0
        while whole - passed > 0.01:
            seconds = min(sustained.EVERY_S, whole - passed)
            passed += seconds
            call, report = self._call(f"{passed:.0f} of {whole:.0f} s without a pause", runs=1, seconds=seconds)
            if report.times is None:
                return  # a note says that this build prints no median
            yield Moment(
                seconds=passed,
                p50_ms=report.times.p50_ms,
                p90_ms=None,
                clock_mhz=call.clock_mhz[1] if call.clock_mhz else None,
                temperature_c=call.temperature_c[1] if call.temperature_c else None,
            )

    def _notes(self, timed: Report, profiled: Report) -> list[str]:
        facts = self._device.facts
        notes = ["the model alone: benchmark_model prepares no images"]
        if self._cores:
            notes.append(f"pinned to core{'s' if len(self._cores) > 1 else ''} {','.join(map(str, self._cores))}")
        else:
            notes.append("not pinned to cores: the device's taskset refuses")
        if self._threads > len(facts.cores):
            notes.append(f"{self._threads} threads on {len(facts.cores)} cores")
        if timed.delegated:
            notes.append(timed.delegated)
        if profiled.by_type:
            shares = ", ".join(f"{kind} {share:.0f} %" for kind, share in profiled.by_type[:3])
            notes.append(f"by LiteRT's profile: {shares}")
        if self._device.thermometer == "battery":
            notes.append("the temperature is the battery's: the device shows its shell no other")
        if timed.times is None:
            notes.append(f"this build of benchmark_model prints no median; the mean is {timed.mean_ms:.3g} ms")
        elif timed.times.wide:
            others = self._device.busiest()
            notes.append(f"the spread is wide; beside it ran: {others or 'nothing that the device shows'}")
        if timed.runs < self._order.runs:
            notes.append(f"{timed.runs} of {self._order.runs} runs: the tool stops after {MAX_S:.0f} s")
        return notes


def _whole(figure: Figure, moments: list[Moment], stopped: str = "") -> Figure:
    figure = dataclasses.replace(figure, sustained=tuple(moments))
    return dataclasses.replace(figure, notes=(*figure.notes, *filter(None, (sustained.note(figure), stopped))))


class _TooOld(Exception):
    """The tool does not know the arguments that a replay needs."""


def _replay(device: Device, artifact: Artifact, graph: str) -> str:
    """Replays the goldens on the device.

    Returns:
        A note when that was not possible; else empty.

    Raises:
        EngineWrong: it answers wrongly.
    """
    if not artifact.goldens:
        return "a plain model without goldens: whether the device answers rightly is not known"
    with tempfile.TemporaryDirectory() as kept:
        fed, answered = Path(kept) / "in", Path(kept) / "out"

        def run(tensor: bytes, shape: str) -> bytes:
            fed.write_bytes(tensor)
            device.put(fed, "in")
            call = device.call(benchmark_model.arguments(graph, 1, runs=1, golden=(shape, "in", "out")), (), _TIMEOUT_S)
            if benchmark_model.parse(call.text, call.code, artifact.path.name).unknown:
                raise _TooOld
            device.get("out", answered)
            device.remove("in", "out")
            return answered.read_bytes()

        try:
            engine = DeviceEngine(artifact, TOOL, device.tool_sha256[:12], run)
            verdict = golden.replay(engine, artifact.manifest, artifact.goldens)
        except _TooOld:
            return "this build of benchmark_model writes no outputs, so its answers were not checked"
        except EngineUnavailable as error:
            return f"its answers were not checked: {error}"
    if not verdict.passed:
        worst = verdict.worst
        raise EngineWrong(
            f"benchmark_model on {device.serial} answers {artifact.path} wrongly: {worst.output} for "
            f"{worst.generator} {worst.seed} is off by {worst.max_abs_error:.4g} where {worst.allowed:.4g} is allowed; "
            "times of wrong answers mean nothing: try another build of it"
        )
    return ""
