"""Running the worker: progress, its refusals as errors, and no process left behind."""

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from handlens.errors import EngineError, MissingExtra, OptionError
from handlens_export.progress import Bar
from handlens_export.tfmot.order import REFUSED

PACKAGES = {"tensorflow_model_optimization": "tensorflow-model-optimization", "tf_keras": "tf-keras"}
_REFUSAL = 3
_LAST_LINES = 12


def require() -> None:
    """Looks for the packages, without importing them.

    Raises:
        MissingExtra: one is not installed.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtra(package, "tfmot")


def run(folder: Path, recipe: str) -> None:
    """Carries out the order in a folder; its results lie there afterwards.

    Raises:
        OptionError: tfmot refuses a layer; it is named.
        EngineError: tfmot or the converter failed; its last words are in the message.
    """
    # The package as it was found here, also where it is on the path by other means than the environment.
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = os.environ | {
        "PYTHONPATH": paths,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "handlens_export.tfmot.worker", str(folder)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        # Its standard input stays open as long as somebody waits: it ends when that closes, however this process ends.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, env=environment
        ) as process:
            try:
                _follow(process)
                code = process.wait()
            finally:
                process.kill()
        if code == _REFUSAL:
            facts = json.loads((folder / REFUSED).read_text(encoding="utf-8"))
            raise OptionError(
                f"recipe {recipe}: tfmot cannot take layer {facts['layer']} ({facts['kind']}): "
                f"{_line(facts['words'])}. Use handlens's own qat-int8 or int8 for this network"
            )
        if code != 0:
            words.seek(0)
            lines = [line.strip() for line in words.read().splitlines() if line.strip()]
            raise EngineError(
                f"recipe {recipe}: the tfmot process ended with {_ending(code)}: {_said(lines)}. "
                "Use handlens's own qat-int8 for this network"
            )


def _follow(process: "subprocess.Popen[str]") -> None:
    """Shows the worker's lines of progress as bars, until it says no more."""
    bar: Bar | None = None
    label = ""
    try:
        for line in process.stdout or ():
            parts = line.rstrip("\n").split("\t")
            if len(parts) != 5 or parts[0] != "progress":
                continue
            if bar is None or parts[1] != label:
                if bar is not None:
                    bar.__exit__(None, None, None)
                label, bar = parts[1], Bar(parts[1], int(parts[3]))
                bar.__enter__()
            bar.update(int(parts[2]), loss=float(parts[4]))
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _said(lines: list[str]) -> str:
    """The last line that looks like an error, else the last."""
    for line in reversed(lines[-_LAST_LINES:]):
        if re.match(r"[\w.]*(Error|Exception)\b", line):
            return _line(line)
    return _line(lines[-1]) if lines else "it said nothing"


def _line(words: str) -> str:
    """One line of a page of words."""
    text = " ".join(words.split())
    return text if len(text) <= 300 else text[:297] + "..."
