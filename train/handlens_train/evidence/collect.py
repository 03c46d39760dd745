"""What the pictures need: the people of a split, and each model's embeddings of them. Runs and artifacts alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.errors import DataError, OptionError
from handlens.image import load_image, resize
from handlens_data.datasets import market1501
from handlens_data.datasets.identity import IdentitySplit
from handlens_train.evidence.matches import Crowd
from handlens_train.evidence.times import Times, median_ms
from handlens_train.run import Run
from handlens_train.tasks import reid

SHOWN = (128, 64)
TASK = reid.TASK


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Probes and gallery of a split with their files; in "val" both are the same images (multi-shot)."""

    probe: Crowd
    gallery: Crowd
    probe_paths: Sequence[Path]
    gallery_paths: Sequence[Path]
    words: str

    @property
    def multi_shot(self) -> bool:
        """Whether every image is a probe against all others."""
        return self.probe is self.gallery


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A run or an artifact. embed: files -> embeddings (N, D). time: -> its Times. run: None for an artifact."""

    name: str
    run: Run | None
    embed: Callable[[Sequence[Path]], np.ndarray]
    time: Callable[[], Times]


def scene(data: Path, split: str) -> Scene:
    """The people of "val" (held-out training identities, multi-shot) or "test" (probes against gallery).

    Raises:
        OptionError: unknown split. DataError: the folder lacks it. ImageError: an image cannot be read.
    """
    if split == "val":
        _, val = reid.load_data(data)
        crowd = _crowd(val)
        people = len(np.unique(val.identities))
        return Scene(
            crowd, crowd, val.paths, val.paths, f"{len(val)} images of {people} held-out identities, multi-shot"
        )
    if split != "test":
        raise OptionError(f"unknown split {split!r}; valid: val, test.")
    found = market1501.load(data)
    if found.probe is None or found.gallery is None:
        raise DataError(f"{found.root} has no probes and gallery; use the val split.")
    words = f"{len(found.probe)} probes against {len(found.gallery)} gallery images ({found.protocol})"
    return Scene(_crowd(found.probe), _crowd(found.gallery), found.probe.paths, found.gallery.paths, words)


def open_model(path: Path) -> Model:
    """A run folder or an artifact file, ready to embed.

    Raises:
        RunError: a run half written, or not of re-ID. ArtifactError, EngineError: the artifact is refused.
    """
    return _of_run(Run.open(path)) if path.is_dir() else _of_artifact(path)


def distinct(models: Sequence[Model], paths: Sequence[Path]) -> list[str]:
    """A name for each model that no other has: its own, or with its folder's name where two are alike."""
    names = [model.name for model in models]
    told = [
        f"{name} ({path.resolve().name})" if names.count(name) > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]
    return [f"{name} #{i + 1}" if told.count(name) > 1 else name for i, name in enumerate(told)]


def _crowd(split: IdentitySplit) -> Crowd:
    images = []
    for path in split.paths:
        image = load_image(path)
        images.append(image if image.shape[:2] == SHOWN else resize(image, *SHOWN))
    return Crowd(images, split.identities, split.cameras)


def _of_run(run: Run) -> Model:
    import keras

    from handlens_train import reid_training
    from handlens_train.images import load_prepared, scaled

    exported = reid.load(run, None)
    net, spec = exported.model, exported.input

    def embed(paths: Sequence[Path]) -> np.ndarray:
        return reid_training.embed(net, scaled(load_prepared(paths, spec), spec))

    def times() -> Times:
        batch = np.zeros((32, spec.height, spec.width, spec.channels), np.float32)
        return Times(
            name=run.recipe,
            parameters=net.count_params(),
            dimension=int(net.output["embedding"].shape[-1]),
            train_seconds=run.info.get("seconds"),
            epochs=run.info.get("epochs"),
            single_ms=median_ms(lambda: net.predict_on_batch(batch[:1])),
            batch_ms=median_ms(lambda: net.predict_on_batch(batch), runs=5, warmup=1) / len(batch),
            engine=f"keras {keras.__version__}, {keras.backend.backend()}, this host",
        )

    return Model(run.recipe, run, embed, times)


def _of_artifact(path: Path) -> Model:
    from handlens.artifact import Artifact
    from handlens.person import PersonReidentifier

    manifest = Artifact.open(path).manifest

    def embed(paths: Sequence[Path]) -> np.ndarray:
        with PersonReidentifier.load(path) as model:
            return model.embed(paths)

    def times() -> Times:
        from handlens.bench import measure

        latency = measure(path, runs=50, warmup=5)
        assert latency.model is not None  # this machine tells it always
        return Times(
            name=path.name,
            parameters=manifest.compression.parameters,
            dimension=int(np.prod(manifest.outputs[0].shape)),
            train_seconds=None,
            epochs=None,
            single_ms=latency.model.p50_ms,
            batch_ms=None,
            engine=f"{latency.engine} {latency.engine_version}, 1 thread, this host",
        )

    return Model(path.name, None, embed, times)
