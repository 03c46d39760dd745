"""`handlens train --devices`: the same losses on two devices as on one, and what cannot be shared is refused.

Keras divides batches under JAX alone, and JAX counts its devices once: a process of its own sees virtual ones.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handlens.errors import OptionError

# What each device got is kept: equal losses alone would also come of one device that computes everything.
SCRIPT = """
import json, sys
import jax
from handlens.cli import main

place, shares = jax.make_array_from_process_local_data, set()

def watched(*arguments, **named):
    array = place(*arguments, **named)
    shares.add((len(array), *(len(share.data) for share in array.addressable_shards)))
    return array

jax.make_array_from_process_local_data = watched
codes = []
for devices in "1234":
    sys.argv = ["handlens", "train", "facecheck", "--epochs", "2", "--out", devices, "--devices", devices]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code)
print(json.dumps({"codes": codes, "shares": sorted(shares)}))
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_does_and_an_uneven_share_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
    }
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["codes"] == [0, 0, 2, 2], done.stderr[-2000:]
    # Batches of 20 are halved; the 60 patches of the evaluation, in 32 and 28, are whole on each device.
    assert [20, 10, 10] in seen["shares"] and [32, 32, 32] in seen["shares"]
    logs = []
    for devices in (1, 2):
        with (tmp_path / str(devices) / "log.csv").open(newline="") as file:
            logs.append([float(row["loss"]) for row in csv.DictReader(file)])
    assert len(logs[0]) == 2
    np.testing.assert_allclose(logs[0], logs[1], rtol=1e-4)
    assert json.loads((tmp_path / "2" / "run.json").read_text())["devices"] == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: --devices")]
    assert "20 rows" in lines[0] and lines[0].endswith("valid here: 1, 2.")
    assert "JAX sees 3" in lines[1] and "at most 3" in lines[1]


def test_a_backend_without_it_is_refused_with_the_way_out() -> None:
    from handlens_train import devices

    with pytest.raises(OptionError, match="set KERAS_BACKEND=jax"), devices.use(2):
        pass
