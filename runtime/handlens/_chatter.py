"""Keeps the engines' own news ("INFO: Created ... delegate") off the terminal; everything else they say still shows."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_news() -> Iterator[None]:
    """Holds back what is written to file descriptor 2, and passes it on afterwards, less lines that begin with "INFO:".

    C++ code writes past Python's `sys.stderr`, and LiteRT has no switch for it.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            held.seek(0)
            for line in held:
                if not line.startswith(b"INFO:"):
                    os.write(terminal, line)
            os.close(terminal)
