"""One self-describing file: a model with a ZIP at its end that holds manifest, golden vectors and extras.

A `.tflite` is a FlatBuffer with the ZIP appended; a `.onnx` holds the same ZIP as one unknown field at its end. Other
tools still read the model, and `unzip -l FILE` lists what rides along. The ZIP's comment, the file's last 80 bytes,
holds the SHA-256 of every byte before it. Nothing here parses the model, unpacks to disk, or runs code from the file.
"""

import dataclasses
import hashlib
import hmac
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlens import _model, _onnx, _zip, files, golden
from handlens._malformed import CutShort, Malformed
from handlens._model import KINDS, Kind, kind_of
from handlens.errors import (
    ArtifactTampered,
    ArtifactTooLarge,
    ArtifactTruncated,
    InputError,
    ManifestInvalid,
    NotAnArtifact,
    OptionError,
)
from handlens.golden import Golden
from handlens.manifest import Manifest

__all__ = ["KINDS", "MAX_BYTES", "Artifact", "Kind", "update_manifest", "write_artifact"]

MAX_BYTES = 256 * 2**20
MAX_EXTRAS = 16
_MARK = b"handlens sha256="
_COMMENT = len(_MARK) + 64
_FIRST = b"PK\3\4"
_LIMITS = {"manifest.json": 2**20, golden.INDEX: 2**20, golden.VALUES: 2**24, "extras/": 2**20}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A verified artifact, in memory.

    Attributes:
        path: of the file.
        kind: of the model part.
        manifest: what the file says about itself.
        goldens: what the model must answer; empty only for a plain model with a manifest brought along.
        extras: other small parts, by name.
        model: the model part, byte for byte as it was given to `write_artifact`.
        sha256: of every byte before the closing comment (for a plain model: of the file), 64 hex digits.
        size: of the whole file, in bytes.
    """

    path: Path
    kind: Kind
    manifest: Manifest
    goldens: tuple[Golden, ...]
    extras: dict[str, bytes]
    model: bytes = dataclasses.field(repr=False)
    sha256: str
    size: int

    @property
    def model_size(self) -> int:
        """Bytes of the model part."""
        return len(self.model)

    @classmethod
    def open(cls, path: str | Path, *, max_bytes: int = MAX_BYTES, manifest: Manifest | None = None) -> "Artifact":
        """Reads and verifies an artifact: size, hash, structure, manifest, goldens; only then is it safe to run.

        Args:
            path: the file.
            max_bytes: refuse larger files before reading them.
            manifest: for a plain model without a handlens ZIP only: what it would say about itself.

        Raises:
            NotAnArtifact: no such file, or no handlens ZIP in it.
            ArtifactTooLarge: more than `max_bytes`.
            ArtifactTruncated: the file ends early.
            ArtifactTampered: a byte differs from what was written, or a part does not belong.
            SchemaTooNew: written by a newer handlens.
            ManifestInvalid: the manifest breaks a rule or does not belong to this model.
            GoldenInvalid: the golden vectors are damaged.
            InputError: a manifest was given for a file that has its own.
        """
        path = Path(path)
        data = _read(path, max_bytes)
        if manifest is not None:
            return _bring(path, data, manifest)
        return _parse(path, data)


def write_artifact(
    path: str | Path,
    model: bytes,
    kind: Kind,
    manifest: Manifest,
    goldens: Sequence[Golden],
    extras: Mapping[str, bytes] | None = None,
) -> Artifact:
    """Writes an artifact atomically; equal arguments give equal bytes.

    Args:
        path: of the file, replaced when it exists.
        model: a whole `.tflite` or `.onnx`; it stays byte-identical.
        kind: "tflite" or "onnx".
        manifest: its `model_id` is filled in here.
        goldens: from `handlens.golden.record_goldens`; their outputs must vary well beyond the manifest's tolerances.
        extras: other small parts, such as `{"cmc.json": ...}`; names of lower-case letters, digits, ".", "_" and "-".

    Returns:
        The artifact as read back from the bytes written.

    Raises:
        OptionError: unknown kind, or a bad name of an extra.
        NotAnArtifact: `model` is no model of that kind.
        ManifestInvalid: the manifest does not belong to this model.
        GoldenInvalid: the goldens do not fit the manifest, or their outputs hardly vary.
    """
    path = Path(path)
    if kind not in KINDS:
        raise OptionError(f"model kind {kind!r} is unknown; valid: {', '.join(KINDS)}")
    try:
        _model.check(model, kind)
    except Malformed as error:
        raise NotAnArtifact(f"the model for {path} is no complete .{kind}: {error}") from None
    manifest = dataclasses.replace(manifest, model_id=_model_id(model))
    golden.check_goldens(goldens, manifest)
    parts = {"manifest.json": manifest.to_json().encode("utf-8"), **golden.to_parts(goldens)}
    extras = dict(extras or {})
    for name in sorted(extras):
        if not _is_extra(name) or len(extras) > MAX_EXTRAS or len(extras[name]) > _LIMITS["extras/"]:
            raise OptionError(
                f"extra {name!r} of {len(extras[name])} bytes, one of {len(extras)}; valid: at most {MAX_EXTRAS} "
                f"extras of {_LIMITS['extras/']} bytes, names of lower-case letters, digits, '.', '_' and '-'"
            )
        parts[f"extras/{name}"] = extras[name]
    head = model
    if kind == "onnx":
        # The ZIP's length does not depend on where it stands, so it is known before the field's header is.
        head += _onnx.carrier(len(_zip.pack(parts, 0, _COMMENT)) + _COMMENT)
    body = head + _zip.pack(parts, len(head), _COMMENT)
    data = body + _MARK + hashlib.sha256(body).hexdigest().encode("ascii")
    artifact = _parse(path, data)  # what was just made must pass what every reader will ask of it
    files.write_bytes(path, data)
    return artifact


def update_manifest(path: str | Path, manifest: Manifest) -> Artifact:
    """Rewrites an artifact with another manifest (measured metrics, say) and the same model, goldens and extras.

    Raises:
        ArtifactError: the file is refused, as in `Artifact.open`, or the manifest does not belong to its model.
    """
    old = Artifact.open(path)
    return write_artifact(path, old.model, old.kind, manifest, old.goldens, old.extras)


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise NotAnArtifact(f"{path} is no ordinary file; expected a .tflite or .onnx written by handlens export")
        if info.st_size > max_bytes:
            raise ArtifactTooLarge(f"{path} has {info.st_size} bytes; at most {max_bytes} are read (max_bytes)")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise NotAnArtifact(f"{path} cannot be read: {error.strerror}; expected a file of handlens export") from None
    if len(data) > max_bytes:
        raise ArtifactTooLarge(f"{path} has more than the {max_bytes} bytes that are read (max_bytes)")
    return data


def _parse(path: Path, data: bytes) -> Artifact:
    digest = _verify_seal(path, data)
    try:
        start, parts = _zip.unpack(data, _COMMENT, _LIMITS)
    except ArtifactTampered as error:
        raise ArtifactTampered(f"{path}: {error}") from None
    names = list(parts)
    extras = {name.removeprefix("extras/"): parts[name] for name in names if name.startswith("extras/")}
    if names[:3] != ["manifest.json", golden.INDEX, golden.VALUES] or len(extras) != len(names) - 3:
        raise ArtifactTampered(f"{path} carries {', '.join(names)[:200]}; expected a manifest and goldens, then extras")
    if not all(_is_extra(name) for name in extras) or len(extras) > MAX_EXTRAS:
        raise ArtifactTampered(f"{path} carries extras that do not belong: {ascii(list(extras))[:200]}")
    kind = kind_of(data)
    model = data[:start]
    if kind == "onnx":
        header = _onnx.carrier(len(data) - start)
        if not model.endswith(header):
            raise ArtifactTampered(
                f"{path}: the ZIP is not the last field of an ONNX model, nor follows a TFLite model"
            )
        model = model[: -len(header)]
    try:
        _model.check(model, kind)
        text = parts["manifest.json"].decode("utf-8")
    except (Malformed, UnicodeDecodeError) as error:
        raise ArtifactTampered(f"{path}: {error}") from None
    manifest = Manifest.from_json(text)
    _check_belongs(path, manifest, kind, model)
    goldens = golden.from_parts(parts[golden.INDEX], parts[golden.VALUES])
    golden.check_goldens(goldens, manifest)
    return Artifact(
        path=path,
        kind=kind,
        manifest=manifest,
        goldens=goldens,
        extras=extras,
        model=model,
        sha256=digest,
        size=len(data),
    )


def _bring(path: Path, data: bytes, manifest: Manifest) -> Artifact:
    if _MARK in data[-_COMMENT:]:
        raise InputError(f"{path} has a manifest of its own; open it without one")
    kind = kind_of(data)
    try:
        _model.check(data, kind)
    except Malformed as error:
        raise NotAnArtifact(f"{path} is neither a .tflite nor a .onnx model: {error}") from None
    manifest = dataclasses.replace(manifest, model_id=_model_id(data))
    _check_belongs(path, manifest, kind, data)
    return Artifact(
        path=path,
        kind=kind,
        manifest=manifest,
        goldens=(),
        extras={},
        model=data,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )


def _verify_seal(path: Path, data: bytes) -> str:
    body, comment = data[:-_COMMENT], data[-_COMMENT:]
    if not re.fullmatch(re.escape(_MARK) + rb"[0-9a-f]{64}", comment):
        raise _diagnose(path, data)
    digest = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(digest.encode("ascii"), comment[len(_MARK) :]):
        raise ArtifactTampered(
            f"{path} was changed after it was written: its SHA-256 is {digest[:12]}..., its comment says "
            f"{comment[len(_MARK) :][:12].decode('ascii')}...; export it again or fetch it anew"
        )
    return digest


def _diagnose(path: Path, data: bytes) -> NotAnArtifact | ArtifactTruncated | ArtifactTampered:
    """Says what is wrong with a file that does not end in a handlens comment."""
    if not data:
        return ArtifactTruncated(f"{path} is empty (0 bytes); fetch it anew")
    seal = re.search(re.escape(_MARK) + rb"[0-9a-f]{64}", data)
    if seal:
        extra = len(data) - seal.end()
        return ArtifactTampered(f"{path} has {extra} bytes behind its end; it was appended to after it was written")
    if data[-_COMMENT - _zip.END.size : -_COMMENT].startswith(b"PK\5\6"):
        return ArtifactTampered(f"{path}: the closing comment with its SHA-256 was changed; fetch the file anew")
    if re.search(re.escape(_FIRST) + rb".{26}manifest\.json", data, re.DOTALL):
        return ArtifactTruncated(f"{path} ends early, after {len(data)} bytes, inside its ZIP; fetch it anew")
    kind = kind_of(data)
    try:
        _model.check(data, kind)
    except CutShort as error:
        # Any text looks a little like protobuf; every ONNX file begins with its ir_version, tag 8.
        if kind == "tflite" or data[0] == 8:
            return ArtifactTruncated(f"{path} ends early, after {len(data)} bytes, inside its model: {error}")
    except Malformed:
        pass
    else:
        return NotAnArtifact(
            f"{path} is a plain .{kind} model without a handlens manifest; write one with handlens export, or open it "
            "in Python with Artifact.open(path, manifest=Manifest(...))"
        )
    return NotAnArtifact(f"{path} is no handlens artifact; expected a .tflite or .onnx written by handlens export")


def _check_belongs(path: Path, manifest: Manifest, kind: Kind, model: bytes) -> None:
    if manifest.model_id != _model_id(model):
        raise ManifestInvalid(
            f"{path}: the manifest is for model {manifest.model_id}, the file holds {_model_id(model)}"
        )
    if manifest.compression.format != kind:
        raise ManifestInvalid(f"{path}: the manifest says {manifest.compression.format}, the model is a .{kind}")


def _model_id(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()[:32]


def _is_extra(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) is not None
