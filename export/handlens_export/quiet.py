"""Loads Keras for export without the noise: TensorFlow's C++ and Python logs are for its developers."""

import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from handlens.errors import MissingExtra, OptionError


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """Keeps what C++ code writes to stderr away from the terminal; written out after all when the block raises."""
    try:
        terminal = os.dup(2)
    except OSError:  # No stderr at all: nothing to keep quiet.
        yield
        return
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(terminal, kept.read()[-4000:])
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def prepare(backend: str | None = None) -> None:
    """Sets the environment and imports Keras; call it before anything else imports Keras.

    Args:
        backend: the Keras backend to choose where none is chosen yet (KERAS_BACKEND or a loaded Keras win).

    Raises:
        MissingExtra: Keras is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
    if backend:
        os.environ.setdefault("KERAS_BACKEND", backend)
    try:
        with stderr_silenced():
            importlib.import_module("keras")
    except ImportError as error:
        raise MissingExtra(error.name or "keras", "export") from error
    for name in ("tensorflow", "absl", "tf2onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)


def tensorflow() -> object:
    """The TensorFlow module, which the converters need whatever backend the training used.

    Raises:
        MissingExtra: TensorFlow is not installed, or Keras runs on another backend in this process.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the weights were trained on
    prepare("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        raise OptionError(
            f"Keras runs on {keras.backend.backend()!r}; conversion needs 'tensorflow'. Weights carry over: "
            "run handlens export again with KERAS_BACKEND=tensorflow"
        )
    try:
        with warnings.catch_warnings(), stderr_silenced():
            warnings.simplefilter("ignore")
            import tensorflow as tf
    except ImportError as error:
        raise MissingExtra("tensorflow", "export") from error
    return tf
