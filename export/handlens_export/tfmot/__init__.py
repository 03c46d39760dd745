"""The recipes `tfmot-...`: tensorflow-model-optimization as a second engine, in a process of its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handlens_export.candidate import Candidate


def make(*arguments: Any) -> "Candidate":
    """`engine.make`, which is imported only now: the worker, which is of this package too, needs none of it."""
    from handlens_export.tfmot import engine

    return engine.make(*arguments)
