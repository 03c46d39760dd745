"""A tiny network shaped like the real ones (inverted residuals, explicit padding, BNNeck), as a run hands it on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handlens import metrics
from handlens.artifact import Artifact, write_artifact
from handlens.engine import open_engine, open_model
from handlens.golden import GENERATORS, default_tolerance, generate, record_goldens
from handlens.image import to_tensor
from handlens.manifest import Compression, DataSource, InputSpec, Manifest, Metric, OutputSpec, Provenance, Tolerance

HEIGHT, WIDTH = 32, 16
MODELS = Path(__file__).parents[1] / "golden" / "models"
SPEC = InputSpec(name="image", height=HEIGHT, width=WIDTH, channels=3, scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3)


@pytest.fixture(scope="session")
def keras_tf() -> Any:
    """The keras module, on TensorFlow, without a word on stderr."""
    pytest.importorskip("tensorflow")
    from handlens_export import quiet

    quiet.tensorflow()
    import keras

    return keras


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """(96, 32, 16, 3) uint8 procedural images."""
    return np.stack([generate(GENERATORS[i % len(GENERATORS)], i, HEIGHT, WIDTH, 3) for i in range(96)])


@pytest.fixture(scope="session")
def batch(images: np.ndarray) -> np.ndarray:
    """The images as the network takes them, (96, 32, 16, 3) float32."""
    return images.astype(np.float32) / 128 - np.float32(127 / 128)


@pytest.fixture(scope="session")
def tiny(keras_tf: Any, batch: np.ndarray) -> Any:
    """A Keras model, image to {"embedding": (N, 24)}, whose batch norms are not trivial and whose outputs vary."""
    from handlens_train.backbones import Stage, conv_bn, inverted_residuals

    keras_tf.utils.set_random_seed(3)
    image = keras_tf.Input((HEIGHT, WIDTH, 3), name="image")
    x = inverted_residuals(keras_tf, image, [Stage(1, 3, 1, 16, 1), Stage(2, 3, 2, 24, 2)], width=0.5)
    x = conv_bn(keras_tf, x, 24, 1, 1, "head")
    x = keras_tf.layers.GlobalAveragePooling2D(name="feature")(x)
    model = keras_tf.Model(image, {"embedding": keras_tf.layers.BatchNormalization(name="neck", center=False)(x)})
    _shake(model)
    for layer in model.layers:
        if isinstance(layer, keras_tf.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass in training mode leaves the statistics of these very images
    model(batch, training=True)
    return model


def _shake(model: Any) -> None:
    random = np.random.default_rng(7)
    for weight in model.variables:
        if weight.path.endswith(("beta", "moving_mean")):
            weight.assign(random.normal(0, 0.2, weight.shape))
        elif weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))


@pytest.fixture(scope="session")
def shake() -> Callable[[Any], None]:
    """Gives every batch norm of a model scales, offsets, means and variances away from their start."""
    return _shake


@pytest.fixture(scope="session")
def make_source(tiny: Any, images: np.ndarray) -> Callable[..., Any]:
    """Makes an Exportable of the tiny network: 48 images to be found again after a little noise."""
    from handlens_train.evaluation import Evaluation
    from handlens_train.exportable import Exportable

    noise = np.random.default_rng(1).integers(-6, 7, images.shape)
    probes = np.clip(images.astype(np.int64) + noise, 0, 255).astype(np.uint8)

    def embed(path: Path, pictures: np.ndarray) -> np.ndarray:
        artifact = Artifact.open(path)
        engine = open_engine(artifact)
        try:
            rows = [
                engine.run({"image": to_tensor(picture, artifact.manifest.input)})["embedding"] for picture in pictures
            ]
        finally:
            engine.close()
        found = np.concatenate(rows)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def evaluate(path: Path, split: str, engine: str | None) -> Evaluation:
        ids = np.arange(48)
        ranking = metrics.rank(embed(path, probes[:48]) @ embed(path, images[:48]).T, ids, ids)
        return Evaluation(
            dataset="patterns",
            split=split,
            protocol="each pattern against its noisy copy",
            n=48,
            primary="rank1",
            metrics={"rank1": metrics.bootstrap(ranking.hits(1), ids)},
            outcomes=ranking.hits(1),
            groups=ids,
            curve=tuple(float(x) for x in metrics.cmc(ranking, 5)),
        )

    def make(**changes: Any) -> Exportable:
        parts: dict[str, Any] = {
            "model": tiny,
            "task": "reid",
            "name": "tiny",
            "version": "1.0",
            "input": SPEC,
            "outputs": (
                OutputSpec(
                    name="embedding", meaning="embedding", shape=(1, 24), tolerance=Tolerance(absolute=0, relative=1e-3)
                ),
            ),
            "labels": (),
            "decoding": {},
            "provenance": Provenance(
                data=(DataSource(name="patterns", licence="Apache-2.0", split="train", sha256=""),),
                weights_licence="Apache-2.0",
                seed=3,
                run="tiny",
                trained_seconds=0.0,
            ),
            "primary": "rank1",
            "training_images": lambda count, seed: (
                images[:count],
                DataSource(name="patterns", licence="Apache-2.0", split="train", sha256=""),
            ),
            "evaluate": evaluate,
        }
        return Exportable(**parts | changes)

    return make


@pytest.fixture(scope="session")
def make_artifact() -> Callable[..., Artifact]:
    """Writes a whole artifact around one of the golden models; it is of no use but to be read and timed."""

    def write(
        path: Path,
        model_file: str = "tiny_float32.tflite",
        recipe: str = "float32",
        figures: tuple[Metric, ...] = (),
        extras: dict[str, object] | None = None,
        **changes: Any,
    ) -> Artifact:
        kind = "onnx" if model_file.endswith(".onnx") else "tflite"
        model = (MODELS / model_file).read_bytes()
        engine = open_model(model, kind)
        into, out = engine.inputs[0], engine.outputs[0]
        spec = InputSpec(
            name=into.name,
            height=into.shape[1],
            width=into.shape[2],
            channels=3,
            dtype=into.dtype,
            scale=(1 / 127.5,) * 3,
            offset=(-1.0,) * 3,
            quant_scale=into.quant_scale,
            quant_zero_point=into.quant_zero_point,
        )
        output = OutputSpec(
            name=out.name,
            meaning="embedding, not normalised",
            shape=out.shape,
            dtype=out.dtype,
            quant_scale=out.quant_scale,
            quant_zero_point=out.quant_zero_point,
            tolerance=default_tolerance(out.dtype, out.quant_scale),
        )
        goldens = record_goldens(engine, spec)
        engine.close()
        parts: dict[str, Any] = {
            "task": "reid",
            "name": "tiny",
            "version": "1",
            "input": spec,
            "outputs": (output,),
            "metrics": figures,
            "compression": Compression(
                recipe=recipe, format=kind, weights="int8", activations="int8", parameters=562, sparsity=0.0
            ),
            "provenance": Provenance(
                data=(DataSource(name="made up", licence="CC0-1.0", split="train", sha256=""),),
                weights_licence="Apache-2.0",
                seed=0,
                run="run-1",
                trained_seconds=1.0,
            ),
        }
        riders = {name: json.dumps(value).encode() for name, value in (extras or {}).items()}
        return write_artifact(path, model, kind, Manifest(**parts | changes), goldens, riders)

    return write
