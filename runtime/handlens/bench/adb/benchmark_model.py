"""LiteRT's `benchmark_model`: its arguments, and what it prints.

The formats are those of its own sources (tflite/tools/benchmark/benchmark_model.cc and benchmark_tflite_model.cc, and
the statistics of tensorflow/core/util/stats_calculator.h); lines begin with "INFO: " or do not, by version.
"""

import math
import re
from dataclasses import dataclass

from handlens.bench.figures import Times
from handlens.errors import DeviceUnsuitable, EngineError, ManifestInvalid

_NUMBER = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_STATISTICS = re.compile(
    rf"count=(\d+) first={_NUMBER} curr={_NUMBER} min={_NUMBER} max={_NUMBER} avg={_NUMBER} std={_NUMBER}"
    rf"(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?"
)
# There was one run, or all took the same.
_SAME = re.compile(rf"count=(\d+) curr={_NUMBER}(?:\(all same\))?(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?")
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
_PEAK = re.compile(rf"Overall peak memory footprint \(MB\) via periodic monitoring: {_NUMBER}")
_GREW = re.compile(rf"Memory footprint delta from the start of the tool \(MB\): init={_NUMBER} overall={_NUMBER}")
_DELEGATED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\)")
_BY_TYPE = re.compile(r"^\s*([^\t]+?)\t\s*\d+\t\s*[\d.]+\t\s*([\d.]+)%\t", re.MULTILINE)
_UNKNOWN_FLAGS = re.compile(r"Unconsumed cmdline flags: (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One call of the tool.

    Attributes:
        init_ms: from the file to a model that is ready to run.
        first_ms: the first run.
        times: of the timed runs; None where the tool is too old to print a median.
        mean_ms: over the timed runs.
        runs: that were timed.
        peak_memory_mb: largest resident memory, in 2**20 bytes; None where it was not asked for.
        grown_mb: by how much that was more than at the tool's start.
        delegated: such as "65 of 66 nodes run in TfLiteXNNPackDelegate"; empty where it says nothing.
        by_type: (kind of operator, share of the time in percent), the most first; empty without profiling.
        unknown: arguments that this build of the tool does not know.
    """

    init_ms: float
    first_ms: float
    times: Times | None
    mean_ms: float
    runs: int
    peak_memory_mb: float | None
    grown_mb: float | None
    delegated: str
    by_type: tuple[tuple[str, float], ...]
    unknown: tuple[str, ...]


def arguments(
    graph: str,
    threads: int,
    *,
    runs: int,
    warmup: int = 0,
    seconds: float = 0.0,
    memory: bool = False,
    profile: bool = False,
    golden: tuple[str, str, str] | None = None,
) -> list[str]:
    """The tool's arguments.

    Args:
        graph: the model's path.
        threads: for it to use.
        runs: to time, at least.
        warmup: untimed ones before them.
        seconds: to go on for, at least.
        memory: ask for the peak.
        profile: ask for the operators' shares.
        golden: shape (such as "1,3"), file with the input's bytes, and file for the outputs' bytes.
    """
    given = {
        "graph": graph,
        "num_threads": threads,
        "num_runs": runs,
        "min_secs": f"{seconds:g}",
        # Its default would cut a long order short; what is beyond this is reported as fewer runs.
        "max_secs": f"{max(MAX_S, seconds):g}",
        "warmup_runs": warmup,
        "warmup_min_secs": 0,
    }
    if memory:
        given |= {"report_peak_memory_footprint": "true", "memory_footprint_check_interval_ms": 5}
    if profile:
        given["enable_op_profiling"] = "true"
    if golden is not None:
        shape, fed, answer = golden
        given |= {"input_layer": "x", "input_layer_shape": shape, "input_layer_value_files": f"x:{fed}"}
        given["output_filepath"] = answer
    return [f"--{name}={value}" for name, value in given.items()]


MAX_S = 600.0
"""The tool starts no further run after so many seconds."""


def parse(text: str, code: int, name: str) -> Report:
    """Reads what one call printed.

    Args:
        text: standard output and error together.
        code: its exit code.
        name: of the artifact, for messages.

    Raises:
        DeviceUnsuitable: the program could not even start.
        EngineError: it failed on this model, or printed what this does not know.
    """
    timings = _TIMINGS.search(text)
    if code != 0 or timings is None:
        raise _failed(text, code, name)
    try:
        return _report(text, timings)
    except (ValueError, ManifestInvalid) as error:
        raise EngineError(f"benchmark_model on {name} printed figures that make no sense: {error}") from None


def _report(text: str, timings: re.Match[str]) -> Report:
    init, first, _, mean = (_finite(value) / 1e3 for value in timings.groups())
    # The first line of statistics is the warm-up's. The profile prints more of them, after the summary.
    times, runs = _times(text[: timings.start()])
    delegated = _DELEGATED.search(text)
    peak, grew = _PEAK.search(text), _GREW.search(text)
    unknown = _UNKNOWN_FLAGS.search(text)
    return Report(
        init_ms=init,
        first_ms=first,
        times=times,
        mean_ms=mean,
        runs=runs,
        peak_memory_mb=_finite(peak[1]) if peak and float(peak[1]) > 0 else None,
        grown_mb=_finite(grew[2]) if grew else None,
        delegated=f"{delegated[1]} of {delegated[2]} nodes run in {delegated[3]}" if delegated else "",
        by_type=_by_type(text[timings.end() :]),
        unknown=tuple(unknown[1].split()) if unknown else (),
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value}")
    return value


def _times(text: str) -> tuple[Times | None, int]:
    """The timed runs' statistics, of the last line of them, in microseconds; and their number."""
    full, same = list(_STATISTICS.finditer(text)), list(_SAME.finditer(text))
    if full and (not same or full[-1].start() > same[-1].start()):
        runs, low, mean = int(full[-1][1]), float(full[-1][4]), float(full[-1][6])
        median, high = full[-1][9], full[-1][10]  # groups 8 to 10: p5, median, p95
    elif same:
        runs, low, mean = int(same[-1][1]), float(same[-1][2]), float(same[-1][2])
        median, high = same[-1][2], same[-1][2]
    else:
        return None, 0
    if median is None or runs < 1:
        return None, runs
    p50, p95 = float(median) / 1e3, float(high) / 1e3
    # The mean is printed with six digits, the rest in whole microseconds.
    times = Times(
        runs=runs,
        p50_ms=p50,
        p90_ms=None,
        p99_ms=None,
        min_ms=min(low / 1e3, p50),
        mean_ms=max(mean, low) / 1e3,
        p95_ms=max(p95, p50),
    )
    return times, runs


def _by_type(text: str) -> tuple[tuple[str, float], ...]:
    """Shares by kind of operator: of the last such table, which is the timed runs'."""
    _, found, table = text.rpartition("Summary by node type")
    if not found:
        return ()
    table = table.partition("\n\n")[0]
    rows = [(row[1], float(row[2])) for row in _BY_TYPE.finditer(table)]
    return tuple(sorted(rows, key=lambda row: -row[1]))


def _failed(text: str, code: int, name: str) -> DeviceUnsuitable | EngineError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|FATAL|F |E )", line)]
    said = (errors or lines or ["it wrote nothing"])[-1 if not errors else 0][:200]
    said = "".join(character for character in said if character.isprintable())
    if re.search(r"not executable: \d\d-bit|[Ee]xec format error|[Ss]yntax error|has bad ELF magic", text):
        return DeviceUnsuitable(f"the device cannot run the binary ({said}); build it for the device's ABI")
    if re.search(r"CANNOT LINK EXECUTABLE|error while loading shared libraries", text):
        return DeviceUnsuitable(f"the binary needs a library that the device lacks ({said}); link it statically")
    if code == 126 or "Permission denied" in said:
        return DeviceUnsuitable(f"the device does not let the binary run ({said})")
    if code == 127 and "not found" in text:
        return DeviceUnsuitable(f"the binary does not start on the device ({said}); is it built for Android?")
    if code > 128:
        how = "out of memory?" if code == 137 else "it crashed"
        return EngineError(f"benchmark_model on {name} was ended by signal {code - 128} ({how}): {said}")
    if code == 0:
        return EngineError(
            f"the binary ran on {name} but printed no 'Inference timings' ({said}); is it LiteRT's benchmark_model?"
        )
    return EngineError(f"benchmark_model on {name} ended with code {code}: {said}")
