"""Stands in for `python -m handlens_export.sweep.worker`: an outcome without a network.

What it does is in STUB (JSON, by recipe), or in the options of its trial: loss (points), size, seconds,
allocate (MiB), child (its own process allocates), lingers, signal, refuse, silent. Each start is a line in SOURCE/log.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def allocate(megabytes: int) -> None:
    held = bytearray(megabytes * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(60)


def main(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    trial = json.loads(order["trial"])
    does = json.loads(os.environ.get("STUB", "{}")).get(trial["recipe"], {})
    does |= {name: json.loads(value) for name, value in trial["options"]}
    with (Path(trial["source"]) / "log").open("a") as log:
        log.write(f"{trial['recipe']} {os.getpid()}\n")
    if "lingers" in does:  # a process that would outlive its parent
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (Path(trial["source"]) / "child").write_text(str(child.pid))
    time.sleep(does.get("seconds", 0.0))
    if "child" in does:
        subprocess.run([sys.executable, __file__, "allocate", str(does["child"])], check=False)
    if "allocate" in does:
        allocate(does["allocate"])
    if "signal" in does:
        os.kill(os.getpid(), getattr(signal, does["signal"]))
    if "silent" in does:
        sys.exit("a last word\n")
    outcome = {"state": "refused", "reason": does.get("refuse", ""), "figures": None}
    if "refuse" not in does:
        loss = float(does.get("loss", 0.0))
        (folder / "stub.tflite").write_bytes(f"artifact of {trial['recipe']}".encode())
        (folder / "outcomes.npz").write_bytes(b"outcomes")
        name = f"{trial['recipe']}.tflite"
        (folder / "stub.tflite").rename(folder / name)
        outcome |= {
            "state": "done",
            "figures": {
                "artifact": name, "size": does.get("size", 1000), "gzip_size": does.get("size", 1000) - 100,
                "sparsity": 0.0, "parameters": 10, "task": "stub", "metric": "accuracy", "dataset": "drawn",
                "split": "val", "n": 100, "value": 0.9 - loss / 100, "low": 0.8, "high": 0.95,
                "loss": loss, "loss_low": loss - 1, "loss_high": loss + 1, "engine": "none",
            },
        }  # fmt: skip
    (folder / "outcome.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    if sys.argv[1] == "allocate":
        allocate(int(sys.argv[2]))
    main(Path(sys.argv[1]))
