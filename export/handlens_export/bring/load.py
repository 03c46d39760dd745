"""From a model file to what export takes: `load` gives an `Exportable`, as a trained run does.

A `.keras` file comes whole, and every recipe is open to it. A SavedModel becomes a float32 `.tflite` first. A float32
`.tflite` or `.onnx` stays a file: its layers cannot be trained, but they can be quantized.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from handlens.artifact import Artifact
from handlens.errors import ArtifactError, DataError, ManifestInvalid, NotAnArtifact, OptionError
from handlens.manifest import Manifest
from handlens_export.bring import images as pictures
from handlens_export.bring import is_model, roles
from handlens_export.bring.agreement import Agreement
from handlens_export.bring.evaluation import judge
from handlens_export.bring.floats import FloatFile
from handlens_export.recipes import Format
from handlens_train.exportable import Exportable

KINDS = ".keras, .tflite, .onnx, or a SavedModel folder"
# Figures of the float file, which are measured anew.
_MEASURED = ("evaluation.json", "gate.json", "cmc.json")


def load(
    file: Path,
    *,
    manifest: Path | None = None,
    images: Path | None = None,
    calibration: Path | None = None,
    evaluation: str | None = None,
    data: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Exportable:
    """Opens a model of somebody's own for export.

    Args:
        file: a `.keras`, a float32 `.tflite` or `.onnx`, or a SavedModel folder; an artifact of handlens is one, too.
        manifest: JSON as `handlens import` takes it; left out for an artifact, which has its own.
        images: folder of training images, to calibrate and fine-tune on.
        calibration: picked images (`handlens calib pick`) instead.
        evaluation: a .py file with PRIMARY and evaluate(path, data, split, engine), or the name of a task of ours; None
            for agreement with the float model on images held out.
        data: folder for the evaluation.
        say: takes one line of progress at a time.

    Raises:
        DataError: a model or images that cannot be used; the message says which layer, operator or tensor.
        ManifestInvalid: the manifest does not describe this model.
        OptionError: no images, no manifest, or an evaluation that is none.
    """
    judged = None if evaluation is None else judge(evaluation, data)
    described, model, extras = _opened(file, manifest, say)
    spec = described.input
    given = pictures.gather(spec, images, calibration, judged, hold_out=judged is None)
    kind: tuple[Format, ...] = ()
    recipes: tuple[str, ...] = ()
    if isinstance(model, FloatFile):
        kind, recipes = (model.kind,), model.recipes
    matched = roles.matches(described)
    evaluate = judged.evaluate if judged else Agreement(model, spec, given.held, given.source.name, matched).evaluate
    return Exportable(
        model=model,
        task=described.task,
        name=described.name,
        version=described.version,
        input=spec,
        outputs=described.outputs,
        labels=described.labels,
        decoding=described.decoding,
        provenance=described.provenance,
        primary=judged.primary if judged else Agreement.PRIMARY,
        training_images=given.draw,
        matching=matched,
        evaluate=evaluate,
        extras=extras,
        recipes=recipes,
        formats=kind,
    )


def _opened(file: Path, manifest: Path | None, say: Callable[[str], None]) -> tuple[Manifest, Any, dict[str, bytes]]:
    """The manifest, the model (Keras, or a `FloatFile`), and what else rode in the file."""
    suffix = file.suffix.lower()
    if not is_model(file):
        raise DataError(f"{file} is no model; valid: {KINDS}")
    if suffix == ".keras":
        from handlens_export.bring import keras_file

        described = _read(file, manifest)
        return described, keras_file.load(file, described), {}
    if file.is_dir():
        from handlens_export.bring import saved_model

        described = _read(file, manifest)
        say(f"{file} becomes a float32 .tflite, batch 1")
        model = saved_model.to_tflite(file, described)
        return described, FloatFile.of(model, "tflite", described, str(file)), {}
    if suffix not in (".tflite", ".onnx"):
        raise DataError(f"{file} is of no kind that can be brought; valid: {KINDS}")
    kind: Format = "onnx" if suffix == ".onnx" else "tflite"
    if manifest is None:
        return _artifact(file, kind)
    described = _read(file, manifest)
    try:
        plain = Artifact.open(file, manifest=described)
    except NotAnArtifact as error:
        raise DataError(str(error)) from None
    return described, FloatFile.of(plain.model, kind, described, file.name), {}


def _artifact(file: Path, kind: Format) -> tuple[Manifest, Any, dict[str, bytes]]:
    try:
        own = Artifact.open(file)
    except NotAnArtifact:
        raise OptionError(
            f"{file} says nothing about itself: give --manifest M.json (see docs/bring-your-own.md), or bring it in "
            "with handlens import first"
        ) from None
    extras = {name: content for name, content in own.extras.items() if name not in _MEASURED}
    described = replace(own.manifest, thresholds=(), metrics=(), parity=None)
    return described, FloatFile.of(own.model, kind, described, file.name), extras


def _read(file: Path, manifest: Path | None) -> Manifest:
    if manifest is None:
        raise OptionError(f"{file} needs --manifest M.json: its input, outputs and data; see docs/bring-your-own.md")
    try:
        return Manifest.from_json(manifest.read_text(encoding="utf-8"))
    except (ArtifactError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{manifest}: {error}") from None
    except OSError as error:
        raise ManifestInvalid(f"{manifest} cannot be read: {error.strerror}") from None
