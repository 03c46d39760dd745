"""`handlens sweep --ray`: a local cluster of two nodes, one of which dies while trials run on it."""

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlens.errors import MissingExtra, OptionError
from handlens_export.sweep.database import ARTIFACTS, Database, Row
from handlens_export.sweep.ray import Cluster
from handlens_export.sweep.search import Driver, Limits
from handlens_export.sweep.space import Search
from handlens_export.sweep.trial import Order, Result, Trial

# In a trial's place: says that it began, takes as long as its node says, and leaves an artifact.
FAKE = """
import json, os, sys, time
from pathlib import Path
from handlens_export.sweep.trial import Figures, Outcome

folder = Path(sys.argv[1])
seed = json.loads(json.loads((folder / "order.json").read_text())["trial"])["seed"]
with Path(os.environ["LOG"]).open("a") as log:
    log.write(f"{seed} {os.environ['SECONDS']} {os.getpid()}\\n")
time.sleep(float(os.environ["SECONDS"]))
numbers = dict.fromkeys(("size", "gzip_size", "parameters", "n"), 1)
parts = dict.fromkeys(("sparsity", "value", "low", "high", "loss", "loss_low", "loss_high"), 0.5)
words = dict.fromkeys(("task", "metric", "dataset", "split", "engine"), "fake")
(folder / f"{seed}.tflite").write_bytes(seed.to_bytes())
(folder / "outcomes.npz").write_bytes(b"outcomes")
outcome = Outcome(state="done", figures=Figures(artifact=f"{seed}.tflite", **numbers, **parts, **words))
(folder / "outcome.json").write_text(outcome.to_json())
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: what runs a trial, and the log of all that began."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "fake.py").write_text(FAKE)
    return folder


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[Any]:
    """A node of one processor and what can add more; nothing is written outside of temporary folders."""
    utils = pytest.importorskip("ray.cluster_utils")
    patch = pytest.MonkeyPatch()
    short = tempfile.mkdtemp(prefix="r")  # a socket's path has 107 characters at most
    for name, value in {
        "RAY_TMPDIR": short,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "LOG": str(place / "log"),
        "SECONDS": "1",
        "RAY_health_check_period_ms": "300",  # a dead node refuses to answer: five refusals, and it is given up
        "RAY_worker_niceness": "0",
    }.items():
        patch.setenv(name, value)
    small = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    made = utils.Cluster(initialize_head=True, head_node_args=small)
    yield made
    made.shutdown()
    patch.undo()
    shutil.rmtree(short, ignore_errors=True)


def trial(place: Path, seed: int) -> Trial:
    return Trial(source=str(place), recipe="int8", format="tflite", seed=seed)


def once(trial: Trial) -> Search:
    yield trial


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_a_lost_node_costs_no_trial_and_none_ends_twice(cluster: Any, place: Path, tmp_path: Path) -> None:
    second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20, env_vars={"SECONDS": "100"})
    said: list[str] = []
    ended: list[Row] = []

    def began() -> list[list[str]]:
        return [line.split() for line in (place / "log").read_text().splitlines()]

    class Killed(Cluster):
        def finished(self, seconds: float) -> list[tuple[str, Result]]:
            if len(ended) >= 2 and cluster.worker_nodes and ["100"] in [line[1:2] for line in began()]:
                cluster.remove_node(second, allow_graceful=False)
            return super().finished(seconds)

    lanes = Killed(cluster.address, say=said.append, command=(sys.executable, str(place / "fake.py")))
    assert lanes.count == 2
    try:
        with Database(tmp_path) as database:
            driver = Driver(database, lanes, Limits(minutes=5, memory_mb=1000), None, 1.0, ended=ended.append)
            driver.all([once(trial(place, seed)) for seed in range(6)])
            rows = database.rows()
    finally:
        lanes.stop()
    assert [row.state for row in rows] == ["done"] * 6 and {row.starts for row in rows} == {1}
    assert len(ended) == 6 == len({row.trial.key for row in ended})
    for row in rows:
        assert (tmp_path / ARTIFACTS / f"{row.trial.seed}.tflite").read_bytes() == bytes([row.trial.seed])
    lost = {line[0] for line in began() if line[1] == "100"}
    assert lost and lost <= {line[0] for line in began() if line[1] != "100"}, "Ray repeats what the lost node had"
    assert any("lost" in line and "1 run at once" in line for line in said)
    assert not [line for line in began() if alive(int(line[2]))], "a trial outlived its node"


@pytest.mark.slow
def test_what_a_machine_cannot_run_is_refused_and_a_stop_leaves_no_process(cluster: Any, place: Path) -> None:
    with pytest.raises(OptionError, match=f"takes 64 processors; the machines there have {socket.gethostname()}: 1"):
        Cluster(cluster.address, threads=64)
    lanes = Cluster(cluster.address, command=(sys.executable, str(place / "fake.py")))
    log = place / "log"
    before = log.read_text() if log.exists() else ""
    try:
        lanes.start(order(replace(trial(place, 1), source=str(place / "absent"))))
        with pytest.raises(OptionError, match="absent; the run must be at the same path on every machine"):
            while True:
                lanes.finished(1)
        lanes.start(order(trial(place, 77)))
        while not log.exists() or log.read_text() == before:
            assert lanes.finished(0.05) == []
    finally:
        lanes.stop()
    seed, _, pid = log.read_text().removeprefix(before).split()
    assert seed == "77" and not alive(int(pid))


@pytest.mark.slow
def test_ray_s_own_errors_fail_a_trial_or_end_the_sweep_when_the_cluster_is_gone(
    cluster: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def broken(error: Exception) -> None:
        def get(reference: Any) -> None:
            raise error

        monkeypatch.setattr(ray, "get", get)

    def ended() -> list[tuple[str, Result]]:
        lanes.start(order(wanted))
        while not (found := lanes.finished(1)):
            pass
        return found

    lanes, wanted = Cluster(cluster.address), replace(trial(place, 1), source=str(place / "absent"))
    try:
        broken(ray.exceptions.WorkerCrashedError())
        ((key, result),) = ended()
        assert key == wanted.key and result.outcome.state == "failed"
        assert result.outcome.reason.startswith("WorkerCrashedError of Ray: The worker died")
        broken(ray.exceptions.LocalRayletDiedError())
        with pytest.raises(OptionError, match="the cluster is gone, .* give the same command"):
            ended()
    finally:
        lanes.stop()


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(OptionError, match=f"--ray {address}: no cluster .* ray start --head"):
        Cluster(address)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"handlens\[sweep\]"):
        Cluster("auto")


def order(wanted: Trial) -> Order:
    return Order(trial=wanted, allowed=1.0, data=None, minutes=1, memory_mb=1000, threads=1, reference=None)
