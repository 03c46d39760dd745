"""Atomic writes: a reader sees the old file or the whole new one, never a part."""

import os
import tempfile
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` atomically (a temporary file beside it, flushed, then renamed).

    Args:
        path: the target; its folder is made when missing, an existing file is replaced.
        data: the whole content.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` atomically, as UTF-8 with the line ends it has.

    Raises:
        OSError: the folder cannot be made or written.
    """
    write_bytes(path, text.encode("utf-8"))


def _mode(path: Path) -> int:
    """The mode `open` would leave, where mkstemp leaves 0600: the replaced file's, else 0666 less the umask."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
