"""A `.keras` file as a network that every recipe is open to: read in safe mode, and looked through before that."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from handlens.errors import DataError, ManifestInvalid
from handlens.manifest import Manifest, OutputSpec
from handlens_export import quiet

_MOST = 16 * 2**20  # bytes of a model's config
_KEPT = ("keras", "keras.src", "builtins")


def load(file: Path, described: Manifest) -> Any:
    """The model, its outputs named as the manifest names them.

    Raises:
        DataError: no `.keras` file, or one that needs code of its own; the layer is named.
        ManifestInvalid: the manifest does not describe the model.
        MissingExtra: TensorFlow is not installed.
    """
    refuse_code(file)
    quiet.tensorflow()
    import keras

    try:
        with quiet.stderr_silenced():
            model = keras.saving.load_model(file, safe_mode=True, compile=False)
    except Exception as error:  # whatever Keras makes of a damaged or newer file
        raise DataError(f"{file} cannot be loaded by Keras {keras.__version__}: {_line(error)}") from error
    if not hasattr(model, "_nodes_by_depth") and not getattr(model, "_functional", None):
        raise DataError(
            f"{file} is a {type(model).__name__}, no network of layers that can be looked into; save one that was "
            "built with keras.Model(inputs, outputs) or keras.Sequential"
        )
    return _named(model, file, described)


def refuse_code(file: Path) -> None:
    """Refuses a file whose layers are not all Keras's own, without loading it.

    Raises:
        DataError: names the layer and its class.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo("config.json")
            if info.file_size > _MOST:
                raise DataError(f"{file}: its config.json has {info.file_size:,} bytes; at most {_MOST:,} are read")
            config = json.loads(archive.read(info))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is no .keras file ({_line(error)}); write one with model.save('NAME.keras')") from None
    for name, kind, module in _classes(config):
        if kind == "Lambda":
            raise DataError(
                f"{file}: layer {name!r} is a Lambda, which holds Python code that would run here; it is only read in "
                "safe mode. Build it of Keras's own layers or keras.ops, and save it again"
            )
        if module and not (module in _KEPT or module.startswith("keras.")):
            raise DataError(
                f"{file}: {name!r} is a {kind} of {module}, which is not Keras's own and cannot come in a file. Build "
                "the network of Keras's layers, or bring a float32 .tflite or .onnx of it"
            )


def _classes(config: Any, name: str = "") -> Iterator[tuple[str, str, str]]:
    """(layer, class, module) of every object that a config would make; how it was compiled does not matter."""
    if isinstance(config, dict):
        inner = config.get("config")
        own = inner.get("name") if isinstance(inner, dict) else None
        name = own if isinstance(own, str) else name
        kind = config.get("class_name")
        if isinstance(kind, str):
            custom = config.get("registered_name")
            module = config.get("module") or (custom.split(">")[0] if isinstance(custom, str) and ">" in custom else "")
            yield name or kind, kind, module if isinstance(module, str) else ""
        for key, value in config.items():
            if key not in ("compile_config", "build_config"):
                yield from _classes(value, name)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value, name)


def _named(model: Any, file: Path, described: Manifest) -> Any:
    import keras

    spec = described.input
    if len(model.inputs) != 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise DataError(f"{file} has {len(model.inputs)} inputs ({names}); a model to compress takes one image")
    (image,) = model.inputs
    shape = (spec.height, spec.width, spec.channels)
    found = tuple(image.shape[1:])
    if spec.layout != "NHWC" or len(found) != 3 or any(a not in (None, b) for a, b in zip(found, shape, strict=True)):
        raise ManifestInvalid(
            f"the manifest says the input is {spec.layout} {spec.shape}; in {file.name} it is (batch, *{found})"
        )
    if image.dtype != "float32":
        raise DataError(f"{file} takes {image.dtype}; a model to compress takes float32, scaled as the manifest says")
    outputs = model.output
    if None in found:
        fixed = keras.Input(shape, name=image.name)
        outputs, image = model(fixed), fixed
    return keras.Model(image, _by_name(outputs, file, described.outputs), name=described.name)


def _by_name(outputs: Any, file: Path, specs: tuple[OutputSpec, ...]) -> dict[str, Any]:
    """The outputs under the manifest's names: by name where the model has the same, else in the manifest's order."""
    if isinstance(outputs, dict):
        tensors = dict(outputs)
    else:
        listed = outputs if isinstance(outputs, list | tuple) else [outputs]
        tensors = dict(zip([spec.name for spec in specs], listed, strict=False)) if len(listed) == len(specs) else {}
        tensors = tensors or {tensor.name: tensor for tensor in listed}
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}
    wanted = {spec.name: tuple(spec.shape[1:]) for spec in specs}
    if shapes != wanted:
        raise ManifestInvalid(f"the manifest says the outputs are {wanted} (less the batch); in {file.name}: {shapes}")
    return tensors


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
