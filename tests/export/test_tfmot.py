"""tensorflow-model-optimization as a second engine: what it makes, what it refuses, and that it stays outside."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens.errors import EngineError, MissingExtra, OptionError

pytest.importorskip("tensorflow")
pytest.importorskip("rich")

from handlens_export import tflite_file
from handlens_export.recipes import recipe_named
from handlens_export.tfmot import process

HEAVY = ("tensorflow_model_optimization", "tf_keras")
# Few enough zeros that no channel of the tiny network loses its last weight.
NAME = "tfmot-pruned20-clustered16-int8"


@pytest.fixture(scope="module")
def shop(make_source: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A workshop of the tiny network, whose fine-tunings take eight batches."""
    from handlens_export.prepare import Options, Workshop
    from handlens_export.store import Store

    options = Options(calibration_images=24, steps=8)
    return Workshop(make_source(), Store(tmp_path_factory.mktemp("kept")), options, lambda line: None)


@pytest.fixture(scope="module")
def made(shop: Any) -> Any:
    """What PCQAT made: every stage in one process."""
    if not all(find_spec(name) for name in HEAVY):
        pytest.skip("needs the extra tfmot")
    from handlens_export import candidate

    recipe = recipe_named(NAME)
    assert recipe is not None
    return candidate.make(shop, recipe, "tflite")


@pytest.mark.slow
def test_the_file_is_int8_with_the_zeros_and_the_clusters_asked_for(made: Any) -> None:
    model = made.model
    assert not tflite_file.float_operators(model)
    assert tflite_file.sparsity(model) >= 0.2
    kernels = list(tflite_file.prunable_weights(model))
    assert max(len(np.unique(row)) for kernel in kernels for row in kernel) <= 16
    assert max(len(np.unique(kernel)) for kernel in kernels) > 16  # of one channel, not of the file


@pytest.mark.slow
def test_the_manifest_says_who_made_it_and_from_which_images(made: Any) -> None:
    told = made.manifest.compression
    assert (told.recipe, told.weights, told.activations) == (NAME, "int8", "int8")
    assert told.calibration.count == 24
    assert "tfmot" in told.notes
    assert "cosine of its outputs with the simulation" in told.notes


@pytest.mark.slow
def test_tfmot_never_comes_into_this_process(made: Any) -> None:
    assert not {name for name in sys.modules if name.split(".")[0] in HEAVY}
    assert "TF_USE_LEGACY_KERAS" not in os.environ


@pytest.mark.slow
def test_finished_work_is_kept(made: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens_export import candidate

    def never(folder: Path, recipe: str) -> None:
        raise AssertionError("the worker was started again")

    monkeypatch.setattr(process, "run", never)
    recipe = recipe_named(NAME)
    assert recipe is not None
    assert candidate.make(shop, recipe, "tflite").model == made.model


@pytest.mark.slow
def test_a_layer_that_tfmot_refuses_is_named(keras_tf: Any, make_source: Callable[..., Any], tmp_path: Path) -> None:
    if not all(find_spec(name) for name in HEAVY):
        pytest.skip("needs the extra tfmot")
    from handlens_export import candidate
    from handlens_export.prepare import Options, Workshop
    from handlens_export.store import Store

    layers = keras_tf.layers
    image = keras_tf.Input((32, 16, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="first")(image)
    x = layers.PReLU(shared_axes=(1, 2), name="bent")(x)
    x = layers.Multiply(name="gated")([x, x])
    x = layers.Conv2D(24, 1, name="last")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    model = keras_tf.Model(image, {"embedding": layers.Flatten(name="embedding")(x)})
    shop = Workshop(
        make_source(model=model), Store(tmp_path), Options(calibration_images=8, steps=1), lambda line: None
    )
    recipe = recipe_named("tfmot-int8")
    assert recipe is not None
    with pytest.raises(OptionError, match=r"layer bent \(PReLU\).*2 layers.*Multiply, PReLU.*qat-int8"):
        candidate.make(shop, recipe, "tflite")


def test_without_the_packages_the_extra_is_named(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens_export import candidate

    monkeypatch.setattr(process, "find_spec", lambda name: None)
    recipe = recipe_named("tfmot-int8")
    assert recipe is not None
    with pytest.raises(MissingExtra, match=r"handlens\[tfmot\]"):
        candidate.make(shop, recipe, "tflite")


def test_a_table_of_ranges_is_refused(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from handlens.errors import DataError
    from handlens_export import candidate
    from handlens_export.prepare import Workshop

    monkeypatch.setattr(process, "require", lambda: None)
    with_table = Workshop(shop.source, shop.kept, replace(shop.options, ranges=object()), shop.say)
    recipe = recipe_named("tfmot-int8")
    assert recipe is not None
    with pytest.raises(DataError, match="takes no table of ranges"):
        candidate.make(with_table, recipe, "tflite")


def test_a_worker_that_fails_leaves_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"tfmot-int8.*FileNotFoundError.*order\.json"):
        process.run(tmp_path, "tfmot-int8")


def test_a_worker_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time; from handlens_export.tfmot import worker;"
        "threading.Thread(target=worker._follow_stdin, daemon=True).start(); time.sleep(60); sys.exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, timeout=50, check=False)
    assert done.returncode == 1
