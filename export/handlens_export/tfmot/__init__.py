"""The recipes `tfmot-...`: tensorflow-model-optimization as a second engine, in a process of its own."""

from handlens_export.tfmot.engine import make

__all__ = ["make"]
