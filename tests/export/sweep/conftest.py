"""Trials whose process is a few lines of Python instead of TensorFlow: what a sweep does with them is the same."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlens_export.sweep.trial import Order, Trial

STUB = Path(__file__).parent / "stub_worker.py"


@pytest.fixture
def stub() -> tuple[str, ...]:
    """A command that takes the place of the worker's."""
    return (sys.executable, str(STUB))


@pytest.fixture
def make_trial(tmp_path: Path) -> Callable[..., Trial]:
    """A trial of the stub: it does what its `options` say, and notes in tmp_path/log that it was started."""

    def make(recipe: str = "int8", **does: Any) -> Trial:
        options = tuple(sorted((name, json.dumps(value)) for name, value in does.items()))
        return Trial(source=str(tmp_path), recipe=recipe, format="tflite", options=options)

    return make


@pytest.fixture
def make_order() -> Callable[..., Order]:
    """The order of a trial, with limits that no stub comes near."""

    def make(trial: Trial, **changes: Any) -> Order:
        given = {"allowed": 1.0, "data": None, "minutes": 1.0, "memory_mb": 400.0, "threads": 1, "reference": None}
        return Order(trial=trial, **given | changes)

    return make


@pytest.fixture
def never() -> threading.Event:
    """An event that is not set."""
    return threading.Event()
