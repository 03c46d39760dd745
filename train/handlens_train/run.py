"""A run folder: what was trained, on what, with which versions, and whether it came to its end."""

import json
import platform
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from handlens.errors import RunError
from handlens.files import write_text

WEIGHTS = "best.weights.h5"
_VERSIONED = ("handlens", "keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Run:
    """One training run. `info` is run.json: config, seed, data hashes, versions, wall time in seconds, status."""

    path: Path
    task: str
    recipe: str
    config: dict[str, Any]
    seed: int
    status: str
    info: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Read a run that can be exported.

        Raises:
            RunError: not a run folder, run.json damaged, or the training has not yet written a best model.
        """
        info = read_info(path)
        if not (path / WEIGHTS).is_file():
            raise RunError(
                f"{path} is a half-written run (status: {info['status']}, no {WEIGHTS}). "
                f"Resume it: handlens train {info['task']} --recipe {info['recipe']} --out {path}"
            )
        return cls(path, info["task"], info["recipe"], info["config"], info["seed"], info["status"], info)

    @property
    def weights(self) -> Path:
        """The best model's weights, EMA applied."""
        return self.path / WEIGHTS

    def fill(self, model: Any) -> None:
        """Load the best model's weights into a Keras model.

        Raises:
            RunError: they are not of this network.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Keras warns of a layer that it could not fill before it fails.
                model.load_weights(self.weights)
        except (OSError, ValueError, UserWarning) as error:
            raise RunError(f"{self.path} does not fit this version's network ({error}). Train it again.") from error


def read_info(path: Path) -> dict[str, Any]:
    """run.json of a folder.

    Raises:
        RunError: missing or damaged.
    """
    file = path / "run.json"
    if not file.is_file():
        raise RunError(
            f"{path} is not a run folder: it has no run.json. Make one with handlens train TASK --out {path}"
        )
    try:
        info = json.loads(file.read_text())
        missing = [key for key in ("task", "recipe", "config", "seed", "status") if key not in info]
    except (ValueError, TypeError) as error:
        raise RunError(f"{file} is damaged ({error}). Train again into a fresh folder.") from error
    if missing:
        raise RunError(f"{file} lacks {', '.join(missing)}. Train again into a fresh folder.")
    return info


def write_info(path: Path, info: dict[str, Any]) -> None:
    """Write run.json whole or not at all."""
    write_text(path / "run.json", json.dumps(info, indent=2, sort_keys=True) + "\n")


def versions() -> dict[str, str]:
    """Versions of what takes part in a training, those installed."""
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
