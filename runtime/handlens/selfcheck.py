"""Golden replay once per file, engine and machine, with the verdict kept in the user's cache folder."""

import dataclasses
import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens import files
from handlens.artifact import Artifact
from handlens.errors import EngineWrong, GoldenInvalid
from handlens.golden import GoldenRow, GoldenVerdict, replay

if TYPE_CHECKING:
    from handlens.engine import Engine


def require(artifact: Artifact, engine: "Engine") -> GoldenVerdict:
    """Returns the verdict on an engine, replaying only when none is cached.

    Raises:
        EngineWrong: the engine answers the goldens wrongly; names output, error and tolerance.
        GoldenInvalid: pre-processing gives another input here than where the artifact was written.
    """
    place = cache_file(artifact, engine)
    verdict = _load(place)
    if verdict is None:
        verdict = check(artifact, engine)
    if not verdict.passed:
        raise EngineWrong(explain(artifact, engine, verdict))
    return verdict


def check(artifact: Artifact, engine: "Engine") -> GoldenVerdict:
    """Replays the goldens now, whatever is cached, and caches the verdict.

    Raises:
        GoldenInvalid: there are no goldens, or pre-processing gives another input here.
    """
    if not artifact.goldens:
        raise GoldenInvalid(f"{artifact.path} is a plain model without goldens; there is nothing to check it against")
    verdict = replay(engine, artifact.manifest, artifact.goldens)
    _store(cache_file(artifact, engine), verdict)
    return verdict


def explain(artifact: Artifact, engine: "Engine", verdict: GoldenVerdict) -> str:
    """One line on why a verdict is bad, and what to do."""
    worst = verdict.worst
    failed = sum(not row.passed for row in verdict.rows)
    return (
        f"engine {engine.name} {engine.version} answers {artifact.path} wrongly: {failed} of {len(verdict.rows)} "
        f"golden outputs; worst is {worst.output} for {worst.generator} {worst.seed}, off by "
        f"{worst.max_abs_error:.4g} where {worst.allowed:.4g} is allowed; use another engine or version "
        "(handlens check FILE --engine NAME)"
    )


def cache_folder() -> Path:
    """Where verdicts are kept: HANDLENS_CACHE, else XDG_CACHE_HOME/handlens, else ~/.cache/handlens."""
    chosen = os.environ.get("HANDLENS_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "handlens"


def cache_file(artifact: Artifact, engine: "Engine") -> Path:
    """The file that keeps the verdict on this artifact, engine and machine."""
    facts = [artifact.sha256, engine.name, engine.version, np.__version__, *machine().values()]
    key = hashlib.sha256("\0".join(facts).encode("utf-8")).hexdigest()
    return cache_folder() / "verdicts" / f"{key}.json"


def machine() -> dict[str, str]:
    """What decides how this machine computes: system, architecture, Python, processor and its instruction sets."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "processor": _processor(),
    }


def _processor() -> str:
    wanted = ("model name", "flags", "Features", "CPU part", "Hardware")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in wanted:
            found.setdefault(key.strip(), value.strip())
    return json.dumps(found, sort_keys=True)


def _store(place: Path, verdict: GoldenVerdict) -> None:
    # The error as text: JSON has no infinity.
    rows = [{**dataclasses.asdict(row), "max_abs_error": str(row.max_abs_error)} for row in verdict.rows]
    try:
        files.write_text(place, json.dumps({"schema": 1, "rows": rows}) + "\n")
    except (OSError, RuntimeError):
        pass  # a read-only home only costs a replay at each start


def _load(place: Path) -> GoldenVerdict | None:
    """The cached verdict; None when there is none, or it cannot be read: then it is made anew."""
    try:
        data: Mapping[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if data["schema"] != 1 or not data["rows"]:
            return None
        return GoldenVerdict(
            tuple(
                GoldenRow(
                    generator=str(row["generator"]),
                    seed=int(row["seed"]),
                    output=str(row["output"]),
                    max_abs_error=float(row["max_abs_error"]),
                    allowed=float(row["allowed"]),
                )
                for row in data["rows"]
            )
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return None
