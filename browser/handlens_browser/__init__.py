"""The engines that `handlens bench --target browser` serves: LiteRT.js and ONNX Runtime Web, as files.

    >>> import handlens_browser
    >>> handlens_browser.versions()          # doctest: +SKIP
    {'litert': '2.5.3', 'onnxruntime': '1.30.0'}

This package has no dependencies: it holds files and knows where they lie. In a checkout, `scripts/vendor-browser` puts
them there; the wheel carries them.
"""

import json
from pathlib import Path

__version__ = "0.1.0"
__all__ = ["folder", "versions"]

_HOME = Path(__file__).parent / "vendor"


def folder() -> Path:
    """Where the engines lie: `litert/` and `onnxruntime/`.

    Raises:
        LookupError: they were never fetched, in a checkout.
    """
    if not (_HOME / ".lock").is_file():
        raise LookupError("the engines were not fetched; run scripts/vendor-browser in the checkout (it needs npm)")
    return _HOME


def versions() -> dict[str, str]:
    """The version of each engine.

    Raises:
        LookupError: they were never fetched, in a checkout.
    """
    found = {}
    for name in ("litert", "onnxruntime"):
        package = json.loads((folder() / name / "package.json").read_text(encoding="utf-8"))
        found[name] = str(package["version"])
    return found
