"""The recipes `tfmot-...`: tensorflow-model-optimization as a second engine, in a process of its own."""

from handlens_export.tfmot.make import make

__all__ = ["make"]
