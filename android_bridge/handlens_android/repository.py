"""An Android archive as a Maven repository in a folder: an app names one dependency, and gets what it needs with it."""

import hashlib
import re
from importlib import resources
from pathlib import Path

from handlens import files
from handlens.errors import OptionError
from handlens_android.aar import Built

GROUP, ARTIFACT = "io.handlens", "handlens"
# An engine for each kind of artifact: the app has one line to write. The first versions for phones with 16 KB pages.
ENGINES = {
    ".tflite": ("com.google.ai.edge.litert", "litert", "1.4.0"),
    ".onnx": ("com.microsoft.onnxruntime", "onnxruntime-android", "1.27.0"),
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def publish(built: Built, folder: str | Path, version: str | None = None) -> tuple[Path, str]:
    """Lays an archive out as Maven and Gradle look for it, with a POM that names what it needs, an engine among it.

    Args:
        built: from `build_aar`.
        folder: of the repository, made when missing; other versions in it stay.
        version: None for that of handlens.

    Returns:
        The path of the POM, and the coordinates to name as a dependency: "io.handlens:handlens:VERSION".

    Raises:
        OptionError: the version cannot be one.
        OSError: the folder cannot be written.
    """
    from handlens import __version__

    number = version or __version__
    if not _WORD.fullmatch(number):
        raise OptionError(f"version is {number!r:.80}; valid: letters, digits, '.', '_' and '-', such as 1.0.0")
    place = Path(folder) / GROUP.replace(".", "/") / ARTIFACT / number
    kinds = {Path(asset.name).suffix for asset in built.assets}
    engines = "\n".join(_dependency(*engine) for kind, engine in ENGINES.items() if kind in kinds)
    pom = resources.files("handlens_android").joinpath("handlens.pom").read_text(encoding="utf-8")
    pom = pom.replace("@VERSION@", number).replace("@ENGINES@", engines)
    for name, data in (
        (f"{ARTIFACT}-{number}.aar", built.path.read_bytes()),
        (f"{ARTIFACT}-{number}.pom", pom.encode()),
    ):
        files.write_bytes(place / name, data)
        files.write_text(place / f"{name}.sha1", hashlib.sha1(data, usedforsecurity=False).hexdigest())
    return place / f"{ARTIFACT}-{number}.pom", f"{GROUP}:{ARTIFACT}:{number}"


def _dependency(group: str, name: str, version: str) -> str:
    return f"""    <dependency>
      <groupId>{group}</groupId>
      <artifactId>{name}</artifactId>
      <version>{version}</version>
      <scope>compile</scope>
    </dependency>"""
