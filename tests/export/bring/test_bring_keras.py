"""A .keras file comes the whole way in safe mode, a SavedModel becomes a .tflite; code in either is refused."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.errors import DataError, ManifestInvalid
from handlens_export.bring import is_model
from handlens_export.bring.keras_file import refuse_code
from handlens_export.bring.load import load
from handlens_export.recipes import parse_recipes

INPUT = {"name": "image", "height": 32, "width": 16, "channels": 3, "scale": [1 / 128] * 3, "offset": [-127 / 128] * 3}
OUTPUT = {
    "name": "embedding",
    "meaning": "embedding",
    "shape": [1, 24],
    "tolerance": {"absolute": 1e-5, "relative": 0.002},
}


def archive(path: Path, *layers: dict[str, Any]) -> Path:
    """A .keras file of no weights whose config holds these layers."""
    config = {"module": "keras", "class_name": "Functional", "config": {"name": "net", "layers": list(layers)}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(config))
    return path


def test_code_in_a_keras_file_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    fine = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d"}, "registered_name": None}
    refuse_code(archive(tmp_path / "fine.keras", fine))
    code = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "twice", "function": {}}}
    with pytest.raises(DataError, match=r"layer 'twice' is a Lambda.*keras\.ops"):
        refuse_code(archive(tmp_path / "code.keras", fine, code))
    own = {"module": None, "class_name": "Mine", "config": {"name": "m"}, "registered_name": "theirs>Mine"}
    with pytest.raises(DataError, match="'m' is a Mine of theirs"):
        refuse_code(archive(tmp_path / "own.keras", own))
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"}
    inside = fine | {"config": {"name": "d", "activation": function}}
    with pytest.raises(DataError, match="function of os"):
        refuse_code(archive(tmp_path / "inside.keras", inside))
    (tmp_path / "no.keras").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"no \.keras file"):
        refuse_code(tmp_path / "no.keras")


@pytest.mark.slow
def test_a_keras_file_goes_the_whole_way(
    tiny: Any, folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    from handlens_export import door
    from handlens_export.prepare import Options

    tiny.save(tmp_path / "mine.keras")
    source = load(tmp_path / "mine.keras", manifest=manifest(input=INPUT, outputs=[OUTPUT]), images=folder)
    assert not source.recipes and not source.formats
    done = door.export(
        source,
        parse_recipes("float32,pruned50-int8"),
        ("tflite",),
        tmp_path,
        keep=tmp_path / "kept",
        max_drop=100,
        options=Options(steps=4),
    )
    exact, small = (item.artifact.manifest for item in done.written)
    assert exact.parity is not None and small.compression.sparsity >= 0.5
    assert small.metrics[0].name == "agreement" and small.compression.calibration is not None


def test_outputs_are_named_as_the_manifest_does(
    keras_tf: Any, folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    image = keras_tf.Input((None, None, 3), name="pixels")
    x = keras_tf.layers.Conv2D(4, 3, strides=2)(image)
    keras_tf.Sequential([image, keras_tf.layers.Conv2D(4, 3)])
    model = keras_tf.Model(image, keras_tf.layers.GlobalAveragePooling2D()(x))
    model.save(tmp_path / "plain.keras")
    described = manifest(input=INPUT, outputs=[OUTPUT | {"shape": [1, 4]}])
    source = load(tmp_path / "plain.keras", manifest=described, images=folder)
    assert list(source.model.output) == ["embedding"] and source.model.inputs[0].shape == (None, 32, 16, 3)
    with pytest.raises(ManifestInvalid, match=r"outputs are.*24.*\(4,\)"):
        load(tmp_path / "plain.keras", manifest=manifest(input=INPUT, outputs=[OUTPUT]), images=folder)
    with pytest.raises(ManifestInvalid, match="NCHW"):
        wrong = manifest(input=INPUT | {"layout": "NCHW"}, outputs=[OUTPUT | {"shape": [1, 4]}])
        load(tmp_path / "plain.keras", manifest=wrong, images=folder)


@pytest.mark.slow
def test_a_saved_model_of_any_batch_becomes_a_tflite(
    tiny: Any, batch: np.ndarray, folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    from handlens_export.bring.answers import run

    tiny.export(tmp_path / "saved", verbose=False)
    assert is_model(tmp_path / "saved") and not is_model(tmp_path)
    described = manifest(input=INPUT, outputs=[OUTPUT])
    source = load(tmp_path / "saved", manifest=described, images=folder)
    assert source.formats == ("tflite",) and "int4" in source.recipes
    wanted = tiny.predict(batch[:4], verbose=0)["embedding"]
    np.testing.assert_allclose(run(source.model.model, batch[:4], "tflite")["embedding"], wanted, atol=1e-4)
    with pytest.raises(ManifestInvalid, match=r"names the outputs \['other'\]"):
        other = manifest(input=INPUT, outputs=[OUTPUT | {"name": "other"}])
        load(tmp_path / "saved", manifest=other, images=folder)


@pytest.mark.slow
def test_a_saved_model_that_reads_files_or_has_an_unknown_operator_is_refused(
    keras_tf: Any, folder: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    import tensorflow as tf

    signature = [tf.TensorSpec((None, 32, 16, 3), tf.float32, name="image")]

    class Reads(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=signature)
        def serve(self, image: Any) -> Any:
            length = tf.strings.length(tf.io.read_file("/etc/hostname"))
            return {"embedding": tf.reduce_mean(image, (1, 2)) + tf.cast(length, tf.float32)}

    class Strange(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=signature)
        def serve(self, image: Any) -> Any:
            return {"embedding": tf.math.bessel_i0(tf.reduce_mean(image, (1, 2)))}

    described = manifest(input=INPUT, outputs=[OUTPUT | {"shape": [1, 3]}])
    for module, words in ((Reads(), "ReadFile"), (Strange(), "BesselI0")):
        tf.saved_model.save(module, str(tmp_path / words), signatures={"serving_default": module.serve})
        with pytest.raises(DataError, match=words):
            load(tmp_path / words, manifest=described, images=folder)
