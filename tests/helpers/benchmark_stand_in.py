"""Stands in for LiteRT's `benchmark_model` in tests: the same arguments and lines, with the model run by the wheel.

Google builds that program with Bazel for a device; none can be had from a package registry. What this prints follows
tflite/tools/benchmark/benchmark_model.cc and tensorflow's stats_calculator.h; the times in it are measured.
"""

import math
import resource
import sys
import time
from pathlib import Path

import numpy as np


def main() -> int:
    given = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    say(f"Min num runs: [{given['num_runs']}]")
    say(f"Num threads: [{given['num_threads']}]")
    say(f"Graph: [{given['graph']}]")
    from ai_edge_litert.interpreter import Interpreter

    before = resident()
    start = time.perf_counter_ns()
    try:
        interpreter = Interpreter(model_path=given["graph"], num_threads=int(given["num_threads"]))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        print(f"ERROR: Failed to initialize the interpreter: {error}", file=sys.stderr)
        print("ERROR: Benchmarking failed.", file=sys.stderr)
        return 1
    init = (time.perf_counter_ns() - start) // 1000
    loaded = resident()
    say(f"Loaded model {given['graph']}")
    say(f"The input model file size (MB): {Path(given['graph']).stat().st_size / 1e6:g}")
    say(f"Initialized session in {init / 1e3:g}ms.")
    feed(interpreter, given)
    warm = run(interpreter, int(given["warmup_runs"]), float(given["warmup_min_secs"]), float(given["max_secs"]))
    times = run(interpreter, int(given["num_runs"]), float(given["min_secs"]), float(given["max_secs"]))
    if given.get("output_filepath"):
        # In the graph's order, as the tool does.
        raw = [interpreter.get_tensor(item["index"]).tobytes() for item in interpreter.get_output_details()]
        Path(given["output_filepath"]).write_bytes(b"".join(raw))
    first = warm[0] if warm else 0
    say(
        f"Inference timings in us: Init: {init}, First inference: {first}, "
        f"Warmup (avg): {np.mean(warm or [0]):g}, Inference (avg): {np.mean(times):g}"
    )
    say(
        "Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual "
        "memory footprint of the model at runtime. Take the information at your discretion."
    )
    say(
        "Memory footprint delta from the start of the tool (MB): "
        f"init={(loaded - before) / 1024:g} overall={(resident() - before) / 1024:g}"
    )
    if given.get("report_peak_memory_footprint") == "true":
        say(f"Overall peak memory footprint (MB) via periodic monitoring: {resident() / 1024:g}")
    return 0


def run(interpreter: object, least: int, seconds: float, most: float) -> list[int]:
    say(
        f"Running benchmark for at least {least} iterations and at least {seconds:g} seconds but terminate if "
        f"exceeding {most:g} seconds."
    )
    times: list[int] = []
    start = time.perf_counter()
    while (len(times) < least or time.perf_counter() - start < seconds) and time.perf_counter() - start <= most:
        begin = time.perf_counter_ns()
        interpreter.invoke()
        times.append((time.perf_counter_ns() - begin) // 1000)
    say(statistics(times) + "\n")
    return times


def statistics(times: list[int]) -> str:
    if not times:
        return "count=0 p5=0 median=0 p95=0"
    low, high = min(times), max(times)
    text = f"count={len(times)} curr={times[-1]}" + ("(all same)" if len(times) > 1 else "")
    if low != high:
        mean = sum(times) / len(times)
        deviation = int(math.sqrt(sum(value * value for value in times) / len(times) - mean * mean))
        text = f"count={len(times)} first={times[0]} curr={times[-1]} min={low} max={high} avg={mean:g} std={deviation}"
    ranked = sorted(times)
    p5, median, p95 = (ranked[len(ranked) * part // 100] for part in (5, 50, 95))
    return f"{text} p5={p5} median={median} p95={p95}"


def feed(interpreter: object, given: dict[str, str]) -> None:
    (details,) = interpreter.get_input_details()
    shape, dtype = details["shape"], details["dtype"]
    if "input_layer_value_files" in given:
        file = given["input_layer_value_files"].partition(":")[2]
        raw = Path(file).read_bytes()
        assert given["input_layer_shape"] == ",".join(map(str, shape))
        tensor = np.frombuffer(raw, dtype).reshape(shape)
    elif np.issubdtype(dtype, np.integer):
        tensor = np.random.default_rng(0).integers(-128, 128, shape).astype(dtype)
    else:
        tensor = np.random.default_rng(0).random(shape).astype(dtype)
    interpreter.set_tensor(details["index"], tensor)


def resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def say(text: str) -> None:
    print(f"INFO: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
