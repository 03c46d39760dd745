"""An Android archive: a ZIP with the Kotlin library's classes, what Android's tools ask for, and artifacts as assets.

The shape is that of https://developer.android.com/studio/projects/android-library ("Anatomy of an AAR file"). Every
entry is stored: artifacts can be memory-mapped after packaging, and equal input gives equal bytes with any zlib.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from handlens import files
from handlens.artifact import Artifact
from handlens.errors import InputError, OptionError
from handlens_android import licences

MIN_SDK = 24
ASSETS = "assets/handlens/"
NAMESPACE = "io.handlens"
JAR = "handlens-classes.jar"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MANIFEST = f"""<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="{NAMESPACE}">
    <uses-sdk android:minSdkVersion="{MIN_SDK}" />
</manifest>
"""
# What Android's Gradle plugin checks before it takes an AAR in.
_METADATA = f"""aarFormatVersion=1.0
aarMetadataVersion=1.0
minCompileSdk={MIN_SDK}
minCompileSdkExtension=0
minAndroidGradlePluginVersion=4.2.0
coreLibraryDesugaringEnabled=false
"""
_NEEDED = ("io/handlens/artifact/Artifact.class", "io/handlens/engine/Session.class")
_MOST_JAR_BYTES = 64 * 2**20
_SEAL = b"handlens sha256="  # with 64 hex digits behind it, an artifact's last bytes


@dataclass(frozen=True, slots=True)
class Asset:
    """An artifact in an archive.

    Attributes:
        name: of its entry, "assets/handlens/NAME".
        task: that it is for.
        size: in bytes.
        sha256: of the file, 64 hex digits.
        licence: of its weights.
    """

    name: str
    task: str
    size: int
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class Built:
    """An archive was written.

    Attributes:
        path: of the file.
        size: in bytes.
        sha256: of the file, 64 hex digits.
        classes: number of classes in its classes.jar.
        assets: the artifacts, by name.
        limited: a line about each artifact whose weights not every app may carry.
    """

    path: Path
    size: int
    sha256: str
    classes: int
    assets: tuple[Asset, ...]
    limited: tuple[str, ...]


def build_aar(
    artifacts: Sequence[str | Path], out: str | Path, *, accept_licence: bool = False, jar: str | Path | None = None
) -> Built:
    """Writes an Android archive, atomically; equal input gives equal bytes.

    Args:
        artifacts: paths of `.tflite` and `.onnx` artifacts, at least one; each is verified.
        out: the archive to write, named `.aar`.
        accept_licence: whether artifacts whose weights not every app may carry go in.
        jar: the Kotlin library's classes; None for those that `make android` put into this package.

    Returns:
        What was written.

    Raises:
        OptionError: no artifact, two of one name, a name that is no asset's, `out` is not named `.aar`, or a licence
            was not accepted.
        ArtifactError: an artifact is damaged, too new, or none.
        InputError: the Kotlin classes are missing or damaged.
        OSError: `out` cannot be written.
    """
    out = Path(out)
    if out.suffix != ".aar":
        raise OptionError(f"the archive would be called {out.name!r}; expected a name that ends in .aar")
    opened = _open(artifacts)
    limited = licences.check(opened, accept_licence)
    classes, count = _classes(Path(jar) if jar is not None else None)
    entries = {
        "AndroidManifest.xml": _MANIFEST.encode(),
        "classes.jar": classes,
        "R.txt": b"",
        "proguard.txt": rules().encode(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": _METADATA.encode(),
        f"{ASSETS}LICENCES.txt": licences.notice(opened).encode(),
    }
    assets = []
    for artifact in opened:
        data = _bytes(artifact)
        entries[ASSETS + artifact.path.name] = data
        made = artifact.manifest
        digest = hashlib.sha256(data).hexdigest()
        assets.append(Asset(artifact.path.name, made.task, len(data), digest, made.provenance.weights_licence))
    archive = _zip(entries)
    files.write_bytes(out, archive)
    return Built(out, len(archive), hashlib.sha256(archive).hexdigest(), count, tuple(assets), limited)


def rules() -> str:
    """The rules for R8 and ProGuard that an app takes over with the archive."""
    return resources.files("handlens_android").joinpath("consumer-rules.pro").read_text(encoding="utf-8")


def _open(artifacts: Sequence[str | Path]) -> list[Artifact]:
    if not artifacts or isinstance(artifacts, (str, Path)):
        raise OptionError("no artifact is named; give a list of .tflite and .onnx files (--artifact FILE, repeated)")
    opened: dict[str, Artifact] = {}
    for path in map(Path, artifacts):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", path.name):
            raise OptionError(f"{path.name!r} cannot be an asset's name; use letters, digits, '.', '_' and '-'")
        if path.name.lower() in opened:
            raise OptionError(f"two artifacts are called {path.name}; assets need names of their own: rename one")
        opened[path.name.lower()] = Artifact.open(path)
    return list(opened.values())


def _bytes(artifact: Artifact) -> bytes:
    """The file once more, which must still be the one that was verified."""
    data = artifact.path.read_bytes()
    if len(data) != artifact.size or hashlib.sha256(data[: -len(_SEAL) - 64]).hexdigest() != artifact.sha256:
        raise InputError(f"{artifact.path} changed while it was read; build again when nothing writes it")
    return data


def _classes(jar: Path | None) -> tuple[bytes, int]:
    """The bytes of the classes' jar, and how many classes are in it."""
    built = Path(str(resources.files("handlens_android"))) / "jars" / JAR
    path = jar if jar is not None else built
    if not path.is_file():
        raise InputError(
            f"{path}: the Kotlin classes are not built; run `make android` in a checkout (it needs JDK 17 and Maven), "
            "or name a jar with --jar"
        )
    if path.stat().st_size > _MOST_JAR_BYTES:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes; expected the Kotlin library's jar of a few hundred KB"
        )
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is no jar ({error}); build it with `make android`") from None
    lacking = [name for name in _NEEDED if name not in names]
    if damaged or lacking:
        what = f"its {damaged} is damaged" if damaged else f"it lacks {', '.join(lacking)}"
        raise InputError(f"{path} is not the Kotlin library: {what}; build it with `make android`")
    return data, sum(name.endswith(".class") for name in names)


def _zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()
