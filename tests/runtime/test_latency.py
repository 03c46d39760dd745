"""Latency: figures that hang together, from a process of their own. Nothing here asserts how quick anything is."""

import json
import math
import os
import platform

import numpy as np
import pytest

from handlens import latency
from handlens.engine import default_engine
from handlens.errors import EngineError, EngineUnavailable, NotAnArtifact, OptionError
from handlens.latency import host, measure, to_dict


@pytest.fixture(scope="module")
def ballast() -> np.ndarray:
    """A large parent: its memory must not show in the child's figure."""
    return np.ones(256 * 2**20, np.uint8)


def test_a_measurement_hangs_together_and_is_of_a_fresh_process(write, any_file, ballast):
    artifact = write(any_file)
    result = measure(artifact.path, threads=2, runs=30, warmup=2)
    assert result.engine == default_engine(artifact.kind)
    assert (result.threads, result.runs) == (2, 30) and result.engine_version[0].isdigit()
    assert 0 < result.p50_ms <= result.p90_ms <= result.p99_ms
    assert 0 < result.pipeline_p50_ms <= result.pipeline_p90_ms <= result.pipeline_p99_ms
    assert result.cold_ms > 0
    if platform.system() == "Linux":
        assert 10 < result.base_memory_mb <= result.peak_memory_mb < 250
    assert json.loads(json.dumps(to_dict(result))) == to_dict(result)


@pytest.mark.parametrize(("runs", "warmup"), [(0, 1), (1, -1)])
def test_runs_out_of_range_are_refused(tmp_path, runs, warmup):
    with pytest.raises(OptionError, match="valid: 1 or more"):
        measure(tmp_path / "any", runs=runs, warmup=warmup)


def test_errors_of_the_process_come_through_by_their_names(write, tmp_path):
    with pytest.raises(NotAnArtifact, match="gone"):
        measure(tmp_path / "gone.tflite")
    with pytest.raises(OptionError, match="valid: litert"):
        measure(write().path, engine="onnxruntime")
    if np.__version__.split(".")[0] != "1":
        with pytest.raises(EngineUnavailable, match="tflite-runtime"):
            measure(write().path, engine="tflite-runtime")


def test_a_process_that_dies_is_an_engine_error(write, monkeypatch, tmp_path):
    path = write().path
    broken = tmp_path / "broken-python"
    broken.write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nexit 132\n")
    broken.chmod(0o755)
    monkeypatch.setattr(latency.sys, "executable", str(broken))
    with pytest.raises(EngineError, match="code 132: Illegal instruction"):
        measure(path)


def test_the_host_is_described_without_its_name():
    described = host()
    assert described.cpu and described.architecture == platform.machine()
    assert 1 <= described.cores <= (os.cpu_count() or 1)
    assert described.versions["numpy"] == np.__version__
    assert described.load_average is None or math.isfinite(described.load_average)
    if len(platform.node()) > 3:
        assert platform.node() not in json.dumps(to_dict(described))
