"""`handlens import FILE --manifest M.json --out OUT`: a model trained elsewhere becomes an artifact."""

from pathlib import Path
from typing import Annotated

import typer

from handlens import golden
from handlens.artifact import Artifact, write_artifact
from handlens.engine import ENGINES, Engine, open_engine
from handlens.errors import GoldenInvalid, ManifestInvalid, OptionError
from handlens.manifest import Manifest

# A model that was trained on photographs answers few drawn patterns; more are drawn where the usual ones do not do.
SEEDS = (range(1, 5), range(1, 25))


def import_model(
    file: Annotated[Path, typer.Argument(help="A plain .tflite or .onnx model.")],
    manifest: Annotated[Path, typer.Option(help="JSON that says what handlens must know; see docs/manifests.")],
    out: Annotated[Path, typer.Option(help="The artifact to write.")],
    engine: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(ENGINES)}, to record goldens on; left out: the default.")
    ] = None,
) -> None:
    """Wrap a foreign model and a manifest into an artifact that is checked, run, evaluated and reported like ours."""
    if out.resolve() == file.resolve():
        raise OptionError(f"--out is {out}, the model itself; choose another file")
    written = wrap(file, read_manifest(manifest), out, engine)
    typer.echo(
        f"{out}: {written.manifest.name} {written.manifest.version}, task {written.manifest.task}, "
        f"{written.size:,} bytes, model id {written.manifest.model_id}"
    )


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest from a JSON file.

    Raises:
        ManifestInvalid: it is no manifest; the message names file and field.
        OSError: it cannot be read.
    """
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except (ManifestInvalid, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{path}: {error}") from None


def wrap(file: Path, manifest: Manifest, out: Path, engine: str | None = None) -> Artifact:
    """Writes a model and a manifest as an artifact, after running it: goldens are recorded on the engine at hand.

    Args:
        file: a plain `.tflite` or `.onnx` model.
        manifest: what it would say about itself; `model_id` is filled in.
        out: the artifact to write.
        engine: to record goldens on; None for the default of the file's kind.

    Raises:
        NotAnArtifact: `file` is no model.
        ManifestInvalid: the model has not the tensors the manifest names, or its task cannot use them.
        GoldenInvalid: the model answers the same whatever it sees.
        OptionError: the task is unknown.
        EngineError: the engine is missing, or cannot read the model.
    """
    plain = Artifact.open(file, manifest=manifest)
    opened = open_engine(plain, engine)
    try:
        _try(opened, plain.manifest)
        return write_artifact(out, plain.model, plain.kind, manifest, _goldens(opened, manifest, file))
    finally:
        opened.close()


def _goldens(engine: Engine, manifest: Manifest, file: Path) -> tuple[golden.Golden, ...]:
    for seeds in SEEDS:
        try:
            goldens = golden.record_goldens(engine, manifest.input, seeds=tuple(seeds))
            golden.check_goldens(goldens, manifest)
            return goldens
        except GoldenInvalid as error:
            reason = error
    raise GoldenInvalid(
        f"{file}: {reason} With a model from elsewhere the input is often fed wrongly: compare the manifest's "
        "input.scale, input.offset, colour and layout with what it was trained on. Where they are right, lower the "
        "tolerance of that output"
    )


def _try(engine: Engine, manifest: Manifest) -> None:
    """Builds the task class, which holds the manifest against what the task needs."""
    from handlens.face import FaceDetector, FaceVerifier, GenderClassifier
    from handlens.person import PersonReidentifier
    from handlens.segment import Segmenter

    known = (FaceDetector, FaceVerifier, GenderClassifier, PersonReidentifier, Segmenter)
    tasks = {made.task: made for made in known}
    if manifest.decoding.get("kind") == "mask":
        tasks[manifest.task] = Segmenter  # whatever it segments
    if manifest.task not in tasks:
        raise OptionError(f"the manifest's task is {manifest.task!r}; tasks to import for: {', '.join(tasks)}")
    tasks[manifest.task](engine, manifest)
